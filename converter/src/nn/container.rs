//! Layers made of layers.

use std::rc::Rc;

use super::{Layer, Symbol, Trace};
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

    /// What all of them make of `x`.
    pub(super) fn applied_to(self, x: &Symbol) -> Symbol {
        self.0.into_iter().fold(x.clone(), |x, layer| x.then(layer))
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

/// A layer that is used in several places with the same weights, wherever a copy of it stands.
///
/// ```
/// # use dunlin_converter::nn::*;
/// # fn main() -> dunlin_converter::Result<()> {
/// let (a, b) = (Symbol::input("a", &[16]), Symbol::input("b", &[16]));
/// let encoder = Shared::new(Dense::new(4));
/// let difference = &a.then(encoder.clone()) - &b.then(encoder);
/// let network = Network::functional("siamese", &[&a, &b], &[&difference], 1)?;
/// assert_eq!(network.parameters().len(), 2);
/// # Ok(()) }
/// ```
pub struct Shared(Rc<dyn Layer>);

impl Shared {
    /// To be cloned for every place.
    pub fn new(layer: impl Layer + 'static) -> Shared {
        Shared(Rc::new(layer))
    }
}

impl Clone for Shared {
    fn clone(&self) -> Shared {
        Shared(self.0.clone())
    }
}

impl Layer for Shared {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.again(Rc::as_ptr(&self.0).cast(), |cx| self.0.forward(cx, x))
    }
}

impl Layer for Box<dyn Layer> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        (**self).forward(cx, x)
    }
}
