"""sub: two tensors whose shapes broadcast."""

from binary import Binary
from golden import Output
from oracle import schema

OP = "sub"
SUB = Binary(OP, "SUB", "Sub", schema.SubOptionsT)

# Scales whose ratios, taken in f32 as older versions did, would change some of 600 differences.
F32_RATIOS = (0.0203, 0.0609, 0.0406), (0.0119, 0.0272, 0.0238), (0.0912, 0.0912, 0.096)


def cases():
    yield from SUB.shared_cases()
    # Equal scales and an output of twice the scale: every odd difference is a tie.
    yield from SUB.int8("ties", *SUB.grid(-8, 8, (0.25, 0.25)), Output(0.5, 0))
    nearly = SUB.grid(-8, 8, (0.25, 0.25 * (1 - 2**-24)))
    yield from SUB.int8("nearly_ties", *nearly, Output(0.5, 0))
    extremes = SUB.grid(-128, -114, (0.031, 0.047), (127, 127))
    yield from SUB.int8("extreme_differences", *extremes, Output(0.078, 126))
    yield from SUB.int8("output_scale_much_smaller", *SUB.grid(-3, 3, (0.1, 0.1)), Output(1e-6, 5))
    for i, (x_scale, y_scale, scale) in enumerate(F32_RATIOS):
        name = f"f32_scale_ratios_{i}"
        yield from SUB.drawn(
            name, (600,), (600,), Output(scale, 0), "none", (x_scale, y_scale), (0, 0)
        )
