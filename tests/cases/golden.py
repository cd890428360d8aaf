"""Makes cases (int8 by TensorFlow Lite Micro, f32 by ONNX Runtime) and writes them as JSON."""

import json
import zlib
from dataclasses import dataclass

import numpy as np

import oracle
from oracle import Tensor

# Every case also runs on a microcontroller with 16 KB of RAM.
MAX_CONSTANT_BYTES = 3 * 1024
MAX_ACTIVATION_BYTES = 2 * 1024

INT8_MIN, INT8_MAX = -128, 127


def rng(op, name):
    """A generator of its own for each case, so that adding a case changes no other."""
    return np.random.default_rng(zlib.crc32(f"{op}/{name}".encode()))


def int8(generator, shape, low=INT8_MIN, high=INT8_MAX):
    """Uniform int8 values, both ends included."""
    return generator.integers(low, high, shape, np.int8, endpoint=True)


def real(generator, shape, spread=1.0):
    """Normally distributed f32 values."""
    return (generator.standard_normal(shape) * spread).astype(np.float32)


def activation(data, scale=None, zero_point=0):
    """An input that is fed: f32 without `scale`, else int8 with it."""
    if scale is None:
        return Tensor(np.asarray(data, np.float32))
    return Tensor(np.asarray(data, np.int8), (np.float32(scale),), (zero_point,))


def constant(data, scale=(), zero_point=(), axis=None):
    """An input that the model holds: weights, biases, constant operands."""
    scale = tuple(np.float32(each) for each in scale)
    return Tensor(np.asarray(data), scale, tuple(zero_point), axis, constant=True)


@dataclass
class Output:
    """How the int8 output is quantized; what is None follows from the range of the f32 twin.

    `gain` above 1 makes the range too small by that factor, so that outputs saturate.
    `tolerance` is how many steps the oracle may be away from the f32 twin.
    """

    scale: float | None = None
    zero_point: int | None = None
    gain: float = 1.0
    tolerance: float = 1.01

    def quantize(self, values):
        """An empty int8 tensor of the shape of `values`, quantized for their range."""
        low, high = min(values.min(), 0.0), max(values.max(), 0.0)
        scale, zero_point = self.scale, self.zero_point
        if scale is None and zero_point is None:
            scale = (high - low) / 255 / self.gain
        elif scale is None:
            above = high / max(INT8_MAX - zero_point, 0.5)
            below = low / min(INT8_MIN - zero_point, -0.5)
            one_sided = {INT8_MIN: above, INT8_MAX: below}
            scale = one_sided.get(zero_point, max(above, below)) / self.gain
        scale = np.float32(scale if scale > 0 else 1.0)
        if zero_point is None:
            zero_point = round(INT8_MIN - float(low / scale) / self.gain)
            zero_point = min(max(zero_point, INT8_MIN), INT8_MAX)
        return Tensor(np.zeros(values.shape, np.int8), (scale,), (int(zero_point),))


def int8_case(name, attrs, inputs, twin, model, output=None):
    """A case with the int8 output of TensorFlow Lite Micro.

    `model` is the operator's name in the .tflite schema, its options, and the inputs that are
    attributes in the case (axes, paddings, shape). `twin(attrs, *arrays)` is the same operator
    in f32: it gives the shape and range of the output, and guards against a wrong model.
    """
    output = output or Output()
    expected = twin(attrs, *[tensor.real() for tensor in inputs])
    operator, options, *extra = model
    extra = [constant(np.asarray(data, np.int32)) for data in extra]
    made = oracle.run_tflm(operator, options, [*inputs, *extra], output.quantize(expected))
    ends = Tensor(np.array([INT8_MIN, INT8_MAX]), made.scale, made.zero_point).real()
    steps = np.abs(made.real() - np.clip(expected, *ends)) / made.scale[0]
    if steps.max() > output.tolerance:
        raise AssertionError(f"{name}: {steps.max()} steps away from the f32 twin")
    return case(name, "int8", attrs, inputs, made)


def f32_case(name, attrs, inputs, twin):
    """A case with the f32 output of `twin`."""
    result = twin(attrs, *[tensor.data for tensor in inputs])
    return case(name, "f32", attrs, inputs, Tensor(result.astype(np.float32)))


def case(name, dtype, attrs, inputs, output):
    """The case as it stands in the JSON, after a check that it fits a microcontroller."""
    constants = sum(tensor.data.nbytes for tensor in inputs if tensor.constant)
    activations = sum(tensor.data.nbytes for tensor in inputs if not tensor.constant)
    activations += output.data.nbytes
    if constants > MAX_CONSTANT_BYTES or activations > MAX_ACTIVATION_BYTES:
        raise AssertionError(f"{name} {dtype}: {constants} + {activations} bytes are too many")
    return {
        "name": name,
        "dtype": dtype,
        "attrs": attrs,
        "inputs": [_tensor(tensor) for tensor in inputs],
        "outputs": [_tensor(output)],
    }


# --- JSON --------------------------------------------------------------------------------------


def _tensor(tensor):
    dtype = tensor.data.dtype.name
    made = {"dtype": "f32" if dtype == "float32" else dtype, "shape": list(tensor.data.shape)}
    if tensor.scale:
        made["scale"] = _numbers(np.array(tensor.scale, np.float32))
        made["zero_point"] = list(tensor.zero_point) or [0] * len(tensor.scale)
    if tensor.axis is not None:
        made["axis"] = tensor.axis
    if tensor.constant:
        made["constant"] = True
    made["data"] = _numbers(tensor.data.reshape(-1))
    return made


def _numbers(array):
    """A list whose decimal text gives back exactly the same f32 (or integers)."""
    if array.dtype != np.float32:
        return array.tolist()
    made = [float(str(value)) for value in array]
    if not np.array_equal(np.array(made).astype(np.float32), array):
        raise AssertionError("an f32 does not survive its decimal form")
    return made


def write(path, op, cases):
    """Writes the golden file of `op`: a tensor a line."""
    names = [(each["name"], each["dtype"]) for each in cases]
    if len(set(names)) != len(names):
        raise AssertionError(f"{op}: two cases have the same name")
    text = f'{{"op": {json.dumps(op)},\n "oracle": {json.dumps(oracle.versions())},\n "cases": [\n'
    text += ",\n".join(_case_text(each) for each in cases)
    path.write_text(text + "\n ]}\n")


def _case_text(each):
    head = ", ".join(
        f"{json.dumps(key)}: {json.dumps(each[key])}" for key in ("name", "dtype", "attrs")
    )
    parts = [f"  {{{head}"]
    for key in ("inputs", "outputs"):
        lines = ",\n".join("    " + json.dumps(tensor) for tensor in each[key])
        parts.append(f'   "{key}": [\n{lines}]')
    return ",\n".join(parts) + "}"
