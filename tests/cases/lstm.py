"""lstm over sequences [n, t, c]; weights [4h, c] and [4h, h], gates in the order i, f, g, o.

int8 is UNIDIRECTIONAL_SEQUENCE_LSTM, whose weights are per tensor and gate.
"""

import math

import numpy as np

import golden
import oracle
from oracle import Tensor, schema

OP = "lstm"
GATES = 4
# Numbers of its inputs: peepholes, projections and normalizations are left out.
N_INPUTS, BIASES, STATES = 24, 12, 18


def twin(attrs, x, w, u, b):
    """ONNX's LSTM, time first, gates in the order i, o, f, g."""

    def reordered(rows):
        i, f, g, o = np.split(rows, GATES)
        return np.concatenate([i, o, f, g])[None]

    bias = np.concatenate([reordered(b), np.zeros_like(b)[None]], axis=1)
    steps = np.ascontiguousarray(x.transpose(1, 0, 2))
    y = oracle.run_onnx("LSTM", steps, reordered(w), reordered(u), bias, hidden_size=u.shape[1])
    states = y[:, 0].transpose(1, 0, 2)
    return np.ascontiguousarray(states if attrs["sequences"] else states[:, -1])


def run_tflm(attrs, x, gates, output):
    """Every hidden state of a layer, whose weights, recurrent weights and biases are lists of gates."""
    n, _, _ = x.data.shape
    units = output.data.shape[2]
    hidden = Tensor(np.zeros((n, units), np.int8), output.scale, output.zero_point)
    cell = Tensor(np.zeros((n, units), np.int16), (np.float32(2.0 ** -attrs["cell_bits"]),), (0,))
    tensors = [x, *gates["w"], *gates["u"], *gates["b"], hidden, cell, output]
    inputs = [0, *range(1, 9), *[-1] * 3, *range(9, 13), *[-1] * 2, 13, 14]
    inputs += [-1] * (N_INPUTS - len(inputs))
    options = schema.UnidirectionalSequenceLSTMOptionsT(
        fusedActivationFunction=oracle.activation_code("tanh"),
        cellClip=0.0 if math.isinf(attrs["clip"]) else attrs["clip"],
        projClip=0.0,
        timeMajor=False,
    )
    node = ("UNIDIRECTIONAL_SEQUENCE_LSTM", options, inputs, [15])
    model = oracle.build_model(tensors, [node], [0], [15], variables=[13, 14])
    outputs, exit_code = oracle.interpret(model, [x.data])
    if outputs is None:
        raise oracle.Refused(f"LSTM: exit code {exit_code}")
    return outputs[0]


def together(parts):
    """The gates' tensors as one, with a scale a row."""
    rows = len(parts[0].data)
    scales = [scale for part in parts for scale in part.scale * rows]
    return golden.constant(np.concatenate([part.data for part in parts]), scales, [0] * len(scales), 0)


def int8(name, shape, units, sequences, scale=1 / 128, zero_point=0, cell_bits=11, clip=math.inf, spread=1.0):
    """An int8 case on random data."""
    generator = golden.rng(OP, name)
    x = golden.activation(golden.int8(generator, shape), 2 / 128, 3)
    gates = {"w": [], "u": [], "b": []}
    for _ in range(GATES):
        for key, columns in (("w", shape[2]), ("u", units)):
            real = golden.real(generator, (units, columns), spread / math.sqrt(columns))
            step = np.abs(real).max() / 127
            gates[key].append(golden.constant(np.rint(real / step).astype(np.int8), (step,), (0,)))
        step = x.scale[0] * gates["w"][-1].scale[0]
        bias = np.rint(golden.real(generator, units, 0.3) / step).astype(np.int32)
        gates["b"].append(golden.constant(bias, (step,), (0,)))
    tensors = [x, *[together(gates[key]) for key in ("w", "u", "b")]]
    attrs = {"sequences": sequences, "clip": clip, "cell_bits": cell_bits}
    empty = Tensor(np.zeros((*shape[:2], units), np.int8), (np.float32(scale),), (zero_point,))
    states = run_tflm(attrs, x, gates, empty)
    made = Tensor(states if sequences else states[:, -1], empty.scale, empty.zero_point)
    if math.isinf(clip):
        expected = twin(attrs, *[tensor.real() for tensor in tensors])
        ends = Tensor(np.array([-128, 127]), made.scale, made.zero_point).real()
        steps = np.abs(made.real() - np.clip(expected, *ends)) * 128
        if steps.max() > 4:
            raise AssertionError(f"{name}: {steps.max()} 128ths away from the f32 twin")
    return golden.case(name, "int8", named(attrs), tensors, made)


def named(attrs):
    """Attributes as JSON has them: no clip instead of an infinite one."""
    return {key: value for key, value in attrs.items() if value != math.inf}


def f32(name, shape, units, sequences):
    attrs = {"sequences": sequences}
    generator = golden.rng(OP, name)
    rows = GATES * units
    x = golden.activation(golden.real(generator, shape))
    w = golden.constant(golden.real(generator, (rows, shape[2]), 1 / math.sqrt(shape[2])))
    u = golden.constant(golden.real(generator, (rows, units), 1 / math.sqrt(units)))
    b = golden.constant(golden.real(generator, rows, 0.3))
    return golden.f32_case(name, attrs, [x, w, u, b], twin)


def cases():
    for name, shape, units, sequences in (
        ("one_step", (1, 1, 3), 4, False),
        ("one_unit", (1, 5, 1), 1, True),
        ("last_of_20", (1, 20, 3), 8, False),
        ("every_of_12", (1, 12, 5), 9, True),
        ("two_sequences_last", (2, 7, 4), 6, False),
        ("three_sequences_every", (3, 4, 2), 5, True),
    ):
        yield int8(name, shape, units, sequences)
        yield f32(name, shape, units, sequences)
    yield int8("hidden_zero_point", (1, 8, 3), 5, True, scale=0.0061, zero_point=-17)
    yield int8("cells_of_13_bits", (1, 8, 3), 5, True, cell_bits=13)
    yield int8("cells_of_15_bits", (1, 4, 3), 5, True, cell_bits=15, spread=0.3)
    yield int8("cells_of_9_bits", (1, 8, 3), 5, True, cell_bits=9)
    yield int8("clipped_cells", (1, 16, 3), 5, True, clip=0.4, spread=2.0)
    yield int8("long", (1, 90, 2), 6, False)
