"""What minimum and maximum share: two operands of any rank, of one quantization."""

import golden
import oracle
from golden import Output
from oracle import schema


class Extremum:
    """Makes the cases of operator `op`; `tflite` and `onnx` are the oracles' names."""

    def __init__(self, op, tflite, onnx):
        self.op = op
        self.tflite = tflite
        self.onnx = onnx

    def twin(self, _attrs, x, y):
        """The f32 operator."""
        return oracle.run_onnx(self.onnx, x, y)

    def both(self, name, shape, other, scale=0.05, zero_point=-3):
        """An int8 and an f32 case on random data."""
        generator = golden.rng(self.op, name)
        inputs = [
            golden.activation(golden.int8(generator, each), scale, zero_point)
            for each in (shape, other)
        ]
        model = self.tflite, schema.MaximumMinimumOptionsT()
        yield golden.int8_case(name, {}, inputs, self.twin, model, Output(scale, zero_point))
        inputs = [golden.activation(golden.real(generator, each, 3.0)) for each in (shape, other)]
        yield golden.f32_case(name, {}, inputs, self.twin)

    def cases(self):
        """Shapes and zero points."""
        yield from self.both("rank1", (7,), (7,))
        yield from self.both("rank2", (3, 5), (3, 5))
        yield from self.both("rank3", (2, 3, 5), (2, 3, 5))
        yield from self.both("rank4", (2, 3, 2, 5), (2, 3, 2, 5))
        yield from self.both("by_scalar", (1, 3, 4, 3), (1,))
        yield from self.both("scalar_first", (1,), (1, 3, 4, 3))
        yield from self.both("by_nxhx1xc", (2, 3, 4, 3), (2, 3, 1, 3))
        yield from self.both("by_channel_vector", (1, 3, 2, 5), (5,))
        yield from self.both("both_broadcast", (1, 3, 1, 5), (1, 1, 4, 1))
        yield from self.both("zero_point_min", (1, 4, 4, 5), (1, 4, 4, 5), zero_point=-128)
        yield from self.both("zero_point_max", (1, 4, 4, 5), (1, 4, 4, 5), zero_point=127)
