"""quantize: f32 to int8, and int8 to int8 with another scale or zero point."""

import numpy as np

import golden
from golden import Output
from unary import EVERY_INT8, F32_QUOTIENT

OP = "quantize"


def twin(attrs, x):
    """The same real numbers."""
    return x


def from_f32(name, data, scale, zero_point):
    """A case of f32 to int8."""
    output = Output(scale, zero_point, tolerance=0.5001)
    inputs = [golden.activation(data)]
    yield golden.int8_case(name, {}, inputs, twin, ("QUANTIZE", None), output)


def from_int8(name, scale, zero_point, new_scale, new_zero_point):
    """A case of all 256 int8 values to another quantization."""
    inputs = [golden.activation(EVERY_INT8, scale, zero_point)]
    output = Output(new_scale, new_zero_point)
    yield golden.int8_case(name, {}, inputs, twin, ("QUANTIZE", None), output)


def cases():
    every = EVERY_INT8.astype(np.float32)
    yield from from_f32("all_256_values", (every + 7) * np.float32(0.05), 0.05, -7)
    quarters = np.arange(-130, 130, 1, np.float32).reshape(4, 65) / 4
    yield from from_f32("ties", quarters, 1.0, 0)
    yield from from_f32("ties_zero_point_-5", quarters, 0.5, -5)
    halves = (np.arange(-64, 64, dtype=np.float32) + np.float32(0.5)) * np.float32(0.013)
    yield from from_f32("ties_of_an_inexact_scale", halves, 0.013, 3)
    nearly = np.nextafter(np.arange(-8, 8, dtype=np.float32) + 0.5, np.float32(0))
    yield from from_f32("just_below_ties", nearly, 1.0, 0)
    saturating = np.array([-1e6, -13.0, -12.8, -12.7, 12.6, 12.7, 12.8, 1e6], np.float32)
    yield from from_f32("saturates_both_ends", saturating, 0.1, 0)
    yield from from_f32("zero_point_min", golden.real(golden.rng(OP, "min"), (2, 9)), 0.011, -128)
    yield from from_f32("zero_point_max", golden.real(golden.rng(OP, "max"), (2, 9)), 0.011, 127)
    tiny = np.array([0.0, -0.0, 1e-30, -1e-30, 1e-7, -1e-7], np.float32)
    yield from from_f32("tiny_values", tiny, 0.05, 11)
    rank4 = golden.real(golden.rng(OP, "rank4"), (2, 3, 4, 3))
    yield from from_f32("rank4", rank4, 0.017, 4)

    yield from from_int8("int8_wider_scale", 0.05, -7, 0.13, 5)
    yield from from_int8("int8_narrower_scale_saturates", 0.05, -7, 0.011, 5)
    yield from from_int8("int8_same_scale_new_zero_point", 0.05, -7, 0.05, 20)
    yield from from_int8("int8_same_quantization", 0.05, -7, 0.05, -7)
    yield from from_int8("int8_zero_points_min_to_max", 0.05, -128, 0.05, 127)
    yield from from_int8("int8_zero_points_max_to_min", 0.05, 127, 0.07, -128)
    yield from from_int8("int8_ties", 0.25, 0, 0.5, 0)
    yield from from_int8("int8_double_rounding", 0.25 * (1 - 2**-24), 0, 0.5, 0)
    scale, new_scale = F32_QUOTIENT
    yield from from_int8("int8_f32_scale_quotient", scale, 0, new_scale, 0)
    yield from from_int8("int8_multiplier_shift_below_minus_20", 0.001, 0, 4000.0, 9)
    yield from from_int8("int8_multiplier_above_100", 0.05, 0, 0.0003, 9)
