//! Samples with their targets.

use super::Source;
use crate::samples::argmax;
use crate::{Error, Result};

/// Samples of one shape, each with a target of one shape. All numbers are finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    dims: Vec<usize>,
    target_dims: Vec<usize>,
    x: Vec<f32>,
    targets: Vec<f32>,
    len: usize,
}

impl Dataset {
    /// Samples `x` of `dims` (without the batch), one behind the other, with targets of `target_dims`.
    ///
    /// # Errors
    /// If there are no samples, not as many samples as targets, or a number that is not finite; names the
    /// sample.
    pub fn new(dims: &[usize], x: Vec<f32>, target_dims: &[usize], targets: Vec<f32>) -> Result<Dataset> {
        let len = count("samples", x.len(), dims)?;
        let n_targets = count("targets", targets.len(), target_dims)?;
        if len != n_targets {
            return Err(Error::Invalid(format!("{len} samples have {n_targets} targets")));
        }
        check_finite("sample", &x, dims)?;
        check_finite("target of sample", &targets, target_dims)?;
        Ok(Dataset { dims: dims.to_vec(), target_dims: target_dims.to_vec(), x, targets, len })
    }

    /// Samples with the numbers of their classes, which become one-hot targets.
    ///
    /// # Errors
    /// As [`Dataset::new`], and if a label is not below `classes`.
    pub fn classification(dims: &[usize], x: Vec<f32>, labels: &[usize], classes: usize) -> Result<Dataset> {
        let mut targets = vec![0.0; labels.len() * classes];
        for (i, &label) in labels.iter().enumerate() {
            if label >= classes {
                return Err(Error::Invalid(format!("sample {i} has label {label} of {classes} classes")));
            }
            targets[i * classes + label] = 1.0;
        }
        Dataset::new(dims, x, &[classes], targets)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no samples; never.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Dimensions of a sample.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Dimensions of a target.
    pub fn target_dims(&self) -> &[usize] {
        &self.target_dims
    }

    /// Sample `i`.
    pub fn sample(&self, i: usize) -> &[f32] {
        row(&self.x, &self.dims, i)
    }

    /// The target of sample `i`.
    pub fn target(&self, i: usize) -> &[f32] {
        row(&self.targets, &self.target_dims, i)
    }

    /// The class of sample `i`: the index of its target's greatest element.
    pub fn label(&self, i: usize) -> usize {
        argmax(self.target(i))
    }

    /// The samples of these indices, in this order.
    ///
    /// # Errors
    /// If there are none.
    pub fn subset(&self, indices: &[usize]) -> Result<Dataset> {
        let x = indices.iter().flat_map(|&i| self.sample(i)).copied().collect();
        let targets = indices.iter().flat_map(|&i| self.target(i)).copied().collect();
        Dataset::new(&self.dims, x, &self.target_dims, targets)
    }
}

impl Source for Dataset {
    fn len(&self) -> usize {
        self.len
    }

    fn dims(&self) -> &[usize] {
        &self.dims
    }

    fn target_dims(&self) -> &[usize] {
        &self.target_dims
    }

    fn read(&self, i: usize, _epoch: usize, x: &mut [f32], target: &mut [f32]) -> Result<()> {
        x.copy_from_slice(self.sample(i));
        target.copy_from_slice(self.target(i));
        Ok(())
    }

    fn is_quick(&self) -> bool {
        true
    }
}

fn row<'v>(values: &'v [f32], dims: &[usize], i: usize) -> &'v [f32] {
    let len: usize = dims.iter().product();
    &values[i * len..(i + 1) * len]
}

fn count(what: &str, n_elements: usize, dims: &[usize]) -> Result<usize> {
    let len: usize = dims.iter().product();
    if len == 0 || n_elements == 0 || !n_elements.is_multiple_of(len) {
        return Err(Error::Invalid(format!("{n_elements} numbers are no {what} of shape {dims:?}")));
    }
    Ok(n_elements / len)
}

fn check_finite(what: &str, values: &[f32], dims: &[usize]) -> Result<()> {
    let len: usize = dims.iter().product();
    match values.iter().position(|v| !v.is_finite()) {
        Some(i) => {
            Err(Error::Invalid(format!("{what} {} has {} at element {}", i / len, values[i], i % len)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_data_are_named() {
        let error = |x: Vec<f32>, labels: &[usize]| {
            Dataset::classification(&[2], x, labels, 3).unwrap_err().to_string()
        };
        assert_eq!(error(vec![0.0, 1.0, f32::NAN, 0.0], &[0, 1]), "sample 1 has NaN at element 0");
        assert_eq!(error(vec![0.0, 1.0], &[3]), "sample 0 has label 3 of 3 classes");
        assert_eq!(error(vec![0.0, 1.0], &[1, 2]), "1 samples have 2 targets");
        assert_eq!(error(vec![0.0, 1.0, 2.0], &[1]), "3 numbers are no samples of shape [2]");
    }

    #[test]
    fn a_subset_keeps_its_order() {
        let data = Dataset::classification(&[1], vec![5.0, 6.0, 7.0], &[2, 0, 1], 3).unwrap();
        let subset = data.subset(&[2, 0]).unwrap();
        assert_eq!((subset.len(), subset.sample(0), subset.label(0), subset.label(1)), (2, &[7.0][..], 1, 2));
    }
}
