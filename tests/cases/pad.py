"""pad with zero in f32, with the zero point in int8; any rank."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "pad"


def twin(attrs, x):
    """The f32 padding; ONNX wants all the numbers before, then all after."""
    pads = np.array(attrs["pads"], np.int64).T.reshape(-1)
    return oracle.run_onnx("Pad", x, pads)


def both(name, shape, pads, zero_point=-7):
    """An int8 and an f32 case on random data."""
    attrs = {"pads": [list(pair) for pair in pads]}
    model = "PAD", schema.PadOptionsT(), pads
    inputs = [golden.activation(golden.int8(golden.rng(OP, name), shape), 0.06, zero_point)]
    yield golden.int8_case(name, attrs, inputs, twin, model, Output(0.06, zero_point))
    inputs = [golden.activation(golden.real(golden.rng(OP, name), shape))]
    yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    yield from both("image", (1, 3, 4, 3), ((0, 0), (1, 1), (1, 1), (0, 0)))
    yield from both("before_only", (1, 3, 4, 3), ((0, 0), (2, 0), (1, 0), (0, 0)))
    yield from both("after_only", (1, 3, 4, 3), ((0, 0), (0, 1), (0, 2), (0, 0)))
    yield from both("channels", (1, 2, 3, 5), ((0, 0), (0, 0), (0, 0), (1, 2)))
    yield from both("every_dimension", (2, 2, 3, 2), ((1, 0), (0, 1), (2, 1), (1, 1)))
    yield from both("nothing", (1, 2, 3, 5), ((0, 0), (0, 0), (0, 0), (0, 0)))
    yield from both("wider_than_input", (1, 1, 2, 1), ((0, 0), (3, 4), (5, 3), (0, 0)))
    yield from both("rank1", (5,), ((2, 3),))
    yield from both("rank2", (3, 4), ((1, 0), (0, 2)))
    yield from both("rank3", (2, 3, 2), ((0, 1), (1, 1), (2, 0)))
    yield from both("zero_point_min", (1, 2, 3, 3), ((0, 0), (1, 1), (1, 1), (0, 0)), -128)
    yield from both("zero_point_max", (1, 2, 3, 3), ((0, 0), (1, 1), (1, 1), (0, 0)), 127)
    yield from both("zero_point_0", (1, 2, 3, 3), ((0, 0), (1, 1), (1, 1), (0, 0)), 0)
