"""transpose_conv2d: image [n, h, w, c_in], weights [c_out, kh, kw, c_in], bias [c_out]."""

import numpy as np

import golden
import oracle
import weighted
from golden import Output
from oracle import schema
from weighted import Quantization

OP = "transpose_conv2d"


def twin(attrs, x, weights, bias):
    """ONNX's ConvTranspose, whose weights are [c_in, c_out, kh, kw]."""
    top, left, bottom, right = attrs["pads"]
    stride = attrs["stride"]
    kernel = weights.shape[1:3]
    # What the sizes leave open is added at the bottom and on the right.
    rest = [
        output - (size - 1) * step - taps + before + after
        for output, size, step, taps, before, after in zip(
            attrs["output"], x.shape[1:3], stride, kernel, (top, left), (bottom, right)
        )
    ]
    y = oracle.run_onnx(
        "ConvTranspose",
        oracle.to_nchw(x),
        np.ascontiguousarray(weights.transpose(3, 0, 1, 2)),
        bias,
        strides=stride,
        pads=[top, left, bottom, right],
        output_padding=rest,
    )
    return oracle.activate(attrs["activation"], oracle.to_nhwc(y))


def same(size, stride, taps):
    """Size of the output and padding before and after it, as TensorFlow's "same"."""
    output = size * stride
    total = max((size - 1) * stride + taps - output, 0)
    return output, total // 2, total - total // 2


def conv(name, shape, c_out, kernel, stride, padding, activation="none", q=None, output=None, f32=True):
    """The int8 case and, with `f32`, the f32 case of one layer."""
    n, h, w, c_in = shape
    if padding == "same":
        (oh, top, bottom), (ow, left, right) = [
            same(size, step, taps) for size, step, taps in zip((h, w), stride, kernel)
        ]
    else:
        oh, ow = [
            (size - 1) * step + max(taps, step)
            for size, step, taps in zip((h, w), stride, kernel)
        ]
        top = left = bottom = right = 0
    attrs = {
        "stride": list(stride),
        "pads": [top, left, bottom, right],
        "output": [oh, ow],
        "activation": activation,
    }
    options = schema.TransposeConvOptionsT(
        padding=oracle.padding_code(padding),
        strideH=stride[0],
        strideW=stride[1],
        fusedActivationFunction=oracle.activation_code(activation),
    )
    weights = (c_out, *kernel, c_in)
    inputs = weighted.int8_inputs(golden.rng(OP, name), shape, weights, 0, q or Quantization())
    dims = [n, oh, ow, c_out]
    yield int8_case(name, attrs, inputs, options, dims, output or Output())
    if f32:
        inputs = weighted.f32_inputs(golden.rng(OP, name), shape, weights, 0)
        yield golden.f32_case(name, attrs, inputs, twin)


def int8_case(name, attrs, inputs, options, dims, output):
    """Like golden's, with the inputs in the order of TRANSPOSE_CONV: shape, weights, image, bias."""
    x, weights, bias = inputs
    expected = twin(attrs, *[tensor.real() for tensor in inputs])
    if list(expected.shape) != dims:
        raise AssertionError(f"{name}: the twin makes {expected.shape}, not {dims}")
    shape = golden.constant(np.asarray(dims, np.int32))
    empty = output.quantize(expected)
    made = oracle.run_tflm("TRANSPOSE_CONV", options, [shape, weights, x, bias], empty)
    ends = oracle.Tensor(np.array([-128, 127]), made.scale, made.zero_point).real()
    steps = np.abs(made.real() - np.clip(expected, *ends)) / made.scale[0]
    if steps.max() > output.tolerance:
        raise AssertionError(f"{name}: {steps.max()} steps away from the f32 twin")
    return golden.case(name, "int8", attrs, inputs, made)


def cases():
    yield from conv("one_pixel", (1, 1, 1, 3), 2, (3, 3), (1, 1), "valid")
    yield from conv("stride1_valid", (1, 3, 4, 2), 3, (3, 2), (1, 1), "valid")
    yield from conv("stride1_same", (1, 4, 3, 3), 2, (3, 3), (1, 1), "same")
    yield from conv("stride2_same", (1, 3, 3, 3), 4, (3, 3), (2, 2), "same")
    yield from conv("stride2_valid", (1, 3, 3, 2), 3, (4, 3), (2, 2), "valid")
    yield from conv("stride_beyond_kernel", (1, 2, 3, 2), 2, (1, 2), (3, 3), "valid")
    yield from conv("two_strides", (1, 3, 2, 3), 2, (2, 3), (1, 2), "same")
    yield from conv("batch3", (3, 2, 2, 2), 2, (2, 2), (2, 2), "same")
    yield from conv("relu", (1, 3, 3, 2), 3, (3, 3), (2, 2), "same", "relu")
    yield from conv("relu6", (1, 3, 3, 2), 3, (3, 3), (2, 2), "same", "relu6")

    def int8(name, q, output=None):
        return conv(name, (1, 3, 3, 3), 3, (3, 3), (2, 2), "same", q=q, output=output, f32=False)

    yield from int8("zero_points_min", Quantization(-128), Output(zero_point=-128))
    yield from int8("zero_points_max", Quantization(127), Output(zero_point=127))
    yield from int8("saturates_both_ends", Quantization(), Output(gain=4))
