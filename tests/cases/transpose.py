"""transpose: the dimensions in any order."""

import itertools

import golden
import oracle
from golden import Output
from oracle import schema

OP = "transpose"


def twin(attrs, x):
    """The f32 transposition."""
    return oracle.run_onnx("Transpose", x, perm=attrs["perm"])


def both(name, shape, perm, zero_point=-7):
    """An int8 and an f32 case on random data."""
    attrs = {"perm": list(perm)}
    model = "TRANSPOSE", schema.TransposeOptionsT(), perm
    generator = golden.rng(OP, name)
    inputs = [golden.activation(golden.int8(generator, shape), 0.06, zero_point)]
    yield golden.int8_case(name, attrs, inputs, twin, model, Output(0.06, zero_point))
    inputs = [golden.activation(golden.real(generator, shape))]
    yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    for perm in itertools.permutations(range(4)):
        yield from both("rank4_" + "".join(map(str, perm)), (2, 3, 4, 5), perm)
    for perm in itertools.permutations(range(3)):
        yield from both("rank3_" + "".join(map(str, perm)), (3, 4, 5), perm)
    yield from both("rank2", (5, 7), (1, 0))
    yield from both("rank1", (5,), (0,))
    yield from both("ones", (1, 1, 6, 1), (2, 3, 0, 1))
    yield from both("zero_point_min", (1, 3, 3, 2), (0, 3, 1, 2), -128)
    yield from both("zero_point_max", (1, 3, 3, 2), (0, 2, 1, 3), 127)
