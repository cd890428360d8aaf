"""What average_pool2d and max_pool2d share: int8 keeps its quantization, padding never counts."""

import functools

import golden
import oracle
import window
from oracle import schema


def twin(operator, attrs, x):
    """The f32 pooling; ONNX's operators leave padding out as well."""
    y = oracle.run_onnx(
        operator,
        oracle.to_nchw(x),
        kernel_shape=attrs["kernel"],
        strides=attrs["stride"],
        pads=attrs["pads"],
    )
    return oracle.activate(attrs["activation"], oracle.to_nhwc(y))


class Pooling:
    """Makes the cases of operator `op`, which the oracles know under their own names."""

    def __init__(self, op, tflite, onnx):
        self.op = op
        self.tflite = tflite
        self.twin = functools.partial(twin, onnx)

    def attrs_and_model(self, shape, kernel, padding, stride, activation):
        kernel, stride = window.pair(kernel), window.pair(stride)
        attrs = {
            "kernel": kernel,
            "stride": stride,
            "pads": window.explicit_pads(padding, shape[1:3], kernel, stride),
            "activation": activation,
        }
        options = schema.Pool2DOptionsT(
            padding=oracle.padding_code(padding),
            strideH=stride[0],
            strideW=stride[1],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            fusedActivationFunction=oracle.activation_code(activation),
        )
        return attrs, (self.tflite, options)

    def int8(
        self,
        name,
        data,
        kernel,
        padding="same",
        stride=1,
        activation="none",
        scale=0.06,
        zero_point=-7,
    ):
        """An int8 case on `data`."""
        attrs, model = self.attrs_and_model(data.shape, kernel, padding, stride, activation)
        inputs = [golden.activation(data, scale, zero_point)]
        output = golden.Output(scale, zero_point)
        yield golden.int8_case(name, attrs, inputs, self.twin, model, output)

    def both(self, name, shape, *args, **kwargs):
        """An int8 case and an f32 case on random data."""
        yield from self.int8(name, golden.int8(golden.rng(self.op, name), shape), *args, **kwargs)
        yield self.f32(name, shape, *args, **kwargs)

    def f32(self, name, shape, kernel, padding="same", stride=1, activation="none"):
        """An f32 case on random data."""
        attrs, _ = self.attrs_and_model(shape, kernel, padding, stride, activation)
        data = golden.real(golden.rng(self.op, name), shape, 4.0)
        return golden.f32_case(name, attrs, [golden.activation(data)], self.twin)

    def shared_cases(self):
        """The window shapes that both operators must get right."""
        both = self.both
        yield from both("valid_2x2_stride2", (1, 4, 6, 3), 2, "valid", 2)
        yield from both("same_3x3_stride1", (1, 5, 4, 3), 3)
        yield from both("same_2x2_even_kernel", (1, 4, 5, 1), 2)
        yield from both("same_3x2_stride2x1", (1, 7, 4, 5), (3, 2), "same", (2, 1))
        yield from both("valid_3x3_stride3", (1, 8, 7, 2), 3, "valid", 3)
        yield from both("same_stride3_larger_than_kernel", (1, 8, 7, 3), 2, "same", 3)
        yield from both("whole_image", (1, 3, 5, 17), (3, 5), "valid")
        yield from both("same_kernel7_larger_than_image", (1, 3, 4, 3), 7)
        yield from both("kernel_1x1_stride2", (1, 5, 4, 3), 1, "valid", 2)
        yield from both("batch2", (2, 4, 3, 3), 2, "same", 2)
        yield from both("relu", (1, 4, 4, 3), 2, "valid", 2, "relu")
        yield from both("relu6", (1, 4, 4, 3), 2, "valid", 2, "relu6")
