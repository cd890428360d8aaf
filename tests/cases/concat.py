"""concat of two or more tensors along one axis."""

import golden
import oracle
from golden import Output
from oracle import schema

OP = "concat"


def twin(attrs, *tensors):
    """The f32 concatenation."""
    return oracle.run_onnx("Concat", *tensors, axis=attrs["axis"])


def both(name, axis, *shapes):
    """An int8 and an f32 case on random data; int8 inputs share the output's quantization."""
    model = "CONCATENATION", schema.ConcatenationOptionsT(axis=axis)
    generator = golden.rng(OP, name)
    inputs = [golden.activation(golden.int8(generator, shape), 0.06, -7) for shape in shapes]
    yield golden.int8_case(name, {"axis": axis}, inputs, twin, model, Output(0.06, -7))
    inputs = [golden.activation(golden.real(generator, shape)) for shape in shapes]
    yield golden.f32_case(name, {"axis": axis}, inputs, twin)


def cases():
    yield from both("channels", 3, (1, 3, 2, 3), (1, 3, 2, 5))
    yield from both("channels_of_three", 3, (2, 2, 2, 1), (2, 2, 2, 17), (2, 2, 2, 3))
    yield from both("width", 2, (1, 3, 2, 3), (1, 3, 4, 3))
    yield from both("height", 1, (1, 1, 4, 3), (1, 3, 4, 3))
    yield from both("batch", 0, (1, 2, 3, 3), (2, 2, 3, 3))
    yield from both("four_inputs", 1, (1, 1, 2, 3), (1, 2, 2, 3), (1, 1, 2, 3), (1, 3, 2, 3))
    yield from both("one_input", 3, (1, 2, 3, 4))
    yield from both("rank1", 0, (5,), (3,))
    yield from both("rank2", 1, (3, 4), (3, 1))
    yield from both("rank3", 1, (2, 1, 5), (2, 3, 5))
