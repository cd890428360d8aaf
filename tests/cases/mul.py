"""mul: two tensors whose shapes broadcast."""

from binary import Binary
from golden import Output
from oracle import schema

OP = "mul"
MUL = Binary(OP, "MUL", "Mul", schema.MulOptionsT)


def cases():
    yield from MUL.shared_cases()
    shape = (1, 4, 4, 5)
    yield from MUL.int8("ties", *MUL.grid(-8, 8, (0.25, 0.25)), Output(0.125, 0))
    nearly = MUL.grid(-8, 8, (0.25, 0.25 * (1 - 2**-24)))
    yield from MUL.int8("double_rounding", *nearly, Output(0.125, 0))
    # The product of these scales is exactly 1/16 only after rounding to f32.
    product = MUL.grid(-8, 8, (0.25 * (1 - 2**-24), 0.25 * (1 + 2**-23)))
    yield from MUL.int8("f32_scale_product", *product, Output(0.125, 0))
    yield from MUL.drawn("multiplier_above_1", shape, shape, low=-6, high=6, zero_points=(0, 0))
    yield from MUL.drawn(
        "multiplier_shift_below_minus_20", shape, shape, Output(1e4, -9), scales=(0.05, 0.02)
    )
    yield from MUL.int8("extreme_products", *MUL.grid(-128, -114, (0.03, 0.04), (127, 127)))
