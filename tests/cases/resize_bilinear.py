"""resize_bilinear: each pixel mixed from the four around it."""

import golden
from oracle import schema
from resize import SAMPLINGS, Resize

OP = "resize_bilinear"


def cases():
    resize = Resize(OP, "RESIZE_BILINEAR", schema.ResizeBilinearOptionsT, "linear", {})
    # The weights of int8 have 10 bits only, and so has the distance of positions: over many it adds up.
    yield from resize.cases(1.5)
    for sampling in SAMPLINGS:
        name = f"many_{sampling[0]}"
        data = golden.int8(golden.rng(OP, name), (1, 7, 5, 1))
        yield from resize.int8(name, data, (29, 61), sampling, 20)
