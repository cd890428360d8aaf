//! The operators of ONNX that become nodes.

use dunlin::ops::pointwise::Function;

use super::operator::Operator;
use super::ops::{
    conv, dense, einsum, elementwise, logic, movement, norm, pad, parts, pool, recurrent, reduce, resize,
};
use super::{quantized, schema};
use crate::Result;

/// Appends the nodes that compute the outputs of one operator.
pub type Rule = fn(&mut Operator) -> Result<()>;

/// How an operator becomes nodes, if it is known.
pub fn rule(kind: &str) -> Option<Rule> {
    Some(match kind {
        "Conv" => conv::convolution,
        "ConvTranspose" => conv::transposed,
        "MaxPool" => pool::max,
        "AveragePool" => pool::average,
        "GlobalAveragePool" => pool::global_average,
        "GlobalMaxPool" => pool::global_max,
        "Resize" | "Upsample" => resize::import,
        "Gemm" => dense::gemm,
        "MatMul" => dense::matmul,
        "Einsum" => einsum::import,
        "LSTM" => recurrent::lstm,
        "GRU" => recurrent::gru,
        "RNN" => recurrent::rnn,
        "BatchNormalization" => norm::batch,
        "InstanceNormalization" => norm::instance,
        "LayerNormalization" => norm::layer,
        "Softmax" => norm::softmax,
        "LogSoftmax" => norm::log_softmax,
        "ReduceMean" => reduce::mean,
        "ReduceSum" => reduce::sum,
        "ReduceMax" => reduce::max,
        "ReduceMin" => reduce::min,
        "ReduceL1" => reduce::sum_of_distances,
        "ReduceL2" => reduce::norm,
        "ReduceLogSumExp" => reduce::log_of_sum,
        "ReduceSumSquare" => reduce::sum_of_squares,
        "ArgMax" => reduce::arg_max,
        "ArgMin" => reduce::arg_min,
        "CumSum" => reduce::running_sum,
        "Trilu" => movement::triangle,
        "Concat" => parts::concat,
        "Split" => parts::split,
        "Slice" => parts::slice,
        "Gather" => parts::gather,
        "GatherND" => parts::gather_nd,
        "Pad" => pad::pad,
        "Tile" => parts::tile,
        "Reshape" => movement::reshape,
        "Flatten" => movement::flatten,
        "Transpose" => movement::transpose,
        "Squeeze" => movement::squeeze,
        "Unsqueeze" => movement::unsqueeze,
        "Expand" => movement::expand,
        "DepthToSpace" => movement::depth_to_space,
        "SpaceToDepth" => movement::space_to_depth,
        other => return of_elements(other),
    })
}

/// Those that compute each element, or pair of elements, on its own.
fn of_elements(kind: &str) -> Option<Rule> {
    Some(match kind {
        "Identity" | "Dropout" => elementwise::identity,
        "Cast" => elementwise::cast,
        "Relu" => elementwise::relu,
        "Clip" => elementwise::clip,
        "LeakyRelu" => elementwise::leaky_relu,
        "PRelu" => elementwise::prelu,
        "Sigmoid" => elementwise::logistic,
        "Tanh" => elementwise::tanh,
        "HardSwish" => elementwise::hard_swish,
        "HardSigmoid" => elementwise::hard_sigmoid,
        "Elu" => elementwise::elu,
        "Celu" => elementwise::celu,
        "Selu" => elementwise::selu,
        "Gelu" => elementwise::gelu,
        "Mish" => elementwise::mish,
        "Softplus" => elementwise::softplus,
        "Softsign" => elementwise::softsign,
        "Swish" => elementwise::swish,
        "Erf" => |cx| elementwise::function(cx, Function::Erf),
        "Exp" => |cx| elementwise::function(cx, Function::Exp),
        "Log" => |cx| elementwise::function(cx, Function::Ln),
        "Sqrt" => |cx| elementwise::function(cx, Function::Sqrt),
        "Reciprocal" => |cx| elementwise::function(cx, Function::Reciprocal),
        "Abs" => |cx| elementwise::function(cx, Function::Abs),
        "Sign" => |cx| elementwise::function(cx, Function::Sign),
        "Neg" => elementwise::negative,
        "Pow" => elementwise::pow,
        "Add" => elementwise::add,
        "Sub" => elementwise::sub,
        "Mul" => elementwise::mul,
        "Div" => elementwise::div,
        "QuantizeLinear" => quantized::quantize,
        "DequantizeLinear" => quantized::dequantize,
        "Where" => logic::choice,
        "Greater" => logic::greater,
        "GreaterOrEqual" => logic::greater_or_equal,
        "Less" => logic::less,
        "LessOrEqual" => logic::less_or_equal,
        "Equal" => logic::equal,
        "Not" => logic::not,
        "And" => logic::and,
        "Or" => logic::or,
        "Min" => elementwise::minimum,
        "Max" => elementwise::maximum,
        "Sum" => elementwise::sum,
        _ => return None,
    })
}

/// Whether an operator has channels before pixels, whatever stands around it.
fn has_channels(kind: &str) -> bool {
    let names = ["Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"];
    let others = [
        "Resize",
        "Upsample",
        "BatchNormalization",
        "InstanceNormalization",
        "PRelu",
        "DepthToSpace",
        "SpaceToDepth",
    ];
    names.contains(&kind) || others.contains(&kind)
}

/// Whether what first works on dimensions of tensor `name`, or of what follows element by element from it, has channels.
pub fn reads_channels(operators: &[schema::Node], name: &str) -> bool {
    let mut names = vec![name];
    for node in operators {
        let Some(input) = node.input.iter().position(|input| names.contains(&&input[..])) else { continue };
        if has_channels(&node.op_type) && input == 0 {
            return true;
        }
        let keeps = of_elements(&node.op_type).is_some()
            || matches!(
                &node.op_type[..],
                "Pad" | "Concat" | "Slice" | "Split" | "QuantizeLinear" | "DequantizeLinear"
            );
        if keeps {
            names.extend(node.output.iter().map(String::as_str));
        }
    }
    false
}
