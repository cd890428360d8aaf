"""What functions of one number (clamp, logistic, ...) share: one input of any shape, each value on its own."""

import numpy as np

import golden

# All int8 values, as an image.
EVERY_INT8 = np.arange(-128, 128, dtype=np.int8).reshape(1, 8, 8, 4)

# An input and an output scale whose quotient is exactly 3/4 only after rounding to f32.
F32_QUOTIENT = (1.125 + 2**-22) / 8, (1.5 + 3 * 2**-23) / 8

# Around zero, at the ends of f32's useful range, and evenly over [-20, 20].
F32_VALUES = np.concatenate(
    [
        [0.0, -0.0, 1e-30, -1e-30, 1e-6, -1e-6, 1e-3, -1e-3, 5.999999, 6.0, 6.000001],
        [88.0, -88.0, 104.0, -104.0, 1e4, -1e4, 3e38, -3e38],
        np.linspace(-20.0, 20.0, 101),
    ]
).astype(np.float32)


class Unary:
    """Makes the cases of operator `op`, which is `model` to TensorFlow Lite Micro."""

    def __init__(self, op, model, twin):
        self.op = op
        self.model = model
        self.twin = twin

    def every_int8(self, name, scale, zero_point, output, attrs=None):
        """An int8 case of all 256 values."""
        inputs = [golden.activation(EVERY_INT8, scale, zero_point)]
        yield golden.int8_case(name, attrs or {}, inputs, self.twin, self.model, output)

    def f32(self, name, data, attrs=None):
        """An f32 case on `data`."""
        yield golden.f32_case(name, attrs or {}, [golden.activation(data)], self.twin)

    def f32_cases(self, prefix="", attrs=None):
        """The f32 values that every operator must get right, and one case of each rank."""
        yield from self.f32(prefix + "edges", F32_VALUES, attrs)
        for shape in ((7,), (3, 5), (2, 3, 5), (2, 3, 4, 5)):
            name = f"{prefix}rank{len(shape)}"
            yield from self.f32(name, golden.real(golden.rng(self.op, name), shape, 4.0), attrs)
