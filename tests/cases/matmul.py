"""matmul: a [.., m, k] times b [.., k, n], either transposed first; int8 is BATCH_MATMUL."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "matmul"


def twin(attrs, a, b):
    """The product of what is transposed where it is to be."""
    a = np.swapaxes(a, -1, -2) if attrs["transpose_a"] else a
    b = np.swapaxes(b, -1, -2) if attrs["transpose_b"] else b
    return oracle.run_onnx("MatMul", np.ascontiguousarray(a), np.ascontiguousarray(b))


def shapes(outer, m, k, n, transpose_a, transpose_b):
    a = (k, m) if transpose_a else (m, k)
    b = (n, k) if transpose_b else (k, n)
    return outer + a, outer + b


def int8(name, sizes, turned=(False, False), output=None, scales=(0.05, 0.021), zero_points=(-3, 11)):
    """An int8 case of `sizes`: outer dimensions, then m, k, n."""
    attrs = {"transpose_a": turned[0], "transpose_b": turned[1]}
    generator = golden.rng(OP, name)
    inputs = [
        golden.activation(golden.int8(generator, shape), scale, zero_point)
        for shape, scale, zero_point in zip(shapes(*sizes, *turned), scales, zero_points)
    ]
    options = schema.BatchMatMulOptionsT(adjX=turned[0], adjY=turned[1])
    yield golden.int8_case(name, attrs, inputs, twin, ("BATCH_MATMUL", options), output)


def f32(name, sizes, turned=(False, False)):
    """The same in f32."""
    attrs = {"transpose_a": turned[0], "transpose_b": turned[1]}
    generator = golden.rng(OP, name)
    inputs = [golden.activation(golden.real(generator, shape)) for shape in shapes(*sizes, *turned)]
    yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    for rank, outer in ((2, ()), (3, (3,)), (4, (2, 2))):
        for turned in ((False, False), (True, False), (False, True), (True, True)):
            name = f"rank{rank}" + "_a" * turned[0] + "_b" * turned[1]
            yield from int8(name, (outer, 4, 7, 5), turned)
            yield from f32(name, (outer, 4, 7, 5), turned)
    yield from int8("one_by_one", ((1,), 1, 1, 1))
    yield from int8("long_sums", ((), 2, 150, 3), (False, True))
    yield from int8("saturates_both_ends", ((), 6, 9, 6), output=Output(gain=4))
    yield from int8("zero_points_min", ((), 5, 6, 5), zero_points=(-128, -128))
    yield from int8("zero_points_max", ((), 5, 6, 5), zero_points=(127, 127))
    yield from int8("zero_points_opposite", ((2,), 5, 6, 5), (False, True), zero_points=(-128, 127))
    yield from int8("shares", ((2,), 5, 5, 4), scales=(1 / 256, 0.03), zero_points=(-128, 5))
