"""layer_norm over the last axis; gamma and beta [c]. No oracle has it in int8: the arithmetic of README.md, in NumPy."""

import math

import numpy as np

import golden
import oracle
from golden import Output
from oracle import Tensor
from recurrent import factor, requantize, round_away

OP = "layer_norm"


def twin(attrs, x, gamma, beta):
    return oracle.run_onnx("LayerNormalization", x, gamma, beta, axis=-1, epsilon=attrs["epsilon"])


def inverse_root(square):
    """The reciprocal of a root of 16 bits, and half the shift that brought the square to 32."""
    if square == 0:
        return 0, 0
    half_shift = (square.bit_length() + 1) // 2 - 16
    scaled = square >> 2 * half_shift if half_shift >= 0 else square << -2 * half_shift
    return 2**31 // math.isqrt(scaled), half_shift


def integers(attrs, x, gamma, beta, output):
    """The int8 answer for the vectors of `x`."""
    n = x.data.shape[-1]
    unit = max(float(np.abs(gamma.data).max()), 0.0) / 8192 or 1.0
    step = unit / 1024
    gammas = [round_away(float(g) / unit) for g in gamma.data]
    betas = [round_away(float(b) / step) for b in beta.data]
    epsilon = round_away(float(np.float32(attrs["epsilon"])) * (n / float(x.scale[0])) ** 2)
    multiplier, shift = factor(step / float(output.scale[0]))
    made = []
    for vector in x.data.reshape(-1, n).astype(int).tolist():
        total = sum(vector)
        spread = n * sum(q * q for q in vector) - total**2
        reciprocal, half_shift = inverse_root(spread + epsilon)
        bits = 21 + half_shift
        for q, g, b in zip(vector, gammas, betas):
            normalized = ((n * q - total) * reciprocal + (1 << bits - 1)) >> bits
            y = requantize(normalized * g + b, multiplier, shift) + output.zero_point[0]
            made.append(min(max(y, -128), 127))
    return np.array(made, np.int8).reshape(x.data.shape)


def int8(name, shape, epsilon=1e-3, scale=0.03, low=-128, high=127, zero_point=5, spread=1.0, output=None):
    """An int8 case on random data."""
    generator = golden.rng(OP, name)
    x = golden.activation(golden.int8(generator, shape, low, high), scale, zero_point)
    gamma = golden.constant(golden.real(generator, shape[-1], spread))
    beta = golden.constant(golden.real(generator, shape[-1], 0.5))
    attrs = {"epsilon": epsilon}
    expected = twin(attrs, *[tensor.real() for tensor in (x, gamma, beta)])
    output = output or Output()
    empty = output.quantize(expected)
    made = Tensor(integers(attrs, x, gamma, beta, empty), empty.scale, empty.zero_point)
    ends = Tensor(np.array([-128, 127]), made.scale, made.zero_point).real()
    steps = np.abs(made.real() - np.clip(expected, *ends)) / made.scale[0]
    if steps.max() > output.tolerance:
        raise AssertionError(f"{name}: {steps.max()} steps away from the f32 twin")
    return golden.case(name, "int8", attrs, [x, gamma, beta], made)


def f32(name, shape, epsilon=1e-3):
    generator = golden.rng(OP, name)
    x = golden.activation(golden.real(generator, shape, 2.0))
    gamma, beta = [golden.constant(golden.real(generator, shape[-1])) for _ in range(2)]
    return golden.f32_case(name, {"epsilon": epsilon}, [x, gamma, beta], twin)


def cases():
    for shape in ((7,), (3, 5), (2, 3, 16), (2, 3, 2, 9)):
        yield int8(f"rank{len(shape)}", shape)
        yield f32(f"rank{len(shape)}", shape)
    yield int8("long", (1, 350))
    yield int8("one_number", (3, 1))
    yield int8("great_epsilon", (3, 12), epsilon=10.0)
    yield int8("no_epsilon", (3, 12), epsilon=0.0)
    yield int8("little_spread", (4, 12), low=3, high=4)
    yield int8("zero_point_min", (2, 12), zero_point=-128, output=Output(zero_point=-128))
    yield int8("small_scale", (2, 12), scale=1e-5)
    yield int8("great_scale", (2, 12), scale=30.0)
    yield int8("saturates_both_ends", (4, 12), output=Output(gain=3))
    yield f32("great_epsilon", (3, 12), 10.0)
