"""dequantize: int8 to f32."""

import numpy as np

import golden
import oracle
from oracle import Tensor
from unary import EVERY_INT8

OP = "dequantize"


def dequantize(name, data, scale, zero_point):
    """A case whose output is the oracle's f32, which must be the obvious product."""
    x = golden.activation(data, scale, zero_point)
    y = oracle.run_tflm("DEQUANTIZE", None, [x], Tensor(np.zeros(x.data.shape, np.float32)))
    np.testing.assert_allclose(y.data, x.real(), rtol=1e-6)
    yield golden.case(name, "int8", {}, [x], y)


def cases():
    yield from dequantize("all_256_values", EVERY_INT8, 0.05, -7)
    yield from dequantize("zero_point_min", EVERY_INT8, 0.0471, -128)
    yield from dequantize("zero_point_max", EVERY_INT8, 0.0471, 127)
    yield from dequantize("zero_point_0", EVERY_INT8, 1 / 3, 0)
    yield from dequantize("scale_1/256", EVERY_INT8, 1 / 256, -128)
    yield from dequantize("scale_1e-7", EVERY_INT8, 1e-7, 3)
    yield from dequantize("scale_1e7", EVERY_INT8, 1e7, 3)
    for shape in ((5,), (3, 5), (2, 3, 5)):
        name = f"rank{len(shape)}"
        yield from dequantize(name, golden.int8(golden.rng(OP, name), shape), 0.0213, 12)
