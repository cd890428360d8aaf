"""What recurrent layers share: drawn inputs, and integers of 16 bits as their int8 arithmetic has them.

No oracle has an int8 GRU; this is the arithmetic of README.md once more, in NumPy, beside the f32 twin of ONNX Runtime,
of which the int8 answers must lie within the tolerance.
"""

import math

import numpy as np

import golden
from golden import Output
from oracle import Tensor

# Quantization of a hidden state: 128ths.
HIDDEN = Output(1 / 128, 0)
# Exponents of 2 whose exponential is a constant of exp_q31.
EXP_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
MAX_Q31 = 2**31 - 1


def round_away(x):
    """The nearest integer, ties away from zero."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def factor(real):
    """Multiplier and shift of a real factor."""
    q, shift = math.frexp(real)
    multiplier = round_away(q * 2**31)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def high_mul(a, b):
    return min((a * b + 2**30) >> 31, MAX_Q31)


def shift_right(x, n):
    """x / 2^n, ties away from zero."""
    magnitude = (abs(x) + (1 << n >> 1)) >> n
    return magnitude if x >= 0 else -magnitude


def requantize(x, multiplier, shift):
    return shift_right(high_mul(x << max(shift, 0), multiplier), max(-shift, 0))


def exp_q31(x, integer_bits):
    """e^x of x <= 0 with so many integer bits, in Q0.31."""
    if x == 0:
        return MAX_Q31
    quarter = 1 << (29 - integer_bits)
    r = (x & (quarter - 1)) - quarter
    t = (r << integer_bits) + 2**28
    t2 = high_mul(t, t)
    t3, t4 = high_mul(t2, t), high_mul(t2, t2)
    u = shift_right(high_mul(shift_right(t4, 2) + t3, 715827883) + t2, 1)
    e = 1895147668 + high_mul(1895147668, t + u)
    for k, constant in enumerate(EXP_POWERS):
        if (r - x) // quarter >> k & 1:
            e = high_mul(e, constant)
    return e


def shifted_left(x, n):
    """x * 2^n, saturated to 32 bits."""
    return max(-(2**31), min(x << n, MAX_Q31))


def reciprocal_steps(a):
    """2 / (1 + a) in Q2.29 of a in Q0.31."""
    d = (a + 2**31) // 2
    y = 1515870810 + high_mul(d, -1010580540)
    for _ in range(3):
        y += shifted_left(high_mul(y, 2**29 - high_mul(d, y)), 2)
    return y


def sat16(x):
    return max(-(2**15), min(x, 2**15 - 1))


def logistic_q15(x_q12):
    """The logistic function of a Q3.12."""
    x = sat16(x_q12) << 15
    if x == 0:
        return 2**14
    positive = shifted_left(reciprocal_steps(exp_q31(-abs(x), 4)), 1)
    return sat16(shift_right(positive if x > 0 else MAX_Q31 - positive, 16))


def tanh_q15(x_q12):
    """The hyperbolic tangent of a Q3.12."""
    x = sat16(x_q12) << 15
    if x == 0:
        return 0
    positive = shifted_left(reciprocal_steps(exp_q31(-abs(x), 5)) - 2**29, 2)
    return sat16(shift_right(positive if x > 0 else -positive, 16))


def mul_q15(a, b):
    return (a * b + 2**14) >> 15


class Projection:
    """int8 weights `[rows, k]` per channel and real biases: arguments of gates in Q3.12."""

    def __init__(self, weights, bias, x_scale, x_zero_point):
        self.weights = weights.data.astype(np.int64)
        self.zero_point = x_zero_point
        products = [float(x_scale) * float(scale) for scale in weights.scale]
        reals = zip(bias.data, products)
        self.bias = [round_away(float(real) / product) for real, product in reals]
        self.factors = [factor(product * 4096) for product in products]

    def __call__(self, x):
        sums = self.weights @ (x.astype(np.int64) - self.zero_point)
        rows = zip(sums, self.bias, self.factors)
        return [requantize(int(s) + bias, *each) for s, bias, each in rows]


def inputs(generator, shape, units, gates, n_biases, int8, spread=1.0, zero_point=3):
    """Sequences of `shape` [n, t, c], both matrices and the biases; int8 with weights per channel."""
    rows = gates * units
    made = []
    for dims in ((rows, shape[2]), (rows, units)):
        weights = golden.real(generator, dims, spread / math.sqrt(dims[1]))
        if int8:
            scales = np.abs(weights).max(axis=1) / 127
            stored = np.rint(weights / scales[:, None])
            made.append(golden.constant(stored.astype(np.int8), scales, (0,) * rows, 0))
        else:
            made.append(golden.constant(weights))
    biases = [golden.constant(golden.real(generator, rows, 0.3)) for _ in range(n_biases)]
    if int8:
        x = golden.activation(golden.int8(generator, shape), 2 / 128, zero_point)
    else:
        x = golden.activation(golden.real(generator, shape))
    return [x, *made, *biases]


def int8_case(name, attrs, tensors, twin, integers, tolerance):
    """A case with the answer of `integers`, at most `tolerance` steps away from the f32 twin."""
    x = tensors[0]
    states = np.stack([integers(tensors, sequence) for sequence in x.data])
    stored = states if attrs["sequences"] else states[:, -1]
    made = Tensor(stored.astype(np.int8), (np.float32(1 / 128),), (0,))
    expected = twin(attrs, *[tensor.real() for tensor in tensors])
    steps = np.abs(made.real() - np.clip(expected, -1, 127 / 128)) * 128
    if steps.max() > tolerance:
        raise AssertionError(f"{name}: {steps.max()} steps away from the f32 twin")
    return golden.case(name, "int8", attrs, tensors, made)
