"""sum over any axes; in int8 it is the oracle's mean without the division."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "sum"


def twin(attrs, x):
    axes = np.array(attrs["axes"], np.int64)
    return oracle.run_onnx("ReduceSum", x, axes, keepdims=int(attrs["keep_dims"]))


def int8(name, shape, axes, keep_dims=True, scale=0.06, zero_point=-7, output=None):
    data = golden.int8(golden.rng(OP, name), shape)
    model = "SUM", schema.ReducerOptionsT(keepDims=keep_dims), axes
    attrs, inputs = {"axes": list(axes), "keep_dims": keep_dims}, [golden.activation(data, scale, zero_point)]
    return golden.int8_case(name, attrs, inputs, twin, model, output)


def f32(name, shape, axes, keep_dims):
    inputs = [golden.activation(golden.real(golden.rng(OP, name), shape, 4.0))]
    return golden.f32_case(name, {"axes": list(axes), "keep_dims": keep_dims}, inputs, twin)


def cases():
    for name, shape, axes, keep_dims in (
        ("image", (1, 5, 4, 3), (1, 2), True),
        ("image_dropped", (2, 3, 4, 3), (1, 2), False),
        ("channels", (1, 3, 4, 17), (3,), True),
        ("height_and_channels", (2, 3, 4, 5), (1, 3), False),
        ("rank2", (3, 7), (1,), True),
        ("rank3_first", (5, 2, 3), (0,), False),
    ):
        yield int8(name, shape, axes, keep_dims)
        yield f32(name, shape, axes, keep_dims)
    shape, axes = (1, 6, 6, 8), (1, 2)
    yield int8("same_quantization", shape, axes, output=Output(0.06, -7))
    yield int8("zero_points_min", shape, axes, zero_point=-128, output=Output(zero_point=-128))
    yield int8("zero_points_max", shape, axes, zero_point=127, output=Output(zero_point=127))
    yield int8("saturates_both_ends", shape, axes, output=Output(gain=4))
    yield int8("scale_much_larger", shape, axes, output=Output(7e4, 3))
    generator = golden.rng(OP, "any")
    for i in range(12):
        scale, zero_point = float(10.0 ** generator.uniform(-3.5, 1)), int(generator.integers(-128, 128))
        output = Output(zero_point=int(generator.integers(-128, 128)), gain=float(generator.uniform(1, 3)))
        yield int8(f"any_{i}", (3, 40), (1,), True, scale, zero_point, output)
