"""conv2d: input [n, h, w, c_in], weights [c_out, kh, kw, c_in], bias [c_out]."""

import golden
import oracle
import weighted
import window
from golden import Output
from oracle import schema
from weighted import Quantization

OP = "conv2d"


def twin(attrs, x, weights, bias):
    """The f32 convolution."""
    y = oracle.run_onnx(
        "Conv",
        oracle.to_nchw(x),
        oracle.to_nchw(weights),
        bias,
        strides=attrs["stride"],
        dilations=attrs["dilation"],
        pads=attrs["pads"],
    )
    return oracle.activate(attrs["activation"], oracle.to_nhwc(y))


def conv(
    name,
    shape,
    weights,
    padding="same",
    stride=1,
    dilation=1,
    activation="none",
    q=None,
    output=None,
    f32=True,
):
    """The int8 case and, with `f32`, the f32 case of one convolution."""
    stride, dilation = window.pair(stride), window.pair(dilation)
    attrs = {
        "stride": stride,
        "dilation": dilation,
        "pads": window.explicit_pads(padding, shape[1:3], weights[1:3], stride, dilation),
        "activation": activation,
    }
    options = schema.Conv2DOptionsT(
        padding=oracle.padding_code(padding),
        strideH=stride[0],
        strideW=stride[1],
        fusedActivationFunction=oracle.activation_code(activation),
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
    )
    inputs = weighted.int8_inputs(golden.rng(OP, name), shape, weights, 0, q or Quantization())
    yield golden.int8_case(name, attrs, inputs, twin, ("CONV_2D", options), output)
    if f32:
        inputs = weighted.f32_inputs(golden.rng(OP, name), shape, weights, 0)
        yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    yield from conv("valid_3x3", (1, 5, 5, 3), (4, 3, 3, 3), "valid")
    yield from conv("same_3x3_cin1", (1, 5, 6, 1), (3, 3, 3, 1))
    yield from conv("same_2x2_even_kernel", (1, 4, 5, 3), (3, 2, 2, 3))
    yield from conv("same_4x2_even_kernel", (1, 6, 4, 2), (3, 4, 2, 2))
    yield from conv("stride2_same_cin3", (1, 7, 6, 3), (5, 3, 3, 3), stride=2)
    yield from conv("stride3_valid", (1, 8, 8, 2), (3, 3, 3, 2), "valid", stride=3)
    yield from conv("stride2x1_kernel3x1", (1, 7, 3, 3), (5, 3, 1, 3), stride=(2, 1))
    yield from conv("stride3_larger_than_kernel", (1, 8, 7, 3), (3, 2, 2, 3), stride=3)
    yield from conv("dilation2_same", (1, 6, 5, 3), (3, 3, 3, 3), dilation=2)
    yield from conv("dilation2x1_valid", (1, 7, 4, 2), (3, 3, 2, 2), "valid", dilation=(2, 1))
    yield from conv("pointwise_cin17_cout5", (1, 3, 4, 17), (5, 1, 1, 17))
    yield from conv("pointwise_1x1_image", (1, 1, 1, 5), (17, 1, 1, 5))
    yield from conv("kernel5_larger_than_image", (1, 2, 3, 3), (3, 5, 5, 3))
    yield from conv("batch2", (2, 4, 3, 3), (5, 3, 3, 3))
    yield from conv("relu", (1, 4, 4, 3), (4, 3, 3, 3), activation="relu")
    yield from conv("relu6", (1, 4, 4, 3), (4, 3, 3, 3), activation="relu6")
    yield from conv(
        "relu6_in_a_wider_range",
        (1, 4, 4, 3),
        (4, 3, 3, 3),
        activation="relu6",
        output=Output(0.0513, -20),
        f32=False,
    )

    def int8(name, q, output=None):
        return conv(name, (1, 4, 4, 3), (5, 3, 3, 3), q=q, output=output, f32=False)

    yield from int8("per_tensor", Quantization(per_channel=False))
    yield from int8("zero_points_min", Quantization(-128), Output(zero_point=-128))
    yield from int8("zero_points_max", Quantization(127), Output(zero_point=127))
    yield from int8("zero_points_0", Quantization(0), Output(zero_point=0))
    yield from int8("saturates_both_ends", Quantization(), Output(gain=4))
    yield from int8("multiplier_above_1", Quantization(0, amplitude=3, weight_amplitude=3))
    yield from int8("multiplier_shift_below_minus_20", Quantization(bias_amplitude=1 << 29))
    yield from int8(
        "multiplier_flushes_to_0", Quantization(scale=1e-6, weight_scale=1e-6), Output(1.0, 7)
    )
    yield from int8("multiplier_shift_minus_31", weighted.SHIFT_31, Output(7.3e5, -4))
    yield from int8("ties", weighted.TIES, weighted.TIES_OUTPUT)
    yield from int8("double_rounding", weighted.DOUBLE_ROUNDING, weighted.TIES_OUTPUT)
    yield from int8("f32_scale_product", weighted.F32_PRODUCT, weighted.TIES_OUTPUT)
    yield from int8(
        "f32_scale_product_per_channel", weighted.F32_PRODUCT_PER_CHANNEL, weighted.TIES_OUTPUT
    )
