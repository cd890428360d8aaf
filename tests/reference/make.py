"""What the f32 reference models give: in f64, by the definitions, and in LiteRT. Writes golden.json.

    DUNLIN_ASSETS=... ~/.cache/dunlin-goldens/bin/python tests/reference/make.py

The environment is that of tests/cases/README.md. The models, and the int8 inputs of their int8 twins, are those of
the folder DUNLIN_ASSETS; the real numbers that the first of these inputs stand for are what is run. f32 itself is
inexact: how far each runtime is from f64 tells how well it rounds.
"""

import importlib.metadata
import json
import os
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

FOLDER = Path(__file__).parent
ASSETS = Path(os.environ["DUNLIN_ASSETS"])
N_SAMPLES = 3

NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
ACTIVATIONS = {
    schema.ActivationFunctionType.NONE: lambda x: x,
    schema.ActivationFunctionType.RELU: lambda x: np.maximum(x, 0),
    schema.ActivationFunctionType.RELU6: lambda x: np.clip(x, 0, 6),
}


def patches(x, kernel, stride, padding):
    """The windows of images `[n, h, w, c]`: `[n, h', w', kh, kw, c]`, outside the image NaN."""
    pads = [(0, 0)]
    for length, taps, step in zip(x.shape[1:3], kernel, stride):
        total = 0
        if padding == schema.Padding.SAME:
            total = max((-(-length // step) - 1) * step + taps - length, 0)
        pads.append((total // 2, total - total // 2))
    x = np.pad(x, [*pads, (0, 0)], constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, (1, 2))
    return windows[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)


def conv_2d(options, x, w, b):
    windows = np.nan_to_num(patches(x, w.shape[1:3], (options.strideH, options.strideW), options.padding))
    return np.einsum("nyxhwc,ohwc->nyxo", windows, w) + b


def depthwise_conv_2d(options, x, w, b):
    assert options.depthMultiplier == 1
    windows = np.nan_to_num(patches(x, w.shape[1:3], (options.strideH, options.strideW), options.padding))
    return np.einsum("nyxhwc,hwc->nyxc", windows, w[0]) + b


def average_pool_2d(options, x):
    kernel, stride = (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
    return np.nanmean(patches(x, kernel, stride, options.padding), (3, 4))


def fully_connected(options, x, w, b):
    return x.reshape(-1, w.shape[1]) @ w.T + b


def softmax(options, x):
    e = np.exp(options.beta * (x - x.max(-1, keepdims=True)))
    return e / e.sum(-1, keepdims=True)


OPERATORS = {
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "AVERAGE_POOL_2D": average_pool_2d,
    "FULLY_CONNECTED": fully_connected,
    "SOFTMAX": softmax,
    "ADD": lambda options, x, y: x + y,
}


def run_f64(file, x):
    """The first output of a model, every operator in f64."""
    model = schema.ModelT.InitFromPackedBuf(file)
    graph = model.subgraphs[0]
    values = {graph.inputs[0]: x.astype(np.float64)}
    for i, tensor in enumerate(graph.tensors):
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data) and tensor.type == schema.TensorType.FLOAT32:
            array = np.frombuffer(bytes(data), np.float32).reshape(tensor.shape)
            values[i] = array.astype(np.float64)
    for node in graph.operators:
        code = model.operatorCodes[node.opcodeIndex]
        name = NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name == "RESHAPE":
            made = values[node.inputs[0]].reshape(graph.tensors[node.outputs[0]].shape)
        else:
            options = node.builtinOptions
            made = OPERATORS[name](options, *(values[i] for i in node.inputs))
            activation = getattr(options, "fusedActivationFunction", schema.ActivationFunctionType.NONE)
            made = ACTIVATIONS[activation](made)
        values[node.outputs[0]] = made
    return values[graph.outputs[0]]


def run_litert(file, x):
    interpreter = Interpreter(model_content=file, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def main():
    version = importlib.metadata.version
    golden = {"oracle": {name: version(name) for name in ("numpy", "ai-edge-litert")}}
    for name in ("vww", "ic", "ad"):
        file = (ASSETS / f"models/mlperf_{name}_float32.tflite").read_bytes()
        stored = np.load(ASSETS / f"golden/mlperf_{name}_int8/input20.npy")[:N_SAMPLES]
        twin = Interpreter(str(ASSETS / f"models/mlperf_{name}_int8.tflite")).get_input_details()[0]
        scale, zero_point = twin["quantization"]
        reals = np.float32(scale) * (stored.astype(np.int32) - zero_point).astype(np.float32)
        samples = [sample.reshape(twin["shape"]) for sample in reals]
        outputs = {
            "f64": np.array([run_f64(file, x) for x in samples]).reshape(N_SAMPLES, -1),
            "litert": np.array([run_litert(file, x) for x in samples]).reshape(N_SAMPLES, -1),
        }
        distance = np.abs(outputs["f64"] - outputs["litert"]).max() / np.abs(outputs["f64"]).max()
        print(f"{name}: LiteRT is {distance:.2g} of the greatest output away from f64")
        golden[f"mlperf_{name}_float32"] = {
            "n_samples": N_SAMPLES,
            "f64": [float(f"{y:.12g}") for y in outputs["f64"].ravel()],
            "litert": [float(f"{y:.9g}") for y in outputs["litert"].ravel()],
        }
    text = json.dumps(golden, separators=(",", ":")).replace("},", "},\n")
    (FOLDER / "golden.json").write_text(text + "\n")


main()
