"""hard_swish; int8 in 16-bit fixed point, where the scales of input and output both matter."""

import golden
import oracle
from golden import Output
from unary import Unary

OP = "hard_swish"
SWISH = Unary(OP, ("HARD_SWISH", None), lambda attrs, x: oracle.run_onnx("HardSwish", x))

# Input and output scales where a wrong last bit inside reaches the output: if the gate's right shift
# did not round, or the quotient of the scales were rounded to f32.
SHIFTS = (0.000245, 0.00039), (0.00011, 0.000033), (0.002577, 0.001311)
QUOTIENTS = (0.748, 0.808486), (0.0603, 0.010577), (0.0689, 0.049251)


def every_int8(name, scale, zero_point, new_scale=None, new_zero_point=None, gain=1.0):
    output = Output(new_scale, new_zero_point, gain)
    return SWISH.every_int8(name, scale, zero_point, output)


def cases():
    # Inputs up to about 1/40, 3/2, 3, 6, 25 and 400: the gate shifts right, not at all, and left.
    for scale in (0.0002, 0.0117, 3 / 128, 0.0234, 0.047, 0.2, 3.1):
        yield from every_int8(f"all_256_values_scale_{scale:g}", scale, 0)
    for zero_point in (-128, 127, 13):
        yield from every_int8(f"zero_point_{zero_point}", 0.043, zero_point)
    for new_zero_point in (-128, 127, -55):
        yield from every_int8(f"output_zero_point_{new_zero_point}", 0.043, 9, None, new_zero_point)
    yield from every_int8("zero_points_min_to_max", 0.021, -128, 0.04, 127)
    yield from every_int8("zero_points_max_to_min", 0.021, 127, 0.0015, -128)
    yield from every_int8("same_quantization", 0.05, -7, 0.05, -7)
    yield from every_int8("saturates_both_ends", 0.05, 3, 0.0011, -7)
    yield from every_int8("saturates_above", 0.05, 3, gain=3.0)
    yield from every_int8("coarse_output", 0.05, 3, 1.7, 5)
    yield from every_int8("output_factor_just_below_1", 0.1, 0, 0.1 / 127.9, 0)
    for scale, new_scale in SHIFTS:
        yield from every_int8(f"gate_shift_rounds_{scale:g}", scale, 0, new_scale, 0)
    for scale, new_scale in QUOTIENTS:
        yield from every_int8(f"f64_scale_quotient_{scale:g}", scale, 0, new_scale, 0)
    generator = golden.rng(OP, "any_scales")
    for i in range(6):
        scale, new_scale = (float(10.0**power) for power in generator.uniform(-2.5, 0.5, 2))
        zero_point, new_zero_point = (int(zp) for zp in generator.integers(-128, 128, 2))
        yield from every_int8(f"any_scales_{i}", scale, zero_point, new_scale, new_zero_point)
    yield from SWISH.f32_cases()
    yield from SWISH.f32("ends", [[3.0, -3.0, 2.999999], [-2.999999, 3.000001, -3.000001]])
