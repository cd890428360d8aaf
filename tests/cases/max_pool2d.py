"""max_pool2d: input [n, h, w, c]; padding never wins."""

import numpy as np

import golden
from pooling import Pooling

OP = "max_pool2d"
POOLING = Pooling(OP, "MAX_POOL_2D", "MaxPool")


def cases():
    yield from POOLING.shared_cases()
    yield from POOLING.int8("all_min_with_padding", np.full((1, 4, 4, 1), -128), 3, zero_point=0)
    low = golden.int8(golden.rng(OP, "low"), (1, 4, 3, 3), -128, -100)
    yield from POOLING.int8("below_zero_point_with_padding", low, 3, zero_point=127)
    data = golden.int8(golden.rng(OP, "relu6_min"), (1, 5, 5, 3))
    yield from POOLING.int8("relu6_zero_point_min", data, 2, "same", 2, "relu6", 0.0308, -128)
