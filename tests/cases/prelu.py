"""prelu: negative values times slopes that broadcast to them."""

import numpy as np

import golden
import oracle
from golden import Output

OP = "prelu"


def twin(_attrs, x, slope):
    """The f32 activation."""
    return oracle.run_onnx("PRelu", x, slope)


def both(name, shape, slopes, zero_points=(-7, 4), output=None, scales=(0.05, 0.004)):
    """An int8 and an f32 case on random data."""
    generator = golden.rng(OP, name)
    x = golden.activation(golden.int8(generator, shape), scales[0], zero_points[0])
    slope = golden.int8(generator, slopes)
    slope = golden.constant(slope, [scales[1]], [zero_points[1]])
    yield golden.int8_case(name, {}, [x, slope], twin, ("PRELU", None), output)
    inputs = [golden.activation(golden.real(generator, shape, 3.0))]
    inputs.append(golden.constant(golden.real(generator, slopes, 0.5)))
    yield golden.f32_case(name, {}, inputs, twin)


def grid(name, scales, output):
    """An int8 case of every pair of small values, without zero points."""
    x, slope = np.meshgrid(np.arange(-20, 20), np.arange(-8, 8), indexing="ij")
    slope = golden.constant(slope.astype(np.int8), [scales[1]], [0])
    inputs = [golden.activation(x, scales[0]), slope]
    yield golden.int8_case(name, {}, inputs, twin, ("PRELU", None), output)


def cases():
    yield from both("per_channel", (1, 4, 5, 7), (1, 1, 7))
    yield from both("per_channel_batch2", (2, 3, 2, 5), (1, 1, 5))
    yield from both("one_slope", (1, 4, 4, 3), (1, 1, 1))
    yield from both("every_element", (1, 3, 4, 5), (3, 4, 5))
    yield from both("vectors", (6, 9), (9,))
    yield from both("zero_points_min", (1, 4, 5, 7), (1, 1, 7), (-128, -128), Output(0.06, -128))
    yield from both("zero_points_max", (1, 4, 5, 7), (1, 1, 7), (127, 127), Output(0.06, 127))
    yield from both("saturates", (1, 4, 5, 7), (1, 1, 7), output=Output(gain=4))
    yield from both("ties", (1, 8, 8, 4), (1, 1, 4), (0, 0), Output(0.5, 0), (0.25, 0.5))
    yield from both("a_slope_each_row", (1, 4, 3, 5), (4, 1, 1))
    yield from both("scale_much_larger", (1, 4, 5, 7), (1, 1, 7), output=Output(700.0, 3))
    yield from grid("ties_of_every_pair", (0.25, 0.5), Output(0.5, 0))
    nearly = 0.25 * (1 - 2**-24)
    yield from grid("double_rounding", (nearly, 0.5), Output(0.5, 0))
    # The product of these scales is exactly 1/16 only after rounding to f32.
    yield from grid("f32_scale_product", (nearly, 0.25 * (1 + 2**-23)), Output(0.125, 0))
