"""depthwise_conv2d: input [n, h, w, c_in], weights [1, kh, kw, c_in * multiplier], bias [c_out]."""

import golden
import oracle
import weighted
import window
from golden import Output
from oracle import schema
from weighted import Quantization

OP = "depthwise_conv2d"


def twin(attrs, x, weights, bias):
    """The f32 convolution with one group for each input channel."""
    y = oracle.run_onnx(
        "Conv",
        oracle.to_nchw(x),
        weights.transpose(3, 0, 1, 2).copy(),
        bias,
        strides=attrs["stride"],
        dilations=attrs["dilation"],
        pads=attrs["pads"],
        group=x.shape[3],
    )
    return oracle.activate(attrs["activation"], oracle.to_nhwc(y))


def conv(
    name,
    shape,
    kernel,
    multiplier=1,
    padding="same",
    stride=1,
    dilation=1,
    activation="none",
    q=None,
    output=None,
    f32=True,
):
    """The int8 case and, with `f32`, the f32 case of one depthwise convolution."""
    kernel, stride, dilation = window.pair(kernel), window.pair(stride), window.pair(dilation)
    attrs = {
        "stride": stride,
        "dilation": dilation,
        "pads": window.explicit_pads(padding, shape[1:3], kernel, stride, dilation),
        "activation": activation,
        "depth_multiplier": multiplier,
    }
    options = schema.DepthwiseConv2DOptionsT(
        padding=oracle.padding_code(padding),
        strideH=stride[0],
        strideW=stride[1],
        depthMultiplier=multiplier,
        fusedActivationFunction=oracle.activation_code(activation),
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
    )
    shapes = shape, (1, *kernel, shape[3] * multiplier), 3
    inputs = weighted.int8_inputs(golden.rng(OP, name), *shapes, q or Quantization())
    yield golden.int8_case(name, attrs, inputs, twin, ("DEPTHWISE_CONV_2D", options), output)
    if f32:
        inputs = weighted.f32_inputs(golden.rng(OP, name), *shapes)
        yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    yield from conv("valid_3x3_c3", (1, 5, 5, 3), 3, padding="valid")
    yield from conv("same_3x3_c1", (1, 5, 6, 1), 3)
    yield from conv("same_3x3_c5", (1, 5, 4, 5), 3)
    yield from conv("same_3x3_c17", (1, 3, 3, 17), 3)
    yield from conv("same_2x2_even_kernel", (1, 4, 5, 3), 2)
    yield from conv("same_4x2_even_kernel", (1, 6, 4, 3), (4, 2))
    yield from conv("stride2_same_c3", (1, 7, 6, 3), 3, stride=2)
    yield from conv("stride3_valid", (1, 8, 8, 2), 3, padding="valid", stride=3)
    yield from conv("kernel3x1", (1, 6, 3, 5), (3, 1))
    yield from conv("stride2x1_kernel1x3", (1, 5, 5, 3), (1, 3), stride=(2, 1))
    yield from conv("kernel_1x1", (1, 3, 4, 5), 1)
    yield from conv("dilation2_same", (1, 6, 5, 3), 3, dilation=2)
    yield from conv("dilation2x1_valid", (1, 7, 4, 2), (3, 2), padding="valid", dilation=(2, 1))
    yield from conv("multiplier2_c3", (1, 4, 4, 3), 3, 2)
    yield from conv("multiplier3_c1", (1, 4, 5, 1), 3, 3)
    yield from conv("multiplier2_stride2_c5", (1, 5, 5, 5), 3, 2, stride=2)
    yield from conv("kernel5_larger_than_image", (1, 2, 3, 3), 5)
    yield from conv("batch2", (2, 4, 3, 3), 3)
    yield from conv("relu", (1, 4, 4, 4), 3, activation="relu")
    yield from conv("relu6", (1, 4, 4, 4), 3, activation="relu6")
    yield from conv(
        "relu6_in_a_wider_range",
        (1, 4, 4, 4),
        3,
        activation="relu6",
        output=Output(0.0513, -20),
        f32=False,
    )

    def int8(name, q, output=None):
        return conv(name, (1, 4, 4, 5), 3, q=q, output=output, f32=False)

    yield from int8("per_tensor", Quantization(per_channel=False))
    yield from int8("zero_points_min", Quantization(-128), Output(zero_point=-128))
    yield from int8("zero_points_max", Quantization(127), Output(zero_point=127))
    yield from int8("zero_points_0", Quantization(0), Output(zero_point=0))
    yield from int8("saturates_both_ends", Quantization(), Output(gain=4))
    yield from int8("multiplier_above_1", Quantization(0, amplitude=3, weight_amplitude=3))
    yield from int8("multiplier_shift_below_minus_20", Quantization(bias_amplitude=1 << 29))
    yield from int8("multiplier_shift_minus_31", weighted.SHIFT_31, Output(7.3e5, -4))
    yield from int8("ties", weighted.TIES, weighted.TIES_OUTPUT)
    yield from int8("double_rounding", weighted.DOUBLE_ROUNDING, weighted.TIES_OUTPUT)
    yield from int8("f32_scale_product", weighted.F32_PRODUCT, weighted.TIES_OUTPUT)
    yield from int8(
        "f32_scale_product_per_channel", weighted.F32_PRODUCT_PER_CHANNEL, weighted.TIES_OUTPUT
    )
