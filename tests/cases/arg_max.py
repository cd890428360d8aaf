"""arg_max: the index of the greatest value; TensorFlow Lite Micro answers for int8 and f32 alike."""

import numpy as np

import golden
import oracle
from oracle import Tensor, schema

OP = "arg_max"


def run(name, dtype, x, axis):
    """A case on tensor `x`."""
    expected = x.data.argmax(axis).astype(np.int32)
    options = schema.ArgMaxOptionsT(outputType=schema.TensorType.INT32)
    inputs = [x, golden.constant(np.array([axis], np.int32))]
    made = oracle.run_tflm("ARG_MAX", options, inputs, Tensor(np.zeros_like(expected)))
    if not np.array_equal(made.data, expected):
        raise AssertionError(f"{name}: {made.data}, not {expected}")
    return golden.case(name, dtype, {"axis": axis}, [x], made)


def both(name, shape, axis, low=golden.INT8_MIN, high=golden.INT8_MAX):
    """An int8 and an f32 case on random data."""
    data = golden.int8(golden.rng(OP, name), shape, low, high)
    yield run(name, "int8", golden.activation(data, 0.06, -7), axis)
    yield run(name, "f32", golden.activation(data * np.float32(0.37)), axis)


def cases():
    yield from both("classes", (1, 10), 1)
    yield from both("batch", (5, 7), 1)
    yield from both("first_of_equal", (6, 12), 1, -2, 2)
    yield from both("rank3_middle", (2, 5, 3), 1)
    yield from both("image_channels", (1, 4, 5, 6), 3)
    yield from both("image_height", (2, 4, 3, 5), 1)
    yield from both("outermost", (4, 3, 2), 0)
    yield from both("one_value", (3, 1), 1)
