"""gru over sequences [n, t, c]; weights [3h, c] and [3h, h], gates in the order r, z, n."""

import numpy as np

import golden
import oracle
import recurrent
from recurrent import Projection, logistic_q15, mul_q15, sat16, tanh_q15

OP = "gru"


def reordered(rows):
    """Gates from r, z, n to ONNX's z, r, n."""
    r, z, n = np.split(rows, 3)
    return np.concatenate([z, r, n])[None]


def twin(attrs, x, w, u, b, c):
    """ONNX's GRU, time first."""
    bias = np.concatenate([reordered(b), reordered(c)], axis=1)
    steps = np.ascontiguousarray(x.transpose(1, 0, 2))
    y = oracle.run_onnx(
        "GRU", steps, reordered(w), reordered(u), bias, hidden_size=u.shape[1], linear_before_reset=1
    )
    states = y[:, 0].transpose(1, 0, 2)
    return np.ascontiguousarray(states if attrs["sequences"] else states[:, -1])


def integers(tensors, sequence):
    """The hidden states of one int8 sequence, by the arithmetic of README.md."""
    x, w, u, b, c = tensors
    units = u.data.shape[1]
    from_input = Projection(w, b, x.scale[0], x.zero_point[0])
    from_hidden = Projection(u, c, 1 / 128, 0)
    state, h = [0] * units, np.zeros(units, np.int8)
    made = []
    for row in sequence:
        gx, gh = from_input(row), from_hidden(h)
        for j in range(units):
            r = logistic_q15(gx[j] + gh[j])
            z = logistic_q15(gx[units + j] + gh[units + j])
            n = tanh_q15(gx[2 * units + j] + mul_q15(r, sat16(gh[2 * units + j])))
            state[j] = n + mul_q15(z, state[j] - n)
        h = np.array([min((s + 128) >> 8, 127) for s in state], np.int8)
        made.append(h)
    return np.stack(made)


def both(name, shape, units, sequences, tolerance=3.0, **how):
    """An int8 and an f32 case on random data."""
    attrs = {"sequences": sequences}
    for int8 in (True, False):
        tensors = recurrent.inputs(golden.rng(OP, name), shape, units, 3, 2, int8, **how)
        if int8:
            yield recurrent.int8_case(name, attrs, tensors, twin, integers, tolerance)
        else:
            yield golden.f32_case(name, attrs, tensors, twin)


def cases():
    yield from both("one_step", (1, 1, 3), 4, False)
    yield from both("one_unit", (1, 5, 1), 1, True)
    yield from both("last_of_20", (1, 20, 3), 8, False)
    yield from both("every_of_12", (1, 12, 5), 9, True)
    yield from both("two_sequences_last", (2, 7, 4), 6, False)
    yield from both("three_sequences_every", (3, 4, 2), 5, True)
    yield from both("saturated_gates", (1, 10, 4), 6, True, spread=6.0, tolerance=16.0)
    yield from both("zero_point_min", (1, 6, 3), 4, True, zero_point=-128)
    yield from both("zero_point_max", (1, 6, 3), 4, True, zero_point=127)
    yield from both("long", (1, 100, 2), 6, False)
