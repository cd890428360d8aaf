//! Operators: parameters, shape rule and the loop over rows, a file each. Arithmetic is in `kernels`.
//!
//! To add one: a file here, a file of the same name in the converter's `ops`, a line in the list below.

use core::ops::Range;

use heapless::Vec;
use serde::{Serialize, de::DeserializeOwned};

use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Element, Error, TensorType};

pub use crate::kernels::requantize::{Factor, SCALED_SHIFT};

pub mod bounds;
mod broadcast;
mod elementwise;
mod gather;
pub mod pooling;
mod recurrent;
pub mod resize;
#[cfg(test)]
mod testing;
pub mod window;

/// Calls `$then!` with every operator: its number in the file, its module, its type, and the dtypes that it
/// computes in. Numbers are never reused.
#[macro_export]
macro_rules! for_each_operator {
    ($then:ident) => {
        $then! {
            0 conv2d Conv2d [f32 i8];
            1 depthwise_conv2d DepthwiseConv2d [f32 i8];
            2 fully_connected FullyConnected [f32 i8];
            3 average_pool2d AveragePool2d [f32 i8];
            4 max_pool2d MaxPool2d [f32 i8];
            5 mean Mean [f32 i8];
            6 add Add [f32 i8];
            7 mul Mul [f32 i8];
            8 pad Pad [f32 i8];
            9 concat Concat [f32 i8];
            10 reshape Reshape [f32 i8];
            11 softmax Softmax [f32 i8];
            12 clamp Clamp [f32 i8];
            13 logistic Logistic [f32];
            14 tanh Tanh [f32];
            15 quantize Quantize [f32 i8];
            16 dequantize Dequantize [i8];
            17 hard_swish HardSwish [f32];
            18 batch_norm BatchNorm [f32];
            19 sub Sub [f32 i8];
            20 transpose Transpose [f32 i8];
            21 minimum Minimum [f32 i8];
            22 maximum Maximum [f32 i8];
            23 arg_max ArgMax [f32 i8];
            24 leaky_relu LeakyRelu [f32];
            25 prelu Prelu [f32 i8];
            26 resize_nearest ResizeNearest [f32 i8];
            27 resize_bilinear ResizeBilinear [f32 i8];
            28 gru Gru [f32 i8];
            29 layer_norm LayerNorm [f32 i8];
            30 pointwise Pointwise [f32];
            31 embedding Embedding [f32 i8];
            32 transpose_conv2d TransposeConv2d [f32 i8];
            33 lstm Lstm [f32 i8];
            34 squared_difference SquaredDifference [f32 i8];
            35 sum Sum [f32];
            36 l2_normalize L2Normalize [f32 i8];
            64 moments Moments [f32];
            65 batch_norm_grad BatchNormGrad [f32];
            66 conv2d_input_grad Conv2dInputGrad [f32];
            67 conv2d_weights_grad Conv2dWeightsGrad [f32];
            68 depthwise_conv2d_input_grad DepthwiseConv2dInputGrad [f32];
            69 depthwise_conv2d_weights_grad DepthwiseConv2dWeightsGrad [f32];
            70 average_pool2d_grad AveragePool2dGrad [f32];
            71 max_pool2d_grad MaxPool2dGrad [f32];
            72 clamp_grad ClampGrad [f32];
            73 matmul MatMul [f32 i8];
            74 slice Slice [f32 i8];
            75 softmax_cross_entropy SoftmaxCrossEntropy [f32];
            76 sgd Sgd [f32];
            77 adam Adam [f32];
            78 batch_norm_train BatchNormTrain [f32];
            79 batch_norm_train_grad BatchNormTrainGrad [f32];
            80 gru_grad GruGrad [f32];
            81 embedding_grad EmbeddingGrad [f32];
            82 lstm_grad LstmGrad [f32];
            90 straight_through StraightThrough [f32];
            91 straight_through_grad StraightThroughGrad [f32];
            128 depthwise_records DepthwiseRecords [i8];
            129 conv_pairs ConvPairs [i8];
            130 conv_winograd ConvWinograd [i8];
            131 weighted_sum WeightedSum [i8];
            132 conv_vectors ConvVectors [i8];
            133 depthwise_vectors DepthwiseVectors [i8];
            134 table Table [i8];
        }
    };
}

macro_rules! declare {
    ($($code:literal $module:ident $Op:ident [$($dtype:ty)*];)*) => {
        $(pub mod $module;)*
        $(pub use $module::$Op;)*

        /// Number of an operator in the file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum OpCode { $($Op = $code),* }

        impl OpCode {
            /// Every operator, in the order of the list.
            pub const ALL: &[OpCode] = &[$(OpCode::$Op),*];

            /// The module's name, as in reports: `conv2d`.
            pub const fn name(self) -> &'static str {
                match self { $(OpCode::$Op => stringify!($module)),* }
            }

            /// The type's name, as in the table of operators that the converter writes: `Conv2d`.
            pub const fn type_name(self) -> &'static str {
                match self { $(OpCode::$Op => stringify!($Op)),* }
            }
        }

        /// Every operator in every dtype: for hosts and test firmware. A product links the table that the
        /// converter writes beside its model.
        pub static ALL: &[Entry] = &[$($(Entry::of::<$Op, $dtype>()),*),*];
    };
}
for_each_operator!(declare);

impl OpCode {
    /// The operator with that number in the file.
    pub fn from_code(code: u8) -> Option<OpCode> {
        Self::ALL.iter().copied().find(|&op| op as u8 == code)
    }
}

/// The most inputs that an operator has; the converter splits wider concatenations.
pub const MAX_INPUTS: usize = 8;
/// The most outputs that an operator has.
pub const MAX_OUTPUTS: usize = 4;

/// Bit of the first output in [`Operator::by_rows`]; bit `i` is input `i`.
pub const OUTPUT: u16 = 1 << MAX_INPUTS;

/// Types of an operator's outputs.
pub type Outputs = Vec<TensorType, MAX_OUTPUTS>;

/// Types of an operator's inputs.
pub(crate) type InputTypes = Vec<TensorType, MAX_INPUTS>;

/// In which order an operator can work; the number is the one in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Order {
    /// Output rows, each from the input rows that [`Operator::rows`] names, statelessly and in any order.
    Rows,
    /// Input rows, each once and in order: the first begins, the last finishes the output. The accumulators
    /// are scratch that lives from the first to the last. One that does not take its input by rows
    /// ([`Operator::by_rows`]) may write the output at any time, and is called once for all rows.
    Reduction,
}

/// An operator's parameters with everything that follows from them and the inputs' types: what host and
/// device must agree on. The record in the file is the postcard encoding of `Self`.
pub trait Operator: Copy + core::fmt::Debug + PartialEq + Serialize + DeserializeOwned {
    /// The operator's number.
    const CODE: OpCode;

    /// Types of the outputs: the one shape rule. Also the place to refuse parameters and dtypes.
    ///
    /// # Errors
    /// [`Error::Arity`], [`Error::DType`], [`Error::Shape`] or [`Error::Parameters`].
    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error>;

    /// Whether rows of the output or of the input are counted.
    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Rows
    }

    /// Rows of input `input` that row `y` of the output reads (or that step `y` of a reduction adds).
    /// Monotone in `y`.
    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize>;

    /// The tensors that are read and written row by row, as a bit set of inputs and [`OUTPUT`]: their rows may
    /// lie anywhere in the arena. All others are in one piece.
    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        0
    }

    /// The inputs on whose bytes the first output may be written, as a bit set: each has the output's size
    /// and every row is read before the same row is written.
    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        0
    }

    /// Bytes of memory that the operator needs while it runs, aligned to 4.
    fn scratch_bytes(&self, _inputs: &[TensorType]) -> usize {
        0
    }

    /// Multiply-accumulates of one run; 0 for operators that are not counted in MACs.
    fn macs(&self, _inputs: &[TensorType]) -> u64 {
        0
    }
}

/// An operator in one dtype.
pub trait Run<D: Element>: Operator {
    /// What the arithmetic asks beyond the shape rule: ranges of constants, equal zero points.
    ///
    /// # Errors
    /// [`Error::Parameters`] as a rule.
    fn check(&self, _node: &Node, _mem: &Memory) -> Result<(), Error> {
        Ok(())
    }

    /// Computes `rows` of the output (of the input for a reduction), one after the other: a row may stand where
    /// an earlier one has read for the last time.
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>);
}

/// What a step needs from the plan.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Bytes of scratch memory.
    pub scratch_bytes: usize,
    /// Inputs that the first output may replace, as a bit set.
    pub in_place: u8,
    /// Tensors that are taken by rows, as a bit set.
    pub by_rows: u16,
    /// What is counted in rows.
    pub order: Order,
}

/// What some rows of a step read of an input.
pub(crate) struct Reads {
    /// The step's rows.
    pub by: Range<usize>,
    /// From the first row that the first reads to the last that the last reads.
    pub rows: Range<usize>,
    /// The first row that the next one reads; nothing is meant behind the last.
    pub next: usize,
    /// Whether the first output may be written on the input.
    pub in_place: bool,
}

/// A row of the operator table: one operator in one dtype, so that the linker keeps only what a model names.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The operator.
    pub code: OpCode,
    /// The dtype that it computes in.
    pub dtype: DType,
    /// Checks a step once, before it ever runs.
    pub(crate) check: fn(&Node) -> Result<Needs, Error>,
    /// Tells what rows of a step that has passed `check` read of an input, so many rows at a time.
    pub(crate) reads: TellReads,
    /// Runs rows of a checked step.
    pub(crate) run: fn(&Node, &Memory, Range<usize>),
}

impl Entry {
    /// The entry of operator `O` in dtype `D`.
    pub const fn of<O: Run<D>, D: Element>() -> Entry {
        Entry { code: O::CODE, dtype: D::DTYPE, check: check::<O, D>, reads: reads::<O>, run: run::<O, D> }
    }
}

/// Appends the types of a node's inputs. (Returned, they would be copied: 200 bytes of stack.)
pub(crate) fn input_types(node: &Node, types: &mut InputTypes) {
    // The check has refused more than fit; `collect` would bring a panic.
    while types.len() < node.n_inputs() && types.push(node.input(types.len()).ty).is_ok() {}
}

fn check<O: Run<D>, D: Element>(node: &Node) -> Result<Needs, Error> {
    let op: O = node.params()?;
    let mut inputs = InputTypes::new();
    input_types(node, &mut inputs);
    check_types(node, &inputs, &op.infer(&inputs)?, D::DTYPE)?;
    op.check(node, &node.constants())?;
    Ok(Needs {
        scratch_bytes: op.scratch_bytes(&inputs),
        in_place: op.in_place(&inputs),
        by_rows: op.by_rows(&inputs),
        order: op.order(&inputs),
    })
}

/// See [`Entry::reads`]: the node, its input, rows, how many at a time, and who takes it.
pub(crate) type TellReads = fn(&Node, usize, Range<usize>, usize, &mut Visit) -> Result<(), Error>;

/// Takes what some rows read. An error ends the visits.
pub(crate) type Visit<'a> = dyn FnMut(Reads) -> Result<(), Error> + 'a;

fn reads<O: Operator>(
    node: &Node,
    input: usize,
    rows: Range<usize>,
    at_once: usize,
    visit: &mut Visit,
) -> Result<(), Error> {
    let mut inputs = InputTypes::new();
    input_types(node, &mut inputs);
    let op: O = node.params()?;
    let in_place = op.in_place(&inputs) & (1 << input) != 0;
    tell(&|y| op.rows(input, &inputs, y), in_place, rows, at_once, visit)
}

/// The part of [`reads`] that is the same for all operators: once in flash.
#[inline(never)]
fn tell(
    rows_of: &dyn Fn(usize) -> Range<usize>,
    in_place: bool,
    rows: Range<usize>,
    at_once: usize,
    visit: &mut Visit,
) -> Result<(), Error> {
    let (mut y, mut first) = (rows.start, rows_of(rows.start));
    while y < rows.end {
        let by = y..rows.end.min(y + at_once);
        let end = if by.len() == 1 { first.end } else { rows_of(by.end - 1).end };
        let next = rows_of(by.end);
        y = by.end;
        visit(Reads { by, rows: first.start..end, next: next.start, in_place })?;
        first = next;
    }
    Ok(())
}

/// The part of [`check`] that is the same for all operators: once in flash.
#[inline(never)]
fn check_types(
    node: &Node,
    inputs: &[TensorType],
    outputs: &[TensorType],
    dtype: DType,
) -> Result<(), Error> {
    if inputs.len() != node.n_inputs() || outputs.len() != node.n_outputs() {
        return Err(Error::Arity);
    }
    for (i, ty) in outputs.iter().enumerate() {
        if node.output(i).ty != *ty {
            return Err(Error::Shape);
        }
    }
    let computes = |ty: &TensorType| ty.dtype == dtype;
    let in_dtype = inputs.first().is_some_and(computes) || outputs.first().is_some_and(computes);
    if in_dtype { Ok(()) } else { Err(Error::DType) }
}

fn run<O: Run<D>, D: Element>(node: &Node, mem: &Memory, rows: Range<usize>) {
    // The check has decoded these very bytes.
    if let Ok(op) = node.params::<O>() {
        op.run(node, mem, rows);
    }
}

/// The one output of most operators.
pub(crate) fn one(ty: TensorType) -> Result<Outputs, Error> {
    let mut outputs = Outputs::new();
    outputs.push(ty).map_err(|_| Error::Arity)?;
    Ok(outputs)
}

/// What operators ask that copy or select stored integers: all inputs have the first output's zero point.
pub(crate) fn check_same_zero_points(node: &Node) -> Result<(), Error> {
    let zero_point = node.output(0).zero_point();
    let same = (0..node.n_inputs()).all(|i| node.input(i).zero_point() == zero_point);
    if same { Ok(()) } else { Err(Error::Parameters) }
}
