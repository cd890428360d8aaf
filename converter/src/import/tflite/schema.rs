//! Numbers of the TensorFlow Lite schema, version 3 (`tensorflow/lite/schema/schema.fbs` of TensorFlow): the
//! fields of each table in their order, and the enumerations.

/// The file identifier, at byte 4.
pub const IDENTIFIER: &[u8; 4] = b"TFL3";

/// The version that the root table must have.
pub const VERSION: u32 = 3;

/// The name of the buffer that holds TensorFlow Lite Metadata, a FlatBuffer of its own
/// (`tensorflow_lite_support/metadata/metadata_schema.fbs` of TensorFlow Lite Support).
pub const METADATA: &str = "TFLITE_METADATA";

/// Its file identifier.
pub const METADATA_IDENTIFIER: &[u8; 4] = b"M001";

/// The type of an associated file with a label a line, one for each index along an axis.
pub const AXIS_LABELS: i8 = 2;

macro_rules! fields {
    ($($(#[$doc:meta])* $table:ident { $($field:ident = $number:literal)* })*) => {$(
        $(#[$doc])*
        #[allow(missing_docs)]
        pub mod $table {
            $(pub const $field: u16 = $number;)*
        }
    )*};
}

fields! {
    /// Root table.
    model { VERSION = 0 OPERATOR_CODES = 1 SUBGRAPHS = 2 BUFFERS = 4 METADATA = 6 }
    /// Which operator; the first field could count to 127 only.
    operator_code { DEPRECATED_CODE = 0 CUSTOM_CODE = 1 VERSION = 2 CODE = 3 }
    /// A graph.
    subgraph { TENSORS = 0 INPUTS = 1 OUTPUTS = 2 OPERATORS = 3 NAME = 4 }
    /// A tensor.
    tensor { SHAPE = 0 TYPE = 1 BUFFER = 2 NAME = 3 QUANTIZATION = 4 IS_VARIABLE = 5 SPARSITY = 6 SHAPE_SIGNATURE = 7 HAS_RANK = 8 }
    /// Scales and zero points.
    quantization { SCALE = 2 ZERO_POINT = 3 DIMENSION = 6 }
    /// An operator of a graph.
    operator { CODE_INDEX = 0 INPUTS = 1 OUTPUTS = 2 OPTIONS_TYPE = 3 OPTIONS = 4 }
    /// Bytes; beyond 2 GB, by their place in the file.
    buffer { DATA = 0 OFFSET = 1 SIZE = 2 }
    /// A named buffer.
    metadata { NAME = 0 BUFFER = 1 }
    /// Root table of TensorFlow Lite Metadata; see [`METADATA`].
    model_metadata { NAME = 0 SUBGRAPHS = 3 MIN_PARSER_VERSION = 7 }
    /// What it says of a graph.
    subgraph_metadata { INPUTS = 2 OUTPUTS = 3 }
    /// What it says of an input or output.
    tensor_metadata { NAME = 0 FILES = 6 }
    /// A file in the archive behind the model.
    associated_file { NAME = 0 TYPE = 2 LOCALE = 3 }
    /// Options of CONV_2D.
    conv2d { PADDING = 0 STRIDE_W = 1 STRIDE_H = 2 ACTIVATION = 3 DILATION_W = 4 DILATION_H = 5 }
    /// Options of DEPTHWISE_CONV_2D.
    depthwise_conv2d {
        PADDING = 0 STRIDE_W = 1 STRIDE_H = 2 MULTIPLIER = 3 ACTIVATION = 4 DILATION_W = 5 DILATION_H = 6
    }
    /// Options of FULLY_CONNECTED.
    fully_connected { ACTIVATION = 0 WEIGHTS_FORMAT = 1 KEEP_NUM_DIMS = 2 }
    /// Options of AVERAGE_POOL_2D and MAX_POOL_2D.
    pool2d { PADDING = 0 STRIDE_W = 1 STRIDE_H = 2 FILTER_W = 3 FILTER_H = 4 ACTIVATION = 5 }
    /// Options of SOFTMAX.
    softmax { BETA = 0 }
    /// Options of ADD, SUB, MUL and L2_NORMALIZATION.
    arithmetic { ACTIVATION = 0 }
    /// Options of CONCATENATION.
    concatenation { AXIS = 0 ACTIVATION = 1 }
    /// Options of RESHAPE.
    reshape { NEW_SHAPE = 0 }
    /// Options of ARG_MAX and ARG_MIN.
    arg_max { OUTPUT_TYPE = 0 }
    /// Options of MEAN and the other reductions.
    reducer { KEEP_DIMS = 0 }
    /// Options of PACK.
    pack { COUNT = 0 AXIS = 1 }
    /// Options of UNPACK.
    unpack { COUNT = 0 AXIS = 1 }
    /// Options of MIRROR_PAD: 0 leaves the border out, 1 repeats it.
    mirror_pad { MODE = 0 }
    /// Options of DEPTH_TO_SPACE and SPACE_TO_DEPTH.
    block { SIZE = 0 }
    /// Options of GELU.
    gelu { APPROXIMATE = 0 }
    /// Options of LEAKY_RELU.
    leaky_relu { ALPHA = 0 }
    /// Options of RESIZE_BILINEAR.
    resize_bilinear { ALIGN_CORNERS = 2 HALF_PIXEL_CENTERS = 3 }
    /// Options of RESIZE_NEAREST_NEIGHBOR.
    resize_nearest { ALIGN_CORNERS = 0 HALF_PIXEL_CENTERS = 1 }
    /// Options of BATCH_MATMUL.
    batch_matmul { TRANSPOSE_A = 0 TRANSPOSE_B = 1 }
    /// Options of TRANSPOSE_CONV.
    transpose_conv { PADDING = 0 STRIDE_W = 1 STRIDE_H = 2 ACTIVATION = 3 }
    /// Options of GATHER.
    gather { AXIS = 0 BATCH_DIMS = 1 }
    /// Options of UNIDIRECTIONAL_SEQUENCE_LSTM.
    lstm { ACTIVATION = 0 CELL_CLIP = 1 PROJECTION_CLIP = 2 TIME_MAJOR = 3 }
    /// Options of STRIDED_SLICE.
    strided_slice {
        BEGIN_MASK = 0 END_MASK = 1 ELLIPSIS_MASK = 2 NEW_AXIS_MASK = 3 SHRINK_AXIS_MASK = 4 OFFSET = 5
    }
}

/// Numbers of the types of options (`BuiltinOptions`).
#[allow(missing_docs)]
pub mod options {
    pub const CONV_2D: u8 = 1;
    pub const DEPTHWISE_CONV_2D: u8 = 2;
    pub const POOL_2D: u8 = 5;
    pub const FULLY_CONNECTED: u8 = 8;
    pub const SOFTMAX: u8 = 9;
    pub const CONCATENATION: u8 = 10;
    pub const ADD: u8 = 11;
    pub const L2_NORMALIZATION: u8 = 12;
    pub const RESIZE_BILINEAR: u8 = 15;
    pub const RESHAPE: u8 = 17;
    pub const MUL: u8 = 21;
    pub const REDUCER: u8 = 27;
    pub const SUB: u8 = 28;
    pub const STRIDED_SLICE: u8 = 32;
    pub const GATHER: u8 = 23;
    pub const ARG_MAX: u8 = 40;
    pub const TRANSPOSE_CONV: u8 = 49;
    pub const RESIZE_NEAREST: u8 = 74;
    pub const LEAKY_RELU: u8 = 75;
    pub const SQUARED_DIFFERENCE: u8 = 76;
    pub const BATCH_MATMUL: u8 = 101;
}

/// Element types.
#[allow(missing_docs)]
pub mod element {
    pub const F32: i8 = 0;
    pub const F16: i8 = 1;
    pub const I32: i8 = 2;
    pub const U8: i8 = 3;
    pub const I64: i8 = 4;
    pub const I16: i8 = 7;
    pub const I8: i8 = 9;
}

/// Names of the element types, by number.
pub const ELEMENTS: [&str; 18] = [
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
];

/// Padding rules.
#[allow(missing_docs)]
pub mod padding {
    pub const SAME: i8 = 0;
    pub const VALID: i8 = 1;
}

/// Fused activations.
#[allow(missing_docs)]
pub mod activation {
    pub const NONE: i8 = 0;
    pub const RELU: i8 = 1;
    pub const RELU_N1_TO_1: i8 = 2;
    pub const RELU6: i8 = 3;
    pub const TANH: i8 = 4;
}

/// The operator that is named by its custom code.
pub const CUSTOM: &str = "CUSTOM";

/// Names of the operators, by number.
#[rustfmt::skip]
pub const OPERATORS: &[&str] = &[
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
    "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
    "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH",
    "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN",
    "SUB", "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP", "TOPK_V2", "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU",
    "MAXIMUM", "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL",
    "SELECT", "SLICE", "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL",
    "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD",
    "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN",
    "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD", "RANGE",
    "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS", "SPLIT_V", "UNIQUE",
    "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU", "REVERSE_SEQUENCE",
    "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
    "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM",
    "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D",
    "CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE", "REDUCE_ALL", "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE",
    "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL", "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU",
    "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX",
    "UNSORTED_SEGMENT_SUM", "ATAN2", "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT",
];
