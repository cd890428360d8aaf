"""pointwise: functions of single numbers, in int8 from tables.

Those of abs, rsqrt and elu are what TensorFlow Lite Micro answers. Of the others it has none in int8; they are computed as
TensorFlow Lite makes its tables: in f32, with the product, the function and the quotient each rounded.
"""

import math

import numpy as np

import golden
import oracle
from golden import Output
from oracle import Tensor

OP = "pointwise"
ONNX = {
    "abs": "Abs",
    "sign": "Sign",
    "exp": "Exp",
    "ln": "Log",
    "sqrt": "Sqrt",
    "reciprocal": "Reciprocal",
    "elu": "Elu",
    "erf": "Erf",
}
EXACT = {
    "abs": abs,
    "sign": lambda x: float(np.sign(x)),
    "exp": math.exp,
    "ln": lambda x: math.log(x) if x > 0 else -math.inf if x == 0 else math.nan,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "rsqrt": lambda x: 1 / math.sqrt(x) if x > 0 else math.inf if x == 0 else math.nan,
    "reciprocal": lambda x: 1 / x if x else math.inf,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "erf": math.erf,
    "gelu": lambda x: 0.5 * x * math.erfc(-x * math.sqrt(0.5)),
    "gelu_tanh": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}
MICRO = {"abs": "ABS", "rsqrt": "RSQRT", "elu": "ELU"}
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(1, 8, 8, 4)


def twin(attrs, x):
    function = attrs["function"]
    if function == "rsqrt":
        return oracle.run_onnx("Reciprocal", oracle.run_onnx("Sqrt", x))
    if function == "gelu":
        return oracle.run_onnx("Gelu", x, approximate="none")
    if function == "gelu_tanh":
        return oracle.run_onnx("Gelu", x, approximate="tanh")
    return oracle.run_onnx(ONNX[function], x)


def int8(name, function, scale, zero_point, output):
    """All 256 values, as far as they have a function."""
    values = EVERY[EVERY >= zero_point].reshape(1, 1, 1, -1) if function == "rsqrt" else EVERY
    x = golden.activation(values, scale, zero_point)
    made = Tensor(np.zeros(values.shape, np.int8), (np.float32(output.scale),), (output.zero_point,))
    if function in MICRO:
        made = oracle.run_tflm(MICRO[function], None, [x], made)
    else:
        made.data = table(function, x, made).reshape(values.shape)
    return golden.case(name, "int8", {"function": function}, [x], made)


def table(function, x, out):
    """What TensorFlow Lite's tables say: of f32 numbers, each rounded."""
    [scale], [zero_point], [out_scale], [out_zero] = x.scale, x.zero_point, out.scale, out.zero_point
    per_step = np.float32(1) / out_scale
    stored = []
    for q in x.data.reshape(-1).tolist():
        y = float(np.float32(EXACT[function](float(scale * np.float32(q - zero_point)))) * per_step)
        if math.isfinite(y):
            y = math.floor(abs(y) + 0.5) * (1 if y >= 0 else -1)
        stored.append(int(min(max((0 if math.isnan(y) else y) + out_zero, -128), 127)))
    return np.array(stored, np.int8)


def f32(function, data):
    x = golden.activation(np.asarray(data, np.float32))
    return golden.f32_case(function, {"function": function}, [x], twin)


def cases():
    positive = np.geomspace(1e-6, 1e6, 60).reshape(3, 20)
    both = np.concatenate([-positive, positive])
    for function in EXACT:
        narrow = np.linspace(-20, 10, 61) if function in ("exp", "elu", "erf", "gelu", "gelu_tanh") else None
        some = positive if function in ("ln", "sqrt", "rsqrt") else both
        yield f32(function, some if narrow is None else narrow)
        yield int8(f"{function}_from_the_bottom", function, 0.031, -128, Output(0.037, -60))
        yield int8(f"{function}_about_zero", function, 0.02, 3, Output(0.05, -10))
        generator = golden.rng(OP, function)
        for i in range(6 if function in MICRO else 2):
            scale, out_scale = (float(10.0**power) for power in generator.uniform(-3, 0, 2))
            zero_point, out_zero = (int(zp) for zp in generator.integers(-128, 128, 2))
            yield int8(f"{function}_any_{i}", function, scale, zero_point, Output(out_scale, out_zero))
