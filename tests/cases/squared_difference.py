"""squared_difference: (x - y)^2 of two tensors whose shapes broadcast."""

import golden
import oracle
from golden import Output
from oracle import schema

OP = "squared_difference"
MODEL = "SQUARED_DIFFERENCE", schema.SquaredDifferenceOptionsT()
SHAPE = (1, 4, 4, 5)


def twin(attrs, x, y):
    difference = oracle.run_onnx("Sub", x, y)
    return oracle.run_onnx("Mul", difference, difference)


def int8(name, shape, other, scales=(0.05, 0.021), zero_points=(-3, 11), output=None, low=-128):
    generator = golden.rng(OP, name)
    inputs = [
        golden.activation(golden.int8(generator, each, low), scale, zero_point)
        for each, scale, zero_point in zip((shape, other), scales, zero_points)
    ]
    return golden.int8_case(name, {}, inputs, twin, MODEL, output)


def f32(name, shape, other):
    generator = golden.rng(OP, name)
    inputs = [golden.activation(golden.real(generator, each, 3.0)) for each in (shape, other)]
    return golden.f32_case(name, {}, inputs, twin)


def cases():
    for name, shape, other in (
        ("rank1", (7,), (7,)),
        ("rank3", (2, 3, 5), (2, 3, 5)),
        ("by_channel_mean", (1, 3, 4, 6), (1, 3, 4, 1)),
        ("by_image_mean", (2, 3, 2, 5), (2, 1, 1, 5)),
        ("scalar_first", (1,), (1, 3, 4, 3)),
        ("both_broadcast", (1, 3, 1, 5), (1, 1, 4, 1)),
    ):
        yield int8(name, shape, other)
        yield f32(name, shape, other)
    for i, (scales, zero_points) in enumerate(
        [
            ((0.05, 0.05), (0, 0)),
            ((0.9, 0.00011), (-128, 127)),
            ((0.0013, 0.7), (127, -128)),
            ((3.7, 2.9), (127, 127)),
            ((1e-6, 2e-6), (-5, 90)),
        ]
    ):
        yield int8(f"scales_{i}", SHAPE, SHAPE, scales, zero_points)
        yield int8(f"scales_{i}_bottom", SHAPE, SHAPE, scales, zero_points, Output(zero_point=-128))
    yield int8("saturates", SHAPE, SHAPE, output=Output(zero_point=-128, gain=5))
    yield int8("coarse_output", SHAPE, SHAPE, output=Output(300.0, -9))
    generator = golden.rng(OP, "any")
    for i in range(12):
        scales = [float(10.0**power) for power in generator.uniform(-3.5, 1, 2)]
        zero_points = [int(zp) for zp in generator.integers(-128, 128, 2)]
        output = Output(zero_point=int(generator.integers(-128, 0)), gain=float(generator.uniform(1, 3)))
        yield int8(f"any_{i}", SHAPE, SHAPE, scales, zero_points, output)
