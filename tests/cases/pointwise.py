"""pointwise: functions of single numbers. In int8 the nearest number to the exact value, from a table."""

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
}


def twin(attrs, x):
    function = attrs["function"]
    if function == "rsqrt":
        return oracle.run_onnx("Reciprocal", oracle.run_onnx("Sqrt", x))
    return oracle.run_onnx(ONNX[function], x)


def int8(name, function, scale, zero_point, output):
    """All 256 values."""
    every = np.arange(-128, 128, dtype=np.int8).reshape(1, 8, 8, 4)
    x = golden.activation(every, scale, zero_point)
    out_scale, out_zero = np.float32(output.scale), output.zero_point
    stored = []
    for q in every.reshape(-1).tolist():
        y = EXACT[function](float(np.float32(scale)) * (q - zero_point)) / float(out_scale)
        if math.isfinite(y):
            y = math.floor(abs(y) + 0.5) * (1 if y >= 0 else -1)
        stored.append(int(min(max((0 if math.isnan(y) else y) + out_zero, -128), 127)))
    made = Tensor(np.array(stored, np.int8).reshape(every.shape), (out_scale,), (out_zero,))
    return golden.case(name, "int8", {"function": function}, [x], made)


def f32(function, data):
    x = golden.activation(np.asarray(data, np.float32))
    return golden.f32_case(function, {"function": function}, [x], twin)


def cases():
    positive = np.geomspace(1e-6, 1e6, 60).reshape(3, 20)
    both = np.concatenate([-positive, positive])
    for function in EXACT:
        narrow = np.linspace(-20, 10, 61) if function in ("exp", "elu", "erf") else None
        some = positive if function in ("ln", "sqrt", "rsqrt") else both
        yield f32(function, some if narrow is None else narrow)
        yield int8(f"{function}_from_the_bottom", function, 0.031, -128, Output(0.037, -60))
        yield int8(f"{function}_about_zero", function, 0.02, 3, Output(0.05, -10))
