"""fully_connected: input [n, c_in], weights [c_out, c_in], bias [c_out]."""

import golden
import oracle
import weighted
from golden import Output
from oracle import schema
from weighted import Quantization

OP = "fully_connected"


def twin(attrs, x, weights, bias):
    """The f32 product with the transposed weights."""
    return oracle.activate(attrs["activation"], oracle.run_onnx("Gemm", x, weights, bias, transB=1))


def dense(name, n, n_in, n_out, activation="none", q=None, output=None, f32=True):
    """The int8 case and, with `f32`, the f32 case of one layer."""
    attrs = {"activation": activation}
    options = schema.FullyConnectedOptionsT(
        fusedActivationFunction=oracle.activation_code(activation)
    )
    shapes = (n, n_in), (n_out, n_in), 0
    inputs = weighted.int8_inputs(golden.rng(OP, name), *shapes, q or Quantization())
    yield golden.int8_case(name, attrs, inputs, twin, ("FULLY_CONNECTED", options), output)
    if f32:
        inputs = weighted.f32_inputs(golden.rng(OP, name), *shapes)
        yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    yield from dense("in8_out4", 1, 8, 4)
    yield from dense("in1_out1_batch7", 7, 1, 1)
    yield from dense("in17_out5", 1, 17, 5)
    yield from dense("in33_out10_batch2", 2, 33, 10)
    yield from dense("in3_out17_batch5", 5, 3, 17)
    yield from dense("in130_out5", 1, 130, 5)
    yield from dense("relu", 2, 12, 9, "relu")
    yield from dense("relu6", 2, 12, 9, "relu6")
    yield from dense(
        "relu6_in_a_wider_range", 4, 12, 9, "relu6", output=Output(0.0513, -20), f32=False
    )

    def int8(name, q, output=None, n_in=19):
        return dense(name, 4, n_in, 7, q=q, output=output, f32=False)

    yield from int8("per_tensor", Quantization(per_channel=False))
    yield from int8("per_tensor_in130", Quantization(per_channel=False), n_in=130)
    yield from int8("zero_points_min", Quantization(-128), Output(zero_point=-128))
    yield from int8("zero_points_max", Quantization(127), Output(zero_point=127))
    yield from int8("zero_points_0", Quantization(0), Output(zero_point=0))
    yield from int8("saturates_both_ends", Quantization(), Output(gain=4))
    yield from int8("multiplier_above_1", Quantization(0, amplitude=3, weight_amplitude=3))
    yield from int8("multiplier_shift_below_minus_20", Quantization(bias_amplitude=1 << 29))
    yield from int8("zero_bias", Quantization(bias_amplitude=0))
    yield from int8("multiplier_shift_minus_31", weighted.SHIFT_31, Output(7.3e5, -4))
    yield from int8("ties", weighted.TIES, weighted.TIES_OUTPUT)
    yield from int8("double_rounding", weighted.DOUBLE_ROUNDING, weighted.TIES_OUTPUT)
    yield from int8("f32_scale_product", weighted.F32_PRODUCT, weighted.TIES_OUTPUT)
    yield from int8(
        "f32_scale_product_per_channel", weighted.F32_PRODUCT_PER_CHANNEL, weighted.TIES_OUTPUT
    )
