"""resize_nearest: each pixel that of the nearest."""

import numpy as np

from oracle import schema
from resize import SAMPLINGS, Resize

OP = "resize_nearest"
NEAREST = {
    "asymmetric": "floor",
    "align_corners": "round_prefer_ceil",
    "half_pixel": "round_prefer_ceil",
}


# Widths of input and output where a position in f32 lies on the other side of a pixel's edge than the exact
# one, one pair for each sampling.
F32_POSITIONS = (26, 22), (14, 23), (2, 41)


def cases():
    options = schema.ResizeNearestNeighborOptionsT
    resize = Resize(OP, "RESIZE_NEAREST_NEIGHBOR", options, "nearest", NEAREST)
    yield from resize.cases(0.01)
    for sampling, (width, new_width) in zip(SAMPLINGS, F32_POSITIONS):
        # Neighbours differ by one step, which the f32 twin may be off by.
        ramp = np.arange(width).reshape(1, 1, width, 1)
        name = f"f32_positions_{sampling[0]}"
        yield from resize.int8(name, ramp, (1, new_width), sampling, 1.01)
