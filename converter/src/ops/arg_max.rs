//! Index of the greatest element: see the runtime's operator of this name.

use dunlin::DType;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::{ArgMax, Mul};

use super::{Backward, HostOperator, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::{Data, Error, Node, Quant, Result, TensorId};

impl HostOperator for ArgMax {
    const TFLITE: &'static [Rule] = &[Rule::new("ARG_MAX", import_max), Rule::new("ARG_MIN", import_min)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("an index does not change with the elements"))
    }

    /// An index is no real number.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Real
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let inputs = [cx.tensor(node.inputs[0])?, cx.ints(node, "axis", &[1], &[self.axis.into()])?];
        let output = cx.output(node)?;
        let options = Table::new().with(schema::arg_max::OUTPUT_TYPE, schema::element::I32);
        cx.operator(("ARG_MAX", 2), &inputs, &[output], Some((schema::options::ARG_MAX, options)));
        Ok(())
    }
}

fn import_max(cx: &mut Operator) -> Result<()> {
    let (x, op) = (cx.input(0)?, read(cx)?);
    cx.emit(op, &[x])
}

/// The least is the greatest of the negative. Those are exact: in int8 the zero point is mirrored, too.
fn import_min(cx: &mut Operator) -> Result<()> {
    let (x, op) = (cx.input(0)?, read(cx)?);
    let quant = cx.graph()[x].quant.clone();
    let minus_one = match &quant {
        None => cx.graph().filled("minus one", &[1], -1.0)?,
        Some(_) => {
            let id = cx.graph().constant("minus one", &[1], Data::I8(vec![-1]))?;
            let ty = cx.graph()[id].ty.with_dtype(DType::F32);
            let tensor = &mut cx.graph()[id];
            (tensor.ty, tensor.quant) = (ty, Some(Quant::i8(1.0, 0)));
            id
        }
    };
    let mirrored = quant.map(|quant| Quant { zero_point: -1 - quant.zero_point, ..quant });
    let product = Mul { bounds: Bounds::None, factor: None };
    let negative = cx.apply("negative", product, &[x, minus_one], mirrored)?;
    cx.emit(op, &[negative])
}

fn read(cx: &mut Operator) -> Result<ArgMax> {
    if cx.option(schema::arg_max::OUTPUT_TYPE, schema::element::I32)? == schema::element::I64 {
        let what = "gives int64: export the model with indices of int32 (TensorFlow's output_type), \
                    which TensorFlow Lite Micro, too, needs";
        return Err(Error::Invalid(what.to_string()));
    }
    let rank = cx.dims(0)?.len();
    let [axis] = cx.ints(1)?[..] else {
        return Err(Error::Invalid("searches more than one axis".to_string()));
    };
    Ok(ArgMax { axis: cx.axis(axis, rank)? as u8 })
}
