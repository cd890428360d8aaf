"""slice: indices at a constant distance along every dimension; SLICE and STRIDED_SLICE in TensorFlow Lite."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "slice"


def ends(attrs):
    """Where each range ends; an end below 0 would count from behind, so it is as far as ONNX has numbers."""
    parts = zip(attrs["begin"], attrs["len"], attrs["stride"])
    made = [begin + length * stride for begin, length, stride in parts]
    return [end if end >= 0 else np.iinfo(np.int32).min for end in made]


def twin(attrs, x):
    """The f32 slice."""
    axes = np.arange(x.ndim, dtype=np.int64)
    begin, stride = [np.array(attrs[key], np.int64) for key in ("begin", "stride")]
    return oracle.run_onnx("Slice", x, begin, np.array(ends(attrs), np.int64), axes, stride)


def both(name, shape, begin, length, stride=None, zero_point=-7):
    """An int8 and an f32 case on random data."""
    stride = stride or (1,) * len(shape)
    attrs = {"begin": list(begin), "len": list(length), "stride": list(stride)}
    if set(stride) == {1}:
        model = "SLICE", schema.SliceOptionsT(), begin, length
    else:
        # An end that is masked reaches as far as there are elements.
        masked = [end < 0 for end in ends(attrs)]
        mask = sum(1 << axis for axis, is_masked in enumerate(masked) if is_masked)
        end = [0 if is_masked else end for end, is_masked in zip(ends(attrs), masked)]
        model = "STRIDED_SLICE", schema.StridedSliceOptionsT(endMask=mask), begin, end, stride
    generator = golden.rng(OP, name)
    inputs = [golden.activation(golden.int8(generator, shape), 0.06, zero_point)]
    yield golden.int8_case(name, attrs, inputs, twin, model, Output(0.06, zero_point))
    inputs = [golden.activation(golden.real(generator, shape))]
    yield golden.f32_case(name, attrs, inputs, twin)


def cases():
    shape = (2, 4, 5, 3)
    yield from both("all", shape, (0, 0, 0, 0), shape)
    yield from both("every_dimension", shape, (1, 1, 2, 1), (1, 2, 2, 2))
    yield from both("channels", shape, (0, 0, 0, 1), (2, 4, 5, 1))
    yield from both("width", shape, (0, 0, 1, 0), (2, 4, 3, 3))
    yield from both("height", shape, (0, 2, 0, 0), (2, 2, 5, 3))
    yield from both("batch", shape, (1, 0, 0, 0), (1, 4, 5, 3))
    yield from both("strides", shape, (0, 1, 0, 0), (2, 2, 3, 2), (1, 2, 2, 2))
    yield from both("width_reversed", shape, (0, 0, 4, 0), (2, 4, 5, 3), (1, 1, -1, 1))
    yield from both("height_reversed", shape, (0, 3, 0, 0), (2, 4, 5, 3), (1, -1, 1, 1))
    yield from both("all_reversed", shape, (1, 3, 4, 2), (2, 4, 5, 3), (-1, -1, -1, -1))
    yield from both("negative_strides", shape, (1, 3, 4, 2), (1, 2, 3, 1), (-1, -2, -2, -3))
    yield from both("rank1", (9,), (1,), (4,), (2,))
    yield from both("rank1_reversed", (9,), (8,), (3,), (-3,))
    yield from both("rank2", (4, 6), (1, 2), (2, 3))
    yield from both("rank2_strides", (4, 6), (3, 0), (2, 2), (-2, 4))
    yield from both("rank3", (3, 4, 5), (0, 1, 2), (3, 2, 3))
    yield from both("rank3_strides", (3, 4, 5), (2, 0, 4), (2, 2, 2), (-1, 3, -4))
    yield from both("zero_point_min", shape, (0, 1, 1, 0), (2, 2, 2, 3), None, -128)
    yield from both("zero_point_max", shape, (0, 3, 1, 0), (2, 2, 2, 3), (1, -2, 2, 1), 127)
