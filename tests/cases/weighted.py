"""What convolutions and fully connected layers share: input, weights and bias, int8 or f32."""

from dataclasses import dataclass, replace

import numpy as np

import golden
from golden import Output


@dataclass
class Quantization:
    """How the inputs of an int8 case are drawn.

    Values are uniform in ±amplitude (the input over the whole int8 range by default). The bias
    is in units of the accumulator; by default about as large as the products' sum. Per-channel
    scales are `weight_scale` times a factor in [least_factor, 1].
    """

    zero_point: int = -5
    scale: float = 0.047
    weight_scale: float = 0.0071
    per_channel: bool = True
    least_factor: float = 0.1
    amplitude: int = 128
    weight_amplitude: int = 127
    bias_amplitude: int | None = None


# Accumulators near the ends of int32, for the smallest multiplier there is.
SHIFT_31 = Quantization(
    0, per_channel=False, amplitude=3, weight_amplitude=3, bias_amplitude=(1 << 31) - 10_000
)
# Small accumulators times 1/2: every odd one is a tie.
TIES = Quantization(0, 1 / 8, 1 / 16, per_channel=False, amplitude=3, weight_amplitude=3)
# Times a little less than 1/2: rounding twice makes ties of what is none.
DOUBLE_ROUNDING = replace(TIES, scale=(1 - 2**-24) / 8)
# Times a half again only if the product of the two scales is rounded to f32.
F32_PRODUCT = replace(TIES, scale=(1 - 2**-24) / 8, weight_scale=(1 + 2**-23) / 16)
F32_PRODUCT_PER_CHANNEL = replace(F32_PRODUCT, per_channel=True, least_factor=1.0)
TIES_OUTPUT = Output(1 / 64, 3)


def int8_inputs(generator, shape, weight_shape, axis, quantization):
    """Input, weights and bias of an int8 case; `axis` is the weights' output channel."""
    q = quantization
    low = max(-q.amplitude, golden.INT8_MIN)
    high = min(q.amplitude, golden.INT8_MAX)
    x = golden.activation(golden.int8(generator, shape, low, high), q.scale, q.zero_point)
    weights = golden.int8(generator, weight_shape, -q.weight_amplitude, q.weight_amplitude)
    n_out = weight_shape[axis]
    scales = np.full(n_out if q.per_channel else 1, q.weight_scale, np.float32)
    if q.per_channel:
        scales *= generator.uniform(q.least_factor, 1.0, n_out).astype(np.float32)
    limit = q.bias_amplitude
    if limit is None:
        taps = weights.size // n_out
        limit = int(q.amplitude * q.weight_amplitude * taps**0.5)
    bias = generator.integers(-limit, limit, n_out, np.int32, endpoint=True)
    channel = axis if q.per_channel else None
    bias_scales = x.scale[0] * scales
    return [
        x,
        golden.constant(weights, scales, [0] * len(scales), channel),
        golden.constant(bias, bias_scales, [0] * len(scales), 0 if q.per_channel else None),
    ]


def f32_inputs(generator, shape, weight_shape, axis):
    """Input, weights and bias of an f32 case."""
    return [
        golden.activation(golden.real(generator, shape)),
        golden.constant(golden.real(generator, weight_shape, 0.3)),
        golden.constant(golden.real(generator, weight_shape[axis], 0.3)),
    ]
