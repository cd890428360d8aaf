"""Makes small .tflite files as Keras' own exporter writes them, for any batch, and what TensorFlow Lite answers.

    python3 -m venv ~/.cache/dunlin-keras
    ~/.cache/dunlin-keras/bin/pip install -r tests/keras/requirements.txt
    ~/.cache/dunlin-keras/bin/python tests/keras/make.py      # all; or: make.py elu greatest

golden.json holds inputs and outputs of each file, in order: those of LiteRT's reference kernels, and of TensorFlow Lite
Micro where these lack the operator. The reference is one of LiteRT because TensorFlow Lite Micro takes no network whose
shapes depend on the batch, as those of dilated convolutions do.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from tensorflow import keras  # noqa: E402
from tflite_micro import runtime  # noqa: E402

FOLDER = Path(__file__).resolve().parent
N_SAMPLES = 2
MODELS = []
L = keras.layers


def model(kinds=("int8", "f32"), oracle="litert"):
    def add(build):
        MODELS.append((build.__name__, build, kinds, oracle))
        return build

    return add


@model()
def dilated_image():
    x = i = keras.Input((10, 9, 2))
    x = L.Conv2D(4, 3, dilation_rate=2, padding="same", activation="relu")(x)
    x = L.DepthwiseConv2D(3, dilation_rate=3, padding="same")(x)
    return i, L.Conv2D(3, 3, dilation_rate=(2, 1), padding="valid")(x)


@model()
def dilated_series():
    x = i = keras.Input((24, 3))
    for rate in (1, 2, 4):
        y = L.Conv1D(4, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
        x = y if rate == 1 else L.Add()([x, y])
    return i, L.Dense(3)(x[:, -1])


@model()
def grouped():
    x = i = keras.Input((6, 5, 6))
    x = L.Conv2D(9, 3, groups=3, padding="same", activation="relu")(x)
    return i, L.Conv2D(18, (1, 3), groups=9)(x)


@model()
def greatest():
    x = i = keras.Input((6, 5, 3))
    x = L.Conv2D(4, 3)(x)
    a = L.GlobalMaxPooling2D()(x)
    b = L.GlobalMaxPooling1D()(x[:, 1])
    return i, L.Concatenate()([a, b])


@model()
def transposed():
    x = i = keras.Input((4, 3, 2))
    return i, L.Conv2DTranspose(3, 3, 2, padding="same", activation="relu")(x)


@model(kinds=("f32",))
def repeated():
    x = i = keras.Input((3, 4, 2))
    return i, L.SeparableConv2D(3, 3, padding="same")(L.UpSampling2D((2, 3))(x))


@model(kinds=("f32",))
def repeated_fixed():
    x = i = keras.Input((3, 4, 2), batch_size=1)
    image = L.Conv2D(3, 3, padding="same")(L.UpSampling2D((2, 3))(x))
    rows = L.UpSampling2D((1, 2))(L.Reshape((4, 3, 2))(x))
    return i, L.Concatenate()([L.Flatten()(image), L.Flatten()(rows)])


@model()
def mirrored():
    x = i = keras.Input((5, 4, 2))
    return i, L.Conv2D(2, 3)(keras.ops.pad(x, [[0, 0], [2, 1], [0, 3], [0, 0]], mode="reflect"))


class Blocks(L.Layer):
    def call(self, x):
        return tf.nn.depth_to_space(tf.nn.space_to_depth(x, 2)[..., :8], 2)


@model(oracle="micro")
def blocks():
    x = i = keras.Input((4, 6, 3))
    return i, Blocks()(L.Conv2D(3, 1)(x))


@model(oracle="micro")
def elu():
    x = i = keras.Input((7,))
    return i, L.Dense(3)(L.Dense(9, activation="elu")(x))


@model(kinds=("int8",))
def transposed_relu6():
    """The activation has a scale of its own, which TensorFlow Lite Micro leaves out of account."""
    x = i = keras.Input((4, 3, 2))
    return i, L.Conv2D(2, 2)(L.Conv2DTranspose(3, 3, 2, padding="same", activation="relu6")(8 * x))


@model(kinds=("int8",))
def curves():
    x = i = keras.Input((5, 4, 2), batch_size=1)
    x = L.Conv2D(4, 2, activation="gelu")(x)
    x = keras.activations.gelu(L.Conv2D(4, 1)(x), approximate=True)
    y = keras.activations.softplus(L.Conv2D(4, 1)(x))
    return i, L.Concatenate()([L.Conv2D(4, 1)(x), y, keras.ops.exp(-y)])


@model(kinds=("int8",), oracle="micro")
def normalized():
    x = i = keras.Input((6, 5, 3), batch_size=1)
    x = L.LayerNormalization()(L.Conv2D(6, 3)(x))
    x = L.UnitNormalization()(L.Conv2D(5, 1)(x))
    return i, L.Conv2D(4, 2)(L.RMSNormalization()(x))


@model(kinds=("int8",), oracle="micro")
def statistics():
    x = i = keras.Input((6, 5, 3), batch_size=1)
    x = L.Conv2D(6, 3)(x)
    y = [keras.ops.var(x, axis=1), keras.ops.sum(keras.ops.abs(x), axis=1), keras.ops.mean(x, axis=1)]
    return i, L.Concatenate()([*y, keras.ops.sum(keras.ops.square(x - y[2][:, None]), axis=1)])


@model(kinds=("f32",))
def unrolled():
    x = i = keras.Input((4, 3))
    x = L.Bidirectional(L.LSTM(3, unroll=True, return_sequences=True))(x)
    return i, L.GRU(4, unroll=True)(x)


@model(kinds=("f32",))
def transformer():
    x = i = keras.Input((5, 8))
    x = L.Add()([x, L.MultiHeadAttention(2, 4)(L.LayerNormalization()(x), x)])
    y = L.Dense(12, activation="gelu")(L.LayerNormalization()(x))
    return i, L.UnitNormalization()(L.GlobalAveragePooling1D()(L.Add()([x, L.Dense(8)(y)])))


@model(kinds=("f32",))
def words():
    x = i = keras.Input((6,), dtype="int32")
    return i, L.GlobalAveragePooling1D()(L.Embedding(10, 4)(x))


@model(kinds=("uint8", "float16", "dynamic"))
def stored():
    x = i = keras.Input((6, 6, 4))
    return i, L.Dense(5)(L.Flatten()(L.Conv2D(32, 3, activation="relu")(x)))


def sample(rng, shape, dtype):
    if dtype == np.int32:
        return rng.integers(0, 10, shape).astype(np.int32)
    if dtype == np.int8:
        return rng.integers(-128, 128, shape).astype(np.int8)
    if dtype == np.uint8:
        return rng.integers(0, 256, shape).astype(np.uint8)
    return rng.normal(0, 1, shape).astype(np.float32)


def convert(network, kind, rng):
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if kind in ("float16", "dynamic"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "uint8"):
        shape = [1, *network.inputs[0].shape[1:]]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample(rng, shape, np.float32)] for _ in range(50))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(kind)
    with contextlib.redirect_stdout(io.StringIO()):
        return converter.convert()


def litert(content, rng):
    network = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    network.allocate_tensors()
    (x,), (y,) = network.get_input_details(), network.get_output_details()
    inputs = [sample(rng, x["shape"], x["dtype"]) for _ in range(N_SAMPLES)]
    outputs = []
    for data in inputs:
        network.set_tensor(x["index"], data)
        network.invoke()
        outputs.append(network.get_tensor(y["index"]))
    return inputs, outputs


def dynamic(content, rng, network):
    """What Keras computes with the weights that are in the file. (LiteRT would round the activations, too.)"""
    file = Interpreter(model_content=content)
    file.allocate_tensors()
    stored = {}
    for tensor in file.get_tensor_details():
        if tensor["dtype"] == np.int8:
            scales, axis = (tensor["quantization_parameters"][key] for key in ("scales", "quantized_dimension"))
            shape = np.ones(len(tensor["shape"]), int)
            shape[axis] = len(scales)
            weights = file.get_tensor(tensor["index"]).astype(np.float32) * scales.reshape(shape)
            stored[weights.size] = np.moveaxis(weights, 0, -1)
    assert len(stored) == 2, stored.keys()
    network.set_weights([stored.get(weights.size, weights) for weights in network.get_weights()])
    shape = [1, *network.inputs[0].shape[1:]]
    inputs = [sample(rng, shape, np.float32) for _ in range(N_SAMPLES)]
    return inputs, [network(x).numpy() for x in inputs]


def micro(content, rng):
    network = runtime.Interpreter.from_bytes(content, arena_size=1 << 20)
    x = network.get_input_details(0)
    inputs = [sample(rng, x["shape"], x["dtype"]) for _ in range(N_SAMPLES)]
    outputs = []
    for data in inputs:
        network.set_input(data, 0)
        network.invoke()
        outputs.append(np.array(network.get_output(0)))
    return inputs, outputs


def main(wanted):
    golden = FOLDER / "golden.json"
    records = [] if not wanted else json.loads(golden.read_text())["models"]
    records = [record for record in records if record["name"].rsplit("_", 1)[0] not in wanted]
    for name, build, kinds, oracle in MODELS:
        if wanted and name not in wanted:
            continue
        keras.utils.set_random_seed(7)
        network = keras.Model(*build())
        for kind in kinds:
            rng = np.random.default_rng(7)
            content = convert(network, kind, rng)
            if kind == "dynamic":
                inputs, outputs = dynamic(content, rng, network)
            else:
                inputs, outputs = (litert if oracle == "litert" else micro)(content, rng)
            (FOLDER / f"{name}_{kind}.tflite").write_bytes(content)
            less = 128 if kind == "uint8" else 0  # Dunlin stores uint8 as int8
            for x, y in zip(inputs, outputs):
                numbers = [[float(n) - less for n in array.reshape(-1)] for array in (x, y)]
                records.append({"name": f"{name}_{kind}", "inputs": numbers[:1], "outputs": numbers[1:]})
            print(name, kind, len(content), file=sys.stderr)
    with open(golden, "w") as file:
        json.dump({"models": records}, file, separators=(",", ":"))
        file.write("\n")


main(sys.argv[1:])
