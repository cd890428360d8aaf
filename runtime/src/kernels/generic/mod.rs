//! Portable kernels: simple, and the specification of every other one.

pub(crate) mod add;
pub(crate) mod arg_max;
pub(crate) mod arithmetic;
pub(crate) mod conv;
pub(crate) mod conv_grad;
pub(crate) mod conv_pairs;
pub(crate) mod conv_vectors;
pub(crate) mod conv_winograd;
pub(crate) mod copy;
pub(crate) mod cross_entropy;
pub(crate) mod depthwise;
// Of cores that multiply one pair of numbers at a time, or that have vectors for some layers alone.
#[cfg_attr(any(dunlin_dsp, not(target_os = "none")), allow(dead_code))]
pub(crate) mod depthwise_fours;
pub(crate) mod depthwise_records;
pub(crate) mod depthwise_vectors;
pub(crate) mod dot;
pub(crate) mod elementwise;
pub(crate) mod fixed_math;
pub(crate) mod fully_connected;
pub(crate) mod gates;
pub(crate) mod gather;
pub(crate) mod gru;
pub(crate) mod l2_normalize;
pub(crate) mod layer_norm;
pub(crate) mod lstm;
pub(crate) mod matmul;
pub(crate) mod moments;
pub(crate) mod mul;
pub(crate) mod normalize;
pub(crate) mod pool;
pub(crate) mod pool_grad;
pub(crate) mod reduce;
pub(crate) mod requantize;
pub(crate) mod resize;
pub(crate) mod rounding;
pub(crate) mod softmax;
pub(crate) mod squared_difference;
pub(crate) mod table;
pub(crate) mod tile;
pub(crate) mod transpose_conv;
pub(crate) mod update;
pub(crate) mod weighted_sum;
