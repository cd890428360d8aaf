"""l2_normalize: vectors of any rank's last axis over their norm; the int8 output is always in 1/128ths."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "l2_normalize"
MODEL = "L2_NORMALIZATION", schema.L2NormOptionsT()
OUTPUT = Output(1 / 128, 0)


def twin(attrs, x):
    """The f32 vectors of norm 1."""
    return oracle.run_onnx("LpNormalization", x, axis=-1, p=2)


def int8(name, data, scale=0.08, zero_point=3):
    """An int8 case on `data`."""
    yield golden.int8_case(name, {}, [golden.activation(data, scale, zero_point)], twin, MODEL, OUTPUT)


def both(name, shape):
    """An int8 case and an f32 case on random data."""
    yield from int8(name, golden.int8(golden.rng(OP, name), shape))
    yield golden.f32_case(name, {}, [golden.activation(golden.real(golden.rng(OP, name), shape, 2.0))], twin)


def cases():
    yield from both("rank1_5", (5,))
    yield from both("rank2_batch3", (3, 64))
    yield from both("rank3", (2, 3, 5))
    yield from both("rank4_17", (2, 1, 3, 17))
    yield from both("one_element", (4, 1))

    every = np.arange(-128, 128, dtype=np.int8)
    yield from int8("all_256_values", every.reshape(1, 256))
    # With one other element each: all directions, and norms of 0 to 16 bits.
    for other in (-128, 0, 3, 4, 127):
        yield from int8(f"beside_{other}", np.stack([every, np.full(256, other, np.int8)], axis=1))
    yield from int8("zeros", np.full((2, 3), 3))
    yield from int8("one_step", np.array([[4, 3, 3], [3, 2, 3], [3, 4, 2]]))
    yield from int8("zero_point_-128", golden.int8(golden.rng(OP, "-128"), (2, 300)), zero_point=-128)
    yield from int8("zero_point_127", golden.int8(golden.rng(OP, "127"), (2, 9)), zero_point=127)
    yield from int8("longest", golden.int8(golden.rng(OP, "longest"), (1, 1000)), zero_point=-128)

    large = np.array([[1e4, -3e4, 2e4], [1e18, -1e18, 0]], np.float32)
    yield golden.f32_case("large_values", {}, [golden.activation(large)], twin)
