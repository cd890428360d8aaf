//! Parameters of a network in a safetensors file.

use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::Network;
use crate::{Error, Result, file};

impl Network {
    /// Writes every parameter, by its name, in place of whatever `path` holds.
    ///
    /// # Errors
    /// If it cannot be written; what was there is left then.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = |what: String| Error::File { path: path.to_owned(), what };
        let mut views = Vec::new();
        for parameter in self.parameters() {
            let bytes = bytemuck::cast_slice(&parameter.values);
            let view = TensorView::new(Dtype::F32, parameter.dims.clone(), bytes);
            views.push((&parameter.name, view.map_err(|e| failed(e.to_string()))?));
        }
        let bytes = safetensors::serialize(views, None).map_err(|e| failed(e.to_string()))?;
        file::replace(path, &bytes)
    }

    /// Takes every parameter from a file that [`Network::save`] wrote, or one like it: f32 tensors with the names and
    /// dimensions of [`Network::parameters`]. What else is in it is left out.
    ///
    /// # Errors
    /// If one is missing, of another type or shape, or not finite; names it. The network then stays as it was.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let values = self.values_in(&bytes).map_err(|what| Error::File { path: path.to_owned(), what })?;
        self.set_values(values)
    }

    fn values_in(&self, bytes: &[u8]) -> Result<Vec<Vec<f32>>, String> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| format!("no safetensors file: {e}"))?;
        let values = |parameter: &super::Parameter| {
            let (name, dims) = (&parameter.name, &parameter.dims);
            let tensor = tensors.tensor(name).map_err(|_| format!("has no tensor `{name}`"))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != dims {
                let (dtype, shape) = (tensor.dtype(), tensor.shape());
                return Err(format!("`{name}` is {dtype:?} {shape:?}, the network's is F32 {dims:?}"));
            }
            let values: Vec<f32> =
                tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            match values.iter().find(|value| !value.is_finite()) {
                Some(bad) => Err(format!("`{name}` has {bad} in it")),
                None => Ok(values),
            }
        };
        self.parameters().iter().map(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Dense, Sequential};

    #[test]
    fn what_is_saved_is_loaded_and_what_does_not_fit_is_named() {
        let dense = |units: usize, seed: u64| {
            Network::new("n", &[3], Sequential::new().then(Dense::new(units)), seed).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.safetensors");
        let (saved, mut other) = (dense(2, 1), dense(2, 2));
        saved.save(&path).unwrap();
        assert_ne!(saved.parameters(), other.parameters());
        other.load(&path).unwrap();
        assert_eq!(saved.parameters(), other.parameters());
        let error = dense(4, 1).load(&path).unwrap_err().to_string();
        assert!(error.ends_with("`dense/weights` is F32 [2, 3], the network's is F32 [4, 3]"), "{error}");
        std::fs::write(&path, b"nothing").unwrap();
        let error = other.load(&path).unwrap_err().to_string();
        assert!(error.contains("n.safetensors: no safetensors file"), "{error}");
    }
}
