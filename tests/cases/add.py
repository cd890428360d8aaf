"""add: two tensors whose shapes broadcast."""

import golden
from binary import Binary
from golden import Output
from oracle import schema

OP = "add"
ADD = Binary(OP, "ADD", "Add", schema.AddOptionsT)

# Pairs whose sum is so near to a tie, at these scales, that a wrong last bit inside shows.
NEAR_TIES_SCALES = 0.0292, 0.0873, 0.0656
NEAR_TIES = (
    *((-96, 40), (-51, 52), (-7, 20), (37, -12), (-126, 32)),
    *((-111, 36), (-82, 0), (-127, -12), (-113, -52), (-112, -8)),
)


def cases():
    yield from ADD.shared_cases()
    # Equal scales and an output of twice the scale: every odd sum is a tie.
    ties = ADD.grid(-8, 8, (0.25, 0.25))
    yield from ADD.int8("ties", *ties, Output(0.5, 0))
    nearly = ADD.grid(-8, 8, (0.25, 0.25 * (1 - 2**-24)))
    yield from ADD.int8("nearly_ties", *nearly, Output(0.5, 0))
    x_scale, y_scale, scale = NEAR_TIES_SCALES
    xs, ys = zip(*NEAR_TIES)
    operands = golden.activation(xs, x_scale), golden.activation(ys, y_scale)
    yield from ADD.int8("near_ties_of_inexact_scales", *operands, Output(scale, 0))
    extremes = ADD.grid(-128, -114, (0.031, 0.047), (127, 127))
    yield from ADD.int8("extreme_differences", *extremes, Output(0.078, 126))
    # The largest multiplier of the output that the oracle accepts is below 1.
    small = ADD.grid(-3, 3, (0.1, 0.1))
    yield from ADD.int8("output_scale_much_smaller", *small, Output(1e-6, 5))
