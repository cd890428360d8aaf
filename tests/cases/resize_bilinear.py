"""resize_bilinear: each pixel mixed from the four around it."""

from oracle import schema
from resize import Resize

OP = "resize_bilinear"


def cases():
    # The weights of int8 have 10 bits only.
    yield from Resize(OP, "RESIZE_BILINEAR", schema.ResizeBilinearOptionsT, "linear", {}).cases(1.5)
