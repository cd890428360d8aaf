"""logistic; the int8 output is always in 1/256ths."""

import oracle
from golden import Output
from unary import Unary

OP = "logistic"
OUTPUT = Output(1 / 256, -128)
LOGISTIC = Unary(OP, ("LOGISTIC", None), lambda attrs, x: oracle.run_onnx("Sigmoid", x))

# Scales where a wrong last bit inside (no rounding, two Newton steps) reaches the output.
FINE = (0.004197, 0.069293, 0.097246)


def cases():
    for scale in (1 / 16, *FINE, 0.5, 3.0, 0.0007):
        yield from LOGISTIC.every_int8(f"all_256_values_scale_{scale:g}", scale, 0, OUTPUT)
    for zero_point in (-128, 127, 13):
        yield from LOGISTIC.every_int8(f"zero_point_{zero_point}", 0.043, zero_point, OUTPUT)
    yield from LOGISTIC.f32_cases()
    yield from LOGISTIC.f32("saturated", [[17.0, -17.0, 30.0], [-30.0, 90.0, -90.0]])
