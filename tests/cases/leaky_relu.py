"""leaky_relu: negative values times a constant slope."""

import oracle
from golden import Output
from oracle import schema
from unary import F32_QUOTIENT, Unary

OP = "leaky_relu"


def twin(attrs, x):
    """The f32 activation."""
    return oracle.run_onnx("LeakyRelu", x, alpha=attrs["alpha"])


def leaky(alpha):
    """The operator with slope `alpha`."""
    return Unary(OP, ("LEAKY_RELU", schema.LeakyReluOptionsT(alpha=alpha)), twin)


def cases():
    for name, alpha, scale, zero_point, output in (
        ("slope_0.1", 0.1, 0.05, -7, Output(0.05, -7)),
        ("slope_0.01_zero_point_min", 0.01, 0.05, -128, Output(0.05, -128)),
        ("slope_0.3_zero_point_max", 0.3, 0.05, 127, Output(0.02, 127)),
        ("slope_0", 0.0, 0.05, 0, Output(0.03, -128)),
        ("slope_above_1", 1.5, 0.04, 3, Output(0.07, -20)),
        ("ties", 0.5, 0.25, 0, Output(0.5, 0)),
        ("ties_of_the_slope", 0.5, 0.25, 0, Output(0.25, 0)),
        ("double_rounding", 0.5, 0.25 * (1 - 2**-24), 0, Output(0.25, 0)),
        # In f32 the slope between stored numbers would be less than 1/2, and change 66 values.
        ("f32_slope", 0.3, 0.0499, 3, Output(0.02994, 1)),
        ("multiplier_shift_below_minus_20", 0.3, 0.001, -3, Output(5e3, -9)),
        ("saturates", 0.2, 0.05, -20, Output(0.011, -100)),
        ("slope_negative", -0.3, 0.05, -7, Output(0.02, -30)),
        ("ties_of_a_negative_slope", -0.5, 0.25, 0, Output(0.25, 0)),
        ("double_rounding_negative", -0.5, 0.5 * (1 - 2**-24), 0, Output(0.25, 0)),
        ("f32_quotients", 0.3, F32_QUOTIENT[0], 0, Output(F32_QUOTIENT[1], 0)),
    ):
        yield from leaky(alpha).every_int8(name, scale, zero_point, output, {"alpha": alpha})
    for alpha in (0.1, 0.9, -0.4):
        yield from leaky(alpha).f32_cases(f"slope_{alpha:g}_", {"alpha": alpha})
