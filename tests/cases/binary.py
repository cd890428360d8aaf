"""What add and mul share: two operands of any rank, broadcast, and a fused activation."""

import numpy as np

import golden
import oracle
from golden import Output


class Binary:
    """Makes the cases of operator `op`; `tflite`, `onnx` and `options` are the oracles' names."""

    def __init__(self, op, tflite, onnx, options):
        self.op = op
        self.tflite = tflite
        self.onnx = onnx
        self.options = options

    def twin(self, attrs, x, y):
        """The f32 operator."""
        return oracle.activate(attrs["activation"], oracle.run_onnx(self.onnx, x, y))

    def int8(self, name, x, y, output=None, activation="none"):
        """An int8 case on two tensors."""
        code = oracle.activation_code(activation)
        model = self.tflite, self.options(fusedActivationFunction=code)
        attrs = {"activation": activation}
        yield golden.int8_case(name, attrs, [x, y], self.twin, model, output)

    def drawn(
        self,
        name,
        shape,
        other,
        output=None,
        activation="none",
        scales=(0.05, 0.021),
        zero_points=(-3, 11),
        low=golden.INT8_MIN,
        high=golden.INT8_MAX,
    ):
        """An int8 case on random data."""
        generator = golden.rng(self.op, name)
        x, y = [
            golden.activation(golden.int8(generator, each, low, high), scale, zero_point)
            for each, scale, zero_point in zip((shape, other), scales, zero_points)
        ]
        yield from self.int8(name, x, y, output, activation)

    def both(self, name, shape, other, activation="none", output=None):
        """An int8 and an f32 case on random data."""
        yield from self.drawn(name, shape, other, output, activation)
        generator = golden.rng(self.op, name)
        inputs = [golden.activation(golden.real(generator, each, 3.0)) for each in (shape, other)]
        yield golden.f32_case(name, {"activation": activation}, inputs, self.twin)

    def shared_cases(self):
        """Shapes, activations and zero points that both operators must get right."""
        both, drawn = self.both, self.drawn
        yield from both("rank1", (7,), (7,))
        yield from both("rank2", (3, 5), (3, 5))
        yield from both("rank3", (2, 3, 5), (2, 3, 5))
        yield from both("rank4", (2, 3, 2, 5), (2, 3, 2, 5))
        yield from both("by_scalar", (1, 3, 4, 3), (1,))
        yield from both("scalar_first", (1,), (1, 3, 4, 3))
        yield from both("by_channel_vector", (1, 3, 2, 5), (5,))
        yield from both("by_1x1x1xc", (2, 3, 2, 3), (1, 1, 1, 3))
        yield from both("by_nxhx1xc", (2, 3, 4, 3), (2, 3, 1, 3))
        yield from both("both_broadcast", (1, 3, 1, 5), (1, 1, 4, 1))
        yield from both("relu", (1, 3, 4, 3), (1, 3, 4, 3), "relu")
        yield from both("relu6", (1, 3, 4, 3), (1, 3, 4, 3), "relu6")
        shape = (1, 4, 4, 5)
        yield from drawn("relu6_range_above_6", shape, shape, Output(0.0513, -20), "relu6")
        yield from drawn("saturates_both_ends", shape, shape, Output(gain=4))
        yield from drawn(
            "zero_points_min", shape, shape, Output(zero_point=-128), zero_points=(-128, -128)
        )
        yield from drawn(
            "zero_points_max", shape, shape, Output(zero_point=127), zero_points=(127, 127)
        )
        yield from drawn("zero_points_0", shape, shape, Output(zero_point=0), zero_points=(0, 0))
        yield from drawn("zero_points_opposite", shape, shape, zero_points=(-128, 127))
        yield from drawn("scales_far_apart", shape, shape, scales=(0.9, 0.00011))

    def grid(self, low, high, scales, zero_points=(0, 0)):
        """Two operands that together hold every pair of values in [low, high]."""
        values = np.arange(low, high + 1, dtype=np.int8)
        pairs = np.meshgrid(values, values, indexing="ij")
        return [
            golden.activation(each.reshape(1, -1), scale, zero_point)
            for each, scale, zero_point in zip(pairs, scales, zero_points)
        ]
