"""resize_nearest: each pixel that of the nearest."""

from oracle import schema
from resize import Resize

OP = "resize_nearest"
NEAREST = {
    "asymmetric": "floor",
    "align_corners": "round_prefer_ceil",
    "half_pixel": "round_prefer_ceil",
}


def cases():
    options = schema.ResizeNearestNeighborOptionsT
    yield from Resize(OP, "RESIZE_NEAREST_NEIGHBOR", options, "nearest", NEAREST).cases(0.01)
