//! Layers made of layers.

use super::{Layer, Trace};
use crate::{Result, TensorId};

/// Layers one behind the other.
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Layer>>);

impl Sequential {
    /// No layers: the identity.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// With `layer` behind the others.
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.0.push(Box::new(layer));
        self
    }
}

impl Layer for Sequential {
    fn kind(&self) -> &'static str {
        "block"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        self.0.iter().try_fold(x, |x, layer| cx.layer(layer.as_ref(), x))
    }
}

/// `x + layers(x)`.
pub struct Residual(Sequential);

impl Residual {
    /// Around `layers`, which must keep the shape.
    pub fn new(layers: Sequential) -> Residual {
        Residual(layers)
    }
}

impl Layer for Residual {
    fn kind(&self) -> &'static str {
        "residual"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let y = self.0.forward(cx, x)?;
        if cx.dims(x) != cx.dims(y) {
            let (from, to) = (cx.dims(x), cx.dims(y));
            return Err(cx.error(format!("its layers turn {from:?} into {to:?}; they must keep the shape")));
        }
        let name = cx.name("");
        cx.graph.add(&name, x, y)
    }
}
