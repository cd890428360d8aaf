"""softmax over the last axis of a tensor of any rank; the int8 output is always in 1/256ths."""

import numpy as np

import golden
import oracle
from golden import Output
from oracle import schema

OP = "softmax"
OUTPUT = Output(1 / 256, -128)


def twin(attrs, x):
    """The f32 softmax of beta times x."""
    return oracle.run_onnx("Softmax", x * np.float32(attrs["beta"]), axis=-1)


def int8(name, data, scale=0.08, zero_point=3, beta=1.0):
    """An int8 case on `data`."""
    model = "SOFTMAX", schema.SoftmaxOptionsT(beta=beta)
    inputs = [golden.activation(data, scale, zero_point)]
    yield golden.int8_case(name, {"beta": beta}, inputs, twin, model, OUTPUT)


def both(name, shape, beta=1.0):
    """An int8 case and an f32 case on random data."""
    yield from int8(name, golden.int8(golden.rng(OP, name), shape), beta=beta)
    inputs = [golden.activation(golden.real(golden.rng(OP, name), shape, 2.0))]
    yield golden.f32_case(name, {"beta": beta}, inputs, twin)


def cases():
    yield from both("rank1_5", (5,))
    yield from both("rank2_batch3", (3, 10))
    yield from both("rank3", (2, 3, 5))
    yield from both("rank4_17", (2, 1, 3, 17))
    yield from both("one_class", (3, 1))
    yield from both("beta_half", (2, 10), beta=0.5)
    yield from both("beta_10", (2, 10), beta=10.0)

    every = np.arange(-128, 128, dtype=np.int8)
    yield from int8("all_256_values", every.reshape(1, 256), scale=0.02)
    yield from int8("all_256_values_scale_0.1", every.reshape(1, 256), scale=0.1)
    # Pairs with the maximum show exp() itself at each distance from the maximum; at these scales
    # a wrong last bit inside (no rounding, two Newton steps) reaches the output.
    against_max = np.stack([every, np.full(256, 127, np.int8)], axis=1)
    for scale in (0.02398, 0.005232, 0.013345):
        yield from int8(f"distances_scale_{scale:g}", against_max, scale=scale)
    yield from int8("scale_3", golden.int8(golden.rng(OP, "scale_3"), (4, 8)), scale=3.0)
    yield from int8("scale_20_clamps", golden.int8(golden.rng(OP, "scale_20"), (4, 8)), scale=20.0)
    yield from int8("scale_1e-5", golden.int8(golden.rng(OP, "scale_1e-5"), (4, 8)), scale=1e-5)
    yield from int8("all_equal", np.full((2, 3), -128), zero_point=-128)
    yield from int8("zero_point_127", golden.int8(golden.rng(OP, "127"), (2, 9)), zero_point=127)

    spread = np.linspace(-87.0, 87.0, 64, dtype=np.float32).reshape(2, 32)
    yield golden.f32_case("wide_range", {"beta": 1.0}, [golden.activation(spread)], twin)
    large = np.array([[1e4, 1e4 - 1, -1e4], [3e38, -3e38, 0]], np.float32)
    yield golden.f32_case("large_values", {"beta": 1.0}, [golden.activation(large)], twin)
    equal = np.full((2, 7), -3.5, np.float32)
    yield golden.f32_case("all_equal", {"beta": 1.0}, [golden.activation(equal)], twin)
