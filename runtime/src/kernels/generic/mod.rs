//! Portable kernels: simple, and the specification of every other one.

pub(crate) mod add;
pub(crate) mod arg_max;
pub(crate) mod arithmetic;
pub(crate) mod conv;
pub(crate) mod conv_grad;
pub(crate) mod copy;
pub(crate) mod cross_entropy;
pub(crate) mod depthwise;
pub(crate) mod dot;
pub(crate) mod elementwise;
pub(crate) mod fixed_math;
pub(crate) mod fully_connected;
pub(crate) mod gather;
pub(crate) mod matmul;
pub(crate) mod moments;
pub(crate) mod mul;
pub(crate) mod normalize;
pub(crate) mod pool;
pub(crate) mod pool_grad;
pub(crate) mod reduce;
pub(crate) mod requantize;
pub(crate) mod resize;
pub(crate) mod softmax;
pub(crate) mod table;
pub(crate) mod tile;
pub(crate) mod update;
