"""embedding: rows [v, d] of a table, looked up by whole numbers; int8 is GATHER."""

import numpy as np

import golden
import oracle
from oracle import Tensor, schema

OP = "embedding"


def twin(_attrs, table, indices):
    return oracle.run_onnx("Gather", table, indices, axis=0)


def both(name, shape, numbers, zero_point=-3):
    """An int8 and an f32 case."""
    generator = golden.rng(OP, name)
    indices = Tensor(generator.integers(0, shape[0], numbers).astype(np.int32))
    table = golden.constant(golden.int8(generator, shape), (0.03,), (zero_point,))
    empty = Tensor(np.zeros((*numbers, shape[1]), np.int8), table.scale, table.zero_point)
    options = schema.GatherOptionsT(axis=0, batchDims=0)
    made = oracle.run_tflm("GATHER", options, [table, indices], empty)
    yield golden.case(name, "int8", {}, [table, indices], made)
    table = golden.constant(golden.real(generator, shape))
    result = twin({}, table.data, indices.data)
    yield golden.case(name, "f32", {}, [table, indices], Tensor(result))


def cases():
    yield from both("one_number", (5, 3), (1,))
    yield from both("one_column", (9, 1), (7,))
    yield from both("batch", (12, 8), (2, 6))
    yield from both("rank3", (7, 5), (2, 3, 4))
    yield from both("zero_point_min", (4, 6), (1, 5), zero_point=-128)
