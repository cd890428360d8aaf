"""reshape: the same values in the same order under another shape."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "reshape"


def twin(attrs, x):
    """The f32 reshape."""
    return oracle.run_onnx("Reshape", x, np.array(attrs["shape"], np.int64))


def both(name, shape, new_shape):
    """An int8 and an f32 case on random data."""
    attrs = {"shape": list(new_shape)}
    model = "RESHAPE", schema.ReshapeOptionsT(newShape=list(new_shape)), new_shape
    inputs = [golden.activation(golden.int8(golden.rng(OP, name), shape), 0.06, -7)]
    yield golden.int8_case(name, attrs, inputs, twin, model, Output(0.06, -7))
    inputs = [golden.activation(golden.real(golden.rng(OP, name), shape))]
    yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    yield from both("flatten", (1, 3, 4, 5), (1, 60))
    yield from both("flatten_batch2", (2, 3, 2, 3), (2, 18))
    yield from both("to_rank1", (2, 3, 5), (30,))
    yield from both("to_image", (1, 36), (1, 3, 4, 3))
    yield from both("rank4_to_rank3", (1, 4, 3, 5), (4, 3, 5))
    yield from both("swap_sizes", (3, 4), (4, 3))
    yield from both("same_shape", (2, 3, 4), (2, 3, 4))
    yield from both("one_value", (1,), (1, 1, 1, 1))
