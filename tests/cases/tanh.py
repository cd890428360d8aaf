"""tanh; the int8 output is always in 1/128ths."""

import oracle
from golden import Output
from unary import Unary

OP = "tanh"
OUTPUT = Output(1 / 128, 0)
TANH = Unary(OP, ("TANH", None), lambda attrs, x: oracle.run_onnx("Tanh", x))

# Scales where a wrong last bit inside (no rounding, two Newton steps) reaches the output.
FINE = (0.001912, 0.029697, 0.019749, 0.002632)


def cases():
    for scale in (1 / 32, *FINE, 0.3, 3.0, 0.0004):
        yield from TANH.every_int8(f"all_256_values_scale_{scale:g}", scale, 0, OUTPUT)
    for zero_point in (-128, 127, 13):
        yield from TANH.every_int8(f"zero_point_{zero_point}", 0.021, zero_point, OUTPUT)
    yield from TANH.f32_cases()
    yield from TANH.f32("saturated", [[9.0, -9.0, 12.0], [-12.0, 90.0, -90.0]])
