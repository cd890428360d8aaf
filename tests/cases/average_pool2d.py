"""average_pool2d: input [n, h, w, c]; the divisor counts only what lies in the image."""

import numpy as np

import golden
from pooling import Pooling

OP = "average_pool2d"
POOLING = Pooling(OP, "AVERAGE_POOL_2D", "AveragePool")


def rounding(low, high):
    """Every pair of values in [low, high] as an image of 1 x 2: ties of both signs."""
    values = np.arange(low, high + 1, dtype=np.int8)
    pairs = np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1)
    return pairs.reshape(-1, 1, 2, 1)


def cases():
    yield from POOLING.shared_cases()
    yield from POOLING.int8("ties_of_2", rounding(-5, 5), (1, 2), "valid", zero_point=-7)
    sixes = golden.int8(golden.rng(OP, "sixths"), (20, 2, 3, 3), -9, 9)
    yield from POOLING.int8("ties_of_6", sixes, (2, 3), "valid", zero_point=100)
    yield from POOLING.int8("all_min", np.full((1, 4, 4, 1), -128), 3, zero_point=127)
    yield from POOLING.int8("all_max", np.full((1, 4, 4, 1), 127), 3, zero_point=-128)
    data = golden.int8(golden.rng(OP, "relu6_min"), (1, 5, 5, 3))
    yield from POOLING.int8("relu6_zero_point_min", data, 2, "same", 2, "relu6", 0.0308, -128)
