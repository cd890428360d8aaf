//! The host's half of every operator, a file each, named as in the runtime: gradient rule, quantization
//! rule, lowering to device form.
//!
//! The runtime's list of operators is the only one: it makes the [`Op`] enum and the modules below, so an
//! operator that lacks its file or its [`HostOperator`] does not compile.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::window::Window;
use dunlin::ops::{OpCode, Operator, Order};
use dunlin::{DType, TensorType};

pub use crate::autograd::Backward;
use crate::export::tflite::Writer;
use crate::import::tflite;
use crate::lower::Lowering;
use crate::pack::{Forms, Layers};
use crate::{Error, Graph, Node, Quant, Result, TensorId};

/// What the host knows of an operator beyond the runtime's [`Operator`].
pub trait HostOperator: Operator + Into<Op> {
    /// The operators of TensorFlow Lite that are imported as this one.
    const TFLITE: &'static [tflite::Rule] = &[];

    /// Appends the backward nodes and returns the gradient of each input, `None` where it is zero or not
    /// wanted. Called with at least one output gradient.
    ///
    /// # Errors
    /// If the operator (or this form of it) has no gradient.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>>;

    /// How outputs are stored when the graph is quantized to int8.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Calibrated
    }

    /// What input `i` is to quantization.
    fn input_role(&self, _i: usize) -> InputRole {
        InputRole::Activation
    }

    /// The operator with `bounds` fused, if it can take them and has none.
    fn with_bounds(&self, _bounds: Bounds) -> Option<Op> {
        None
    }

    /// Types of the outputs in real form. Only operators that convert between dtypes differ there.
    ///
    /// # Errors
    /// As [`Operator::infer`].
    fn infer_real(&self, inputs: &[TensorType]) -> Result<dunlin::ops::Outputs, dunlin::Error> {
        self.infer(inputs)
    }

    /// What can take the place of a node, in device form, on the cores that it is packed for.
    fn pack(&self, _layers: &Layers, _node: &Node) -> Forms {
        Forms::default()
    }

    /// How the channels of the output come from those of the inputs, the first of which has `rank` dimensions, in int8
    /// and device form.
    fn channels(&self, _rank: usize) -> Channels {
        Channels::Opaque
    }

    /// Emits the device form of a node whose output is stored as int8 into `cx`. The default serves
    /// operators whose parameters do not depend on scales: the same node on the stored tensors.
    ///
    /// # Errors
    /// If the quantization given is one that the device does not compute.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let inputs: Vec<TensorId> = node.inputs.iter().map(|&id| cx.stored(id)).collect::<Result<_>>()?;
        cx.emit(node, *self, &inputs)
    }

    /// Appends the operators of TensorFlow Lite that compute a node to `cx`.
    ///
    /// # Errors
    /// If there are none: the default, for operators that only training needs.
    fn export_tflite(&self, _cx: &mut Writer, node: &Node) -> Result<()> {
        let what = format!(
            "TensorFlow Lite has no {}: export a network for inference (Network::inference_graph), \
             not a training step",
            Self::CODE.name()
        );
        Err(Error::graph(&node.name, what))
    }
}

/// How an int8 output is quantized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputQuant {
    /// From the range observed on calibration data.
    Calibrated,
    /// As input `i` is.
    SameAs(usize),
    /// By definition, whatever the data.
    Fixed {
        /// Real step.
        scale: f32,
        /// Stored number for 0.0.
        zero_point: i32,
    },
    /// Not quantized.
    Real,
}

/// How channels (indices along the last dimension) of an int8 operator's output come from those of its inputs: what
/// [`dead_channels`](crate::dead_channels) proves and removes follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Channels {
    /// Nothing is known: any number may come out, and every channel is read.
    Opaque,
    /// A layer: requantized sums over all channels of input 0, with weights `[c_out, .., c_in]` and a table `[c_out, 3]`.
    Sums(Layer),
    /// A layer whose channel `c` sums over channel `c / multiplier` of input 0 alone, with weights `[.., c_out]`.
    SumsOfOne(Layer),
    /// Every number is a function of the numbers at its place in the first `operands` inputs, which are one or two and
    /// broadcast; of the second one, for any number of the first, a monotone function.
    Elementwise {
        /// How many inputs are operands.
        operands: usize,
    },
    /// Channel `c` comes from channel `c` of the one input, and no number falls when one of the input rises.
    Same,
    /// The channels of all inputs one behind another.
    Joined,
    /// The same numbers in another shape, in which channel `c` comes from channel `c % c_in` of the input if that has not
    /// more.
    Reshaped,
    /// No number falls when one of an input rises, but channels are mixed.
    Mixed,
}

/// What follows from a layer's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// Whether its window reaches beyond the image, where the zero point stands.
    pub padded: bool,
    /// Least and greatest output.
    pub bounds: (i8, i8),
}

impl Layer {
    /// The layer with this window, if it has one.
    pub(crate) fn new(window: Option<Window>, bounds: Bounds) -> Layer {
        Layer { padded: window.is_some_and(|window| window.pads != [0; 4]), bounds: bounds.i8() }
    }
}

/// What an input is to quantization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputRole {
    /// Quantized per tensor, from calibration.
    Activation,
    /// A constant, symmetric, one scale for each index along `axis`.
    Weights {
        /// The dimension of the output channels.
        axis: usize,
    },
    /// A constant of i32 at scale (activation × weights).
    Bias,
    /// Constant real numbers that training changes; lowering stores them.
    Parameter,
    /// Whole numbers, which are stored as i32.
    Index,
    /// Left as it is.
    Real,
}

mod recurrent;
mod resized;
mod sums;
#[cfg(test)]
pub(crate) mod testing;

macro_rules! declare {
    ($($code:literal $module:ident $Op:ident [$($dtype:ty)*];)*) => {
        $(pub mod $module;)*

        /// An operator with its parameters.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Op { $($Op(dunlin::ops::$Op)),* }

        $(impl From<dunlin::ops::$Op> for Op {
            fn from(op: dunlin::ops::$Op) -> Op {
                Op::$Op(op)
            }
        })*

        /// Evaluates `$body` with `$p` bound to the parameters, whichever operator it is.
        macro_rules! each {
            ($op:expr, $p:ident => $body:expr) => {
                match $op { $(Op::$Op($p) => $body),* }
            };
        }

        /// How operators of TensorFlow Lite are imported, of all operators.
        pub fn tflite_rules() -> impl Iterator<Item = &'static tflite::Rule> {
            [$(<dunlin::ops::$Op as HostOperator>::TFLITE),*].into_iter().flatten()
        }
    };
}
dunlin::for_each_operator!(declare);

impl Op {
    /// The operator's number.
    pub fn code(&self) -> OpCode {
        fn code<O: Operator>(_: &O) -> OpCode {
            O::CODE
        }
        each!(self, p => code(p))
    }

    /// The operator's name.
    pub fn name(&self) -> &'static str {
        self.code().name()
    }

    /// The name as reports give it: that of a table says what it was made of, `table (logistic)`, if that was one operator.
    pub fn title(&self) -> String {
        let name = self.name();
        let made_of = match self {
            Op::Table(table) => OpCode::from_code(table.of).filter(|&code| code != OpCode::Table),
            _ => None,
        };
        made_of.map_or_else(|| name.to_string(), |code| format!("{name} ({})", code.name()))
    }

    /// Types of the outputs, in real form for f32 inputs, in device form for others.
    ///
    /// # Errors
    /// As [`Operator::infer`].
    pub fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, dunlin::Error> {
        each!(self, p => p.infer_real(inputs)).map(|types| types.to_vec())
    }

    /// Types of the outputs on the device.
    ///
    /// # Errors
    /// As [`Operator::infer`].
    pub fn infer_device(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, dunlin::Error> {
        each!(self, p => p.infer(inputs)).map(|types| types.to_vec())
    }

    /// See [`Operator::order`].
    pub fn order(&self, inputs: &[TensorType]) -> Order {
        each!(self, p => p.order(inputs))
    }

    /// See [`Operator::rows`].
    pub fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> std::ops::Range<usize> {
        each!(self, p => p.rows(input, inputs, y))
    }

    /// See [`Operator::by_rows`].
    pub fn by_rows(&self, inputs: &[TensorType]) -> u16 {
        each!(self, p => p.by_rows(inputs))
    }

    /// See [`Operator::in_place`].
    pub fn in_place(&self, inputs: &[TensorType]) -> u8 {
        each!(self, p => p.in_place(inputs))
    }

    /// See [`Operator::scratch_bytes`].
    pub fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        each!(self, p => p.scratch_bytes(inputs))
    }

    /// See [`Operator::macs`].
    pub fn macs(&self, inputs: &[TensorType]) -> u64 {
        each!(self, p => p.macs(inputs))
    }

    /// The parameters as the file stores them.
    pub fn params(&self) -> Vec<u8> {
        each!(self, p => postcard::to_stdvec(p)).expect("parameters are plain numbers")
    }

    /// The operator of a step in a file.
    ///
    /// # Errors
    /// If the number is unknown or the parameters are not the operator's.
    pub fn decode(code: u8, params: &[u8]) -> Result<Op, dunlin::Error> {
        decode(code, params)
    }

    /// See [`HostOperator::gradient`].
    pub(crate) fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        each!(self, p => p.gradient(cx))
    }

    /// See [`HostOperator::output_quant`].
    pub fn output_quant(&self) -> OutputQuant {
        each!(self, p => p.output_quant())
    }

    /// See [`HostOperator::input_role`].
    pub fn input_role(&self, i: usize) -> InputRole {
        each!(self, p => p.input_role(i))
    }

    /// See [`HostOperator::channels`].
    pub fn channels(&self, rank: usize) -> Channels {
        each!(self, p => p.channels(rank))
    }

    /// See [`HostOperator::with_bounds`].
    pub fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        each!(self, p => p.with_bounds(bounds))
    }

    /// See [`HostOperator::pack`].
    pub(crate) fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        each!(self, p => p.pack(layers, node))
    }

    /// See [`HostOperator::lower_i8`].
    pub(crate) fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        each!(self, p => p.lower_i8(cx, node))
    }

    /// See [`HostOperator::export_tflite`].
    pub(crate) fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        each!(self, p => p.export_tflite(cx, node))
    }
}

macro_rules! decoder {
    ($($code:literal $module:ident $Op:ident [$($dtype:ty)*];)*) => {
        fn decode(code: u8, params: &[u8]) -> Result<Op, dunlin::Error> {
            let wrong = |_| dunlin::Error::Parameters;
            match code {
                $($code => postcard::from_bytes::<dunlin::ops::$Op>(params).map(Op::$Op).map_err(wrong),)*
                _ => Err(dunlin::Error::OperatorMissing),
            }
        }
    };
}
dunlin::for_each_operator!(decoder);

/// The quantization of a tensor stored as int8.
///
/// # Errors
/// If it has none or another.
pub(crate) fn i8_quant<'g>(graph: &'g Graph, node: &Node, id: TensorId) -> Result<&'g Quant> {
    let tensor = &graph[id];
    tensor.quant.as_ref().filter(|q| q.dtype == DType::I8).ok_or_else(|| {
        let what = format!("{} is in int8, but `{}` is not", node.op.name(), tensor.name);
        let advice = "quantize the whole network to int8, or keep all of it in float32";
        Error::graph(&node.name, format!("{what}: {advice}"))
    })
}
