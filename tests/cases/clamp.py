"""clamp: ReLU and ReLU6 standing alone; ReLU may change the quantization, ReLU6 may not."""

import oracle
from golden import Output
from unary import F32_QUOTIENT, Unary

OP = "clamp"


def twin(attrs, x):
    """The f32 activation."""
    return oracle.activate(attrs["kind"], x)


RELU = Unary(OP, ("RELU", None), twin)
RELU6 = Unary(OP, ("RELU6", None), twin)


def relu(name, scale, zero_point, output):
    return RELU.every_int8(name, scale, zero_point, output, {"kind": "relu"})


def relu6(name, scale, zero_point):
    return RELU6.every_int8(name, scale, zero_point, Output(scale, zero_point), {"kind": "relu6"})


def cases():
    yield from relu("relu_same_quantization", 0.05, -7, Output(0.05, -7))
    yield from relu("relu_zero_point_min", 0.05, -128, Output(0.05, -128))
    yield from relu("relu_zero_point_max", 0.05, 127, Output(0.05, 127))
    yield from relu("relu_new_range", 0.05, 0, Output(0.05 * 127 / 255, -128))
    yield from relu("relu_wider_scale", 0.05, -20, Output(0.13, 5))
    yield from relu("relu_narrower_scale_saturates", 0.05, -20, Output(0.011, -100))
    yield from relu("relu_ties", 0.25, 0, Output(0.5, 0))
    yield from relu("relu_double_rounding", 0.25 * (1 - 2**-24), 0, Output(0.5, 0))
    scale, new_scale = F32_QUOTIENT
    yield from relu("relu_f32_scale_quotient", scale, 0, Output(new_scale, 0))
    yield from relu("relu_multiplier_shift_below_minus_20", 0.001, -3, Output(5e3, -9))
    yield from relu6("relu6", 0.05, -7)
    yield from relu6("relu6_zero_point_min", 6 / 255, -128)
    yield from relu6("relu6_zero_point_max", 0.05, 127)
    yield from relu6("relu6_zero_point_0", 0.1, 0)
    yield from relu6("relu6_tie_of_6", 0.8, -2)
    yield from relu6("relu6_above_range", 0.01, -10)
    yield from RELU.f32_cases("relu_", {"kind": "relu"})
    yield from RELU6.f32_cases("relu6_", {"kind": "relu6"})
