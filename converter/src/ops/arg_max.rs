//! Index of the greatest element: see the runtime's operator of this name.

use dunlin::ops::ArgMax;

use super::{Backward, HostOperator, OutputQuant};
use crate::import::tflite::{Operator, Rule};
use crate::{Error, Result, TensorId};

impl HostOperator for ArgMax {
    const TFLITE: &'static [Rule] = &[Rule::new("ARG_MAX", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("an index does not change with the elements"))
    }

    /// An index is no real number.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Real
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, rank) = (cx.input(0)?, cx.dims(0)?.len());
    let [axis] = cx.ints(1)?[..] else {
        return Err(Error::Invalid("searches more than one axis".to_string()));
    };
    cx.emit(ArgMax { axis: cx.axis(axis, rank)? as u8 }, &[x])
}
