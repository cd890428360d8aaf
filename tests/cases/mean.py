"""mean over any axes; the oracle's int8 arithmetic is one for all axes and for keep_dims."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "mean"


def twin(attrs, x):
    """The f32 mean."""
    axes = np.array(attrs["axes"], np.int64)
    return oracle.run_onnx("ReduceMean", x, axes, keepdims=int(attrs["keep_dims"]))


def int8(name, data, axes, keep_dims=True, scale=0.06, zero_point=-7, output=None):
    """An int8 case on `data`."""
    attrs = {"axes": list(axes), "keep_dims": keep_dims}
    model = "MEAN", schema.ReducerOptionsT(keepDims=keep_dims), axes
    inputs = [golden.activation(data, scale, zero_point)]
    yield golden.int8_case(name, attrs, inputs, twin, model, output)


def both(name, shape, axes, keep_dims=True):
    """An int8 and an f32 case on random data."""
    yield from int8(name, golden.int8(golden.rng(OP, name), shape), axes, keep_dims)
    inputs = [golden.activation(golden.real(golden.rng(OP, name), shape, 4.0))]
    yield golden.f32_case(name, {"axes": list(axes), "keep_dims": keep_dims}, inputs, twin)


def cases():
    yield from both("image", (1, 5, 4, 3), (1, 2))
    yield from both("image_dropped", (1, 5, 4, 3), (1, 2), False)
    yield from both("image_batch2_c17", (2, 2, 3, 17), (1, 2))
    yield from both("height", (2, 3, 4, 5), (1,))
    yield from both("width_dropped", (1, 3, 4, 5), (2,), False)
    yield from both("channels", (1, 3, 4, 17), (3,))
    yield from both("image_1x1", (1, 1, 1, 5), (1, 2))
    yield from both("height_and_channels", (2, 3, 4, 5), (1, 3))
    yield from both("rank2", (3, 7), (1,))
    yield from both("rank3_last", (2, 3, 7), (2,), False)
    yield from both("rank3_first", (5, 2, 3), (0,))

    data = golden.int8(golden.rng(OP, "quantization"), (1, 6, 6, 8))
    same = Output(0.06, -7)
    yield from int8("same_quantization", data, (1, 2), output=same)
    yield from int8("same_quantization_dropped", data, (1, 2), False, output=same)
    yield from int8(
        "zero_points_min", data, (1, 2), zero_point=-128, output=Output(zero_point=-128)
    )
    yield from int8("zero_points_max", data, (1, 2), zero_point=127, output=Output(zero_point=127))
    yield from int8("zero_points_0", data, (1, 2), zero_point=0, output=Output(zero_point=0))
    yield from int8("saturates_both_ends", data, (1, 2), output=Output(gain=4))
    yield from int8("multiplier_above_1", data, (1, 2), output=Output(0.0021, 3))
    yield from int8("scale_much_larger", data, (1, 2), output=Output(700.0, 3))
    yield from int8("multiplier_shift_near_minus_31", data, (1, 2), output=Output(1e8, 3))

    # Sums of 2, 4 and 3 small values: ties of both signs.
    values = golden.int8(golden.rng(OP, "ties"), (40, 4, 3), -9, 9)
    for axis, n in ((1, 4), (2, 3)):
        for zero_point in (0, -5):
            name = f"ties_of_{n}_zero_point_{zero_point}"
            output = Output(0.06, zero_point)
            yield from int8(name, values, (axis,), True, 0.06, zero_point, output)
    pairs = golden.int8(golden.rng(OP, "pairs"), (1, 2, 1, 120), -9, 9)
    yield from int8("ties_of_2", pairs, (1, 2), True, 0.06, 0, Output(0.06, 0))
    yield from int8("ties_of_2_dropped", pairs, (1, 2), False, 0.06, 0, Output(0.06, 0))
