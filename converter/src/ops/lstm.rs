//! Long short-term memory: see the runtime's operator of this name.

use dunlin::DType;
use dunlin::ops::{Lstm, LstmGrad};

use super::{Backward, HostOperator, InputRole, OutputQuant, recurrent};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Data, Error, Node, Quant, Result, TensorId};

impl HostOperator for Lstm {
    const TFLITE: &'static [Rule] = &[Rule::new("UNIDIRECTIONAL_SEQUENCE_LSTM", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let Lstm::F32 { sequences, clip, cell_bits } = *self else {
            return Err(cx.none("it is in device form"));
        };
        if clip.is_finite() {
            return Err(cx.none("its cells are clamped"));
        }
        let every = (!sequences).then_some(Lstm::F32 { sequences: true, clip, cell_bits }.into());
        let [h, dh] = recurrent::states(cx, every)?;
        let inputs = [&cx.node.inputs[..], &[h, dh]].concat();
        let arguments = cx.apply("darguments", LstmGrad {}, &inputs)?;
        recurrent::gradients(cx, h, [arguments; 2])
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: Lstm::SCALE, zero_point: Lstm::ZERO_POINT as i32 }
    }

    fn input_role(&self, i: usize) -> InputRole {
        recurrent::input_role(i)
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let Lstm::F32 { sequences, clip, cell_bits } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let out = cx.quant(node, node.outputs[0])?;
        let clip = (clip * (1u32 << cell_bits) as f32).min(i16::MAX as f32) as i16;
        let op = Lstm::I8 {
            sequences,
            clip: if clip == i16::MAX { 0 } else { clip },
            cell_bits,
            hidden: factor(node, 1.0 / f64::from(1 << 30) / f64::from(out.scale()))?,
        };
        let mut inputs = recurrent::stored_inputs(cx, node, [3, 3], out)?;
        let name = format!("{}/curve", node.name);
        inputs.push(cx.constant(&name, &[Lstm::CURVE_LEN], Data::I16(curve()))?);
        cx.emit(node, op, &inputs)
    }

    fn export_tflite(&self, _cx: &mut Writer, node: &Node) -> Result<()> {
        let what = "an LSTM is not exported, whose states a .tflite keeps as variables: write a .dunlin, or make the \
                    layer of other operators (`unrolled`)";
        Err(Error::graph(&node.name, what))
    }
}

/// The curve as 16 bits hold it.
fn curve() -> Vec<i16> {
    CURVE.iter().map(|&y| y as i16).collect()
}

/// The logistic function at multiples of 1/24 in 65536ths, as TensorFlow Lite has it (`sigmoid_table_uint16` of its
/// kernels; here as its TANH answers on int16 of scale 1/48, plus 32768): some entries are not the nearest number.
#[rustfmt::skip]
const CURVE: [u16; Lstm::CURVE_LEN] = [
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149, 40794, 41432,
    42064, 42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369, 47911, 48443, 48964, 49475,
    49975, 50464, 50942, 51409, 51865, 52311, 52745, 53169, 53581, 53983, 54374, 54755, 55125, 55485,
    55834, 56174, 56503, 56823, 57133, 57433, 57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519,
    59743, 59959, 60168, 60370, 60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036,
    62172, 62302, 62428, 62549, 62666, 62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536,
    63615, 63691, 63765, 63835, 63903, 63968, 64030, 64090, 64148, 64204, 64257, 64308, 64357, 64405,
    64450, 64494, 64536, 64576, 64614, 64652, 64687, 64721, 64754, 64786, 64816, 64845, 64873, 64900,
    64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079, 65097, 65115, 65132, 65149, 65164, 65179,
    65194, 65208, 65221, 65234, 65246, 65258, 65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337,
    65345, 65352, 65360, 65367, 65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425,
    65429, 65433, 65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465, 65468, 65471, 65474,
    65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498, 65500, 65501,
    65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513, 65514, 65515, 65516, 65517,
    65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522, 65523, 65523, 65524, 65524, 65525, 65525,
    65526, 65526, 65526, 65527, 65527, 65528, 65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530,
    65530, 65530, 65531, 65531, 65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533,
    65533, 65533, 65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
    65534, 65534, 65534, 65535,
];

/// Inputs of TensorFlow Lite's operator; of the four gates side by side, in the order i, f, g, o.
const WEIGHTS: [usize; 4] = [1, 2, 3, 4];
const RECURRENT: [usize; 4] = [5, 6, 7, 8];
const BIAS: [usize; 4] = [12, 13, 14, 15];
const STATES: [usize; 2] = [18, 19];
/// Peepholes, projections and normalizations, which there must be none of.
const OTHERS: [usize; 9] = [9, 10, 11, 16, 17, 20, 21, 22, 23];

fn import(cx: &mut Operator) -> Result<()> {
    use schema::lstm::*;
    if OTHERS.iter().any(|&i| cx.has_input(i)) || WEIGHTS.iter().any(|&i| !cx.has_input(i)) {
        let what =
            "has peepholes, a projection, normalization, or no input gate: only plain LSTMs are supported";
        return Err(Error::Invalid(what.to_string()));
    }
    let cell = cx.input_quant(STATES[1])?;
    let cell_bits = match &cell {
        None => 11,
        Some(quant) => {
            let bits = -f64::from(quant.scale()).log2();
            if bits.fract() != 0.0 || !(0.0..=15.0).contains(&bits) {
                let scale = quant.scale();
                return Err(Error::Invalid(format!("its cells have scale {scale}, no power of two up to 1")));
            }
            bits as u8
        }
    };
    let (clip, projection_clip) = (cx.option(CELL_CLIP, 0f32)?, cx.option(PROJECTION_CLIP, 0f32)?);
    if cx.flag(TIME_MAJOR)?
        || projection_clip != 0.0
        || cx.option(ACTIVATION, 0i8)? != schema::activation::TANH
    {
        let what = "has time before samples, clips projections, or has another activation than tanh";
        return Err(Error::Invalid(what.to_string()));
    }
    let clip = if clip > 0.0 { clip } else { f32::INFINITY };
    let x = cx.input(0)?;
    let inputs =
        [x, joined(cx, "weights", WEIGHTS)?, joined(cx, "recurrent", RECURRENT)?, joined(cx, "bias", BIAS)?];
    cx.emit(Lstm::F32 { sequences: true, clip, cell_bits }, &inputs)
}

/// The constants of four gates as one, each row with its gate's scale.
fn joined(cx: &mut Operator, what: &str, inputs: [usize; 4]) -> Result<TensorId> {
    let ids = inputs.map(|i| cx.input(i));
    let (mut data, mut scales) = (Vec::new(), Vec::new());
    let mut dims = Vec::new();
    for id in ids {
        let id = id?;
        let graph = cx.graph();
        let Some(of_gate) = graph.constant_data(id).cloned() else {
            return Err(Error::Invalid(format!("its {what} are not constants")));
        };
        dims = graph.dims(id);
        if let Some(quant) = &graph[id].quant {
            scales.extend(std::iter::repeat_n(quant.scale(), dims[0]));
        }
        data.push(of_gate);
    }
    let joined = match &data[0] {
        Data::F32(_) => Data::F32(data.iter().filter_map(Data::as_f32).flatten().copied().collect()),
        Data::I8(_) => Data::I8(data.iter().filter_map(Data::as_i8).flatten().copied().collect()),
        _ => Data::I32(data.iter().filter_map(Data::as_i32).flatten().copied().collect()),
    };
    dims[0] *= inputs.len();
    let dtype = joined.dtype();
    let id = cx.constant(what, &dims, joined)?;
    if dtype != DType::F32 {
        let tensor = &mut cx.graph()[id];
        tensor.ty = tensor.ty.with_dtype(DType::F32);
        let scales = if scales.is_empty() { vec![1.0] } else { scales };
        tensor.quant = Some(Quant { dtype, scales, zero_point: 0, axis: Some(0) });
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for sequences in [false, true] {
            Case::of(Lstm::new(sequences), &[&[2, 4, 3], &[8, 3], &[8, 2], &[8]]).check();
        }
    }

    #[test]
    fn the_curve_is_the_logistic_function() {
        for (i, &y) in CURVE[..255].iter().enumerate() {
            let exact = 65536.0 / (1.0 + libm::exp(-(i as f64) / 24.0));
            assert!((f64::from(y) - exact).abs() < 1.6, "{i}: {y} {exact}");
        }
    }

    #[test]
    fn clamped_cells_have_no_gradient() {
        let mut graph = crate::Graph::new("clamped");
        let inputs: Vec<_> = [&[1, 2, 3][..], &[8, 3], &[8, 2], &[8]]
            .iter()
            .map(|dims| graph.input("x", dims).unwrap())
            .collect();
        let op = Lstm::F32 { sequences: false, clip: 10.0, cell_bits: 11 };
        let y = graph.apply("y", op, &inputs).unwrap();
        let sum = graph.sum_to("sum", y, &[1]).unwrap();
        let error = crate::autograd::gradients(&mut graph, sum, &inputs[1..2]).unwrap_err().to_string();
        assert!(error.contains("y: lstm has no gradient: its cells are clamped"), "{error}");
    }
}
