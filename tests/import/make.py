"""Makes small .tflite files of what imports turn into something else, and what TensorFlow Lite Micro answers.

    ~/.cache/dunlin-goldens/bin/python tests/import/make.py

The environment is that of tests/cases/README.md. golden.json holds inputs and outputs of each file, in order;
of a file that TensorFlow Lite Micro refuses it says `"refused": true`.
"""

import io
import json
import sys
import zipfile
import zlib
from pathlib import Path

import flatbuffers
import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "cases"))

import oracle  # noqa: E402
from golden import constant  # noqa: E402
from oracle import Tensor, schema  # noqa: E402

MODELS = {}


class Model:
    """A model being built: tensors and operators in order."""

    def __init__(self, name):
        MODELS[name] = self
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.tensors, self.operators, self.inputs, self.outputs = [], [], [], []
        self.variables = []
        self.edit = None

    def add(self, tensor):
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def input(self, shape, scale=None, zero_point=0):
        """An input with random data: int8 with a scale, else f32."""
        if scale is None:
            data = self.rng.standard_normal(shape).astype(np.float32)
        else:
            data = self.rng.integers(-128, 127, shape, np.int8, endpoint=True)
        self.inputs.append(self.value(data, scale, zero_point))
        return self.inputs[-1]

    def value(self, data, scale=None, zero_point=0):
        quantization = () if scale is None else ((np.float32(scale),), (zero_point,))
        return self.add(Tensor(data, *quantization))

    def ints(self, values):
        return self.add(constant(np.array(values, np.int32)))

    def operator(self, name, options, inputs, shapes, scale=None, zero_point=0, dtype=None):
        """Appends an operator; returns its outputs, one a shape."""
        dtype = dtype or (np.float32 if scale is None else np.int8)
        made = [self.value(np.zeros(shape, dtype), scale, zero_point) for shape in shapes]
        self.operators.append((name, options, inputs, made))
        return made

    def give(self, outputs):
        self.outputs = outputs

    def file(self):
        file = oracle.build_model(
            self.tensors, self.operators, self.inputs, self.outputs, self.variables
        )
        if self.edit is None:
            return file
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file, 0))
        self.edit(model)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


# Both dtypes: name of the kind, and the quantization of everything.
KINDS = {"int8": (0.05, 3), "f32": (None, 0)}


def split_models(kind, quant):
    m = Model(f"split_{kind}")
    x = m.input((1, 3, 2, 6), *quant)
    options = schema.SplitOptionsT(numSplits=3)
    m.give(m.operator("SPLIT", options, [m.ints(-1), x], [(1, 3, 2, 2)] * 3, *quant))

    m = Model(f"split_rows_{kind}")
    x = m.input((4, 3), *quant)
    options = schema.SplitOptionsT(numSplits=2)
    m.give(m.operator("SPLIT", options, [m.ints([0]), x], [(2, 3)] * 2, *quant))

    m = Model(f"split_v_{kind}")
    x = m.input((2, 7, 3), *quant)
    options = schema.SplitVOptionsT(numSplits=3)
    shapes = [(2, 1, 3), (2, 4, 3), (2, 2, 3)]
    inputs = [x, m.ints([1, -1, 2]), m.ints(1)]
    m.give(m.operator("SPLIT_V", options, inputs, shapes, *quant))


def slice_models(kind, quant):
    m = Model(f"slice_{kind}")
    x = m.input((2, 5, 3), *quant)
    inputs = [x, m.ints([1, 2, 0]), m.ints([-1, 2, 3])]
    m.give(m.operator("SLICE", schema.SliceOptionsT(), inputs, [(1, 2, 3)], *quant))

    ranges = {
        # Name: begin, end, stride, options, shape of the output for an input of (4, 5, 6).
        "strided": ([1, -1, 0], [4, 0, 6], [2, -2, 3], {}, (2, 2, 2)),
        "masks": ([9, 3, 2], [2, 9, 5], [1, 1, 1], {"beginMask": 1, "endMask": 2}, (2, 2, 3)),
        "masks_backwards": ([0, 0, 1], [0, 0, 3], [-1, -2, 1], {"beginMask": 3, "endMask": 3}, (4, 3, 2)),
        "beyond": ([-9, 2, 1], [99, 4, 99], [3, 1, 2], {}, (2, 2, 3)),
        "dropped": ([2, -2, 1], [3, -1, 5], [1, 1, 1], {"shrinkAxisMask": 3}, (4,)),
        "dropped_inner": ([0, 0, -1], [0, 0, 0], [1, 1, 1],
                          {"beginMask": 3, "endMask": 3, "shrinkAxisMask": 4}, (4, 5)),
    }
    for name, (begin, end, stride, options, shape) in ranges.items():
        m = Model(f"strided_slice_{name}_{kind}")
        x = m.input((4, 5, 6), *quant)
        inputs = [x, m.ints(begin), m.ints(end), m.ints(stride)]
        options = schema.StridedSliceOptionsT(**options)
        m.give(m.operator("STRIDED_SLICE", options, inputs, [shape], *quant))


def refused_slices():
    for name, mask, shape in (
        ("ellipsis", {"ellipsisMask": 1}, (4, 5, 2)),
        ("new_axis", {"newAxisMask": 1}, (1, 2, 5)),
        ("offset", {"offset": True}, (2, 3)),
    ):
        m = Model(f"strided_slice_{name}")
        x = m.input((4, 5) if name != "ellipsis" else (4, 5, 6), 0.05, 3)
        inputs = [x, m.ints([0, 1]), m.ints([2, 3]), m.ints([1, 1])]
        options = schema.StridedSliceOptionsT(**mask)
        m.give(m.operator("STRIDED_SLICE", options, inputs, [shape], 0.05, 3))


def argument_models(kind, quant):
    for axis, shape in ((1, (2, 4)), (-1, (2, 3))):
        m = Model(f"arg_min_axis{axis}_{kind}")
        x = m.input((2, 3, 4), *quant)
        options = schema.ArgMinOptionsT(outputType=schema.TensorType.INT32)
        m.give(m.operator("ARG_MIN", options, [x, m.ints([axis])], [shape], dtype=np.int32))


def refused_arguments():
    m = Model("arg_max_int64")
    x = m.input((2, 3, 4), 0.05, 3)
    options = schema.ArgMaxOptionsT(outputType=schema.TensorType.INT64)
    m.give(m.operator("ARG_MAX", options, [x, m.ints([1])], [(2, 4)], dtype=np.int64))


def refused_resize():
    m = Model("resize_bilinear_both")
    x = m.input((1, 4, 5, 2), 0.05, 3)
    options = schema.ResizeBilinearOptionsT(alignCorners=True, halfPixelCenters=True)
    m.give(m.operator("RESIZE_BILINEAR", options, [x, m.ints([7, 3])], [(1, 7, 3, 2)], 0.05, 3))


def weights(m, shape, axis, kind):
    """Weights and bias of a layer."""
    if kind == "f32":
        w = constant(m.rng.standard_normal(shape).astype(np.float32))
        return [m.add(w), m.add(constant(m.rng.standard_normal(shape[axis]).astype(np.float32)))]
    n = shape[axis]
    scales = [0.01 + 0.001 * c for c in range(n)]
    data = m.rng.integers(-127, 127, shape, np.int8, endpoint=True)
    bias = m.rng.integers(-900, 900, n, np.int32)
    bias_scales = [0.05 * scale for scale in scales]
    return [m.add(constant(data, scales, [0] * n, axis)),
            m.add(constant(bias, bias_scales, [0] * n, 0))]


def convolution(m, x, kernel, stride, padding, kind):
    """Appends a convolution (depthwise if its kernel says so) on tensor `x`; returns its output."""
    image, depthwise = m.tensors[x].data.shape, kernel[0] == 1
    given = {"padding": padding, "strideH": stride, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}
    if depthwise:
        operator, axis = "DEPTHWISE_CONV_2D", 3
        options = schema.DepthwiseConv2DOptionsT(**given, depthMultiplier=kernel[3] // image[3])
    else:
        operator, axis, options = "CONV_2D", 0, schema.Conv2DOptionsT(**given)
    trim = 0 if padding == schema.Padding.SAME else 1
    size = [-(-(image[i] - trim * (kernel[i] - 1)) // stride) for i in (1, 2)]
    out = (None, 0) if kind == "f32" else (0.2, -5)
    inputs = [x, *weights(m, kernel, axis, kind)]
    return m.operator(operator, options, inputs, [(1, *size, kernel[axis])], *out)


def padded_models(kind, quant):
    valid, same = schema.Padding.VALID, schema.Padding.SAME
    for name, pads, kernel, stride, padding in (
        ("conv", [[0, 0], [1, 2], [0, 3], [0, 0]], (3, 3, 2, 2), 2, valid),
        ("conv_same", [[0, 0], [1, 0], [2, 1], [0, 0]], (3, 3, 3, 2), 2, same),
        ("depthwise", [[0, 0], [0, 1], [0, 1], [0, 0]], (1, 3, 3, 4), 2, valid),
        # A convolution does not pad channels.
        ("channels", [[0, 0], [1, 1], [1, 1], [1, 1]], (3, 3, 3, 4), 3, valid),
    ):
        m = Model(f"pad_{name}_{kind}")
        shape = (1, 5, 5, 2)
        x = m.input(shape, *quant)
        padded = tuple(n + sum(pad) for n, pad in zip(shape, pads))
        [y] = m.operator("PAD", schema.PadOptionsT(), [x, m.ints(pads)], [padded], *quant)
        m.give(convolution(m, y, kernel, stride, padding, kind))

    m = Model(f"pad_read_twice_{kind}")
    x = m.input((1, 4, 4, 1), *quant)
    pads = m.ints([[0, 0], [1, 1], [1, 1], [0, 0]])
    [y] = m.operator("PAD", schema.PadOptionsT(), [x, pads], [(1, 6, 6, 1)], *quant)
    m.give(convolution(m, y, (2, 3, 3, 1), 1, valid, kind) + [y])


def reshape_models(kind, quant):
    m = Model(f"squeeze_expand_{kind}")
    x = m.input((1, 3, 1, 4), *quant)
    [y] = m.operator("SQUEEZE", schema.SqueezeOptionsT(squeezeDims=[0, 2]), [x], [(3, 4)], *quant)
    inputs = [y, m.ints(1)]
    m.give(m.operator("EXPAND_DIMS", schema.ExpandDimsOptionsT(), inputs, [(3, 1, 4)], *quant))


def resize_models(kind, quant):
    for height, width in ((7, 3), (2, 9)):
        m = Model(f"resize_nearest_both_{height}_{width}_{kind}")
        x = m.input((1, 4, 5, 2), *quant)
        options = schema.ResizeNearestNeighborOptionsT(alignCorners=True, halfPixelCenters=True)
        inputs = [x, m.ints([height, width])]
        m.give(m.operator("RESIZE_NEAREST_NEIGHBOR", options, inputs, [(1, height, width, 2)], *quant))


def quantized_core():
    """f32 in and out, int8 between: what converters make without integer input and output."""
    m = Model("f32_around_int8")
    x = m.input((1, 6))
    [q] = m.operator("QUANTIZE", schema.QuantizeOptionsT(), [x], [(1, 6)], 0.03, -4)
    w = constant(m.rng.integers(-127, 127, (5, 6), np.int8, endpoint=True), [0.02], [0])
    b = constant(m.rng.integers(-900, 900, 5, np.int32), [0.03 * 0.02], [0])
    options = schema.FullyConnectedOptionsT(fusedActivationFunction=schema.ActivationFunctionType.RELU)
    [y] = m.operator("FULLY_CONNECTED", options, [q, m.add(w), m.add(b)], [(1, 5)], 0.04, -128)
    m.give(m.operator("DEQUANTIZE", schema.DequantizeOptionsT(), [y], [(1, 5)]))


def odd_models():
    """A convolution of one tap that is damaged, or quantized in ways that Dunlin does not have: it must say so."""

    def tensor(i, **changes):
        return lambda graph: [setattr(graph.tensors[i], key, value) for key, value in changes.items()]

    def quantization(i, **changes):
        return lambda graph: [setattr(graph.tensors[i].quantization, key, value) for key, value in changes.items()]

    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder = [0, 1, 2, 3]
    kinds = schema.TensorType
    for name, edit in {
        "int16": lambda graph: [tensor(i, type=kinds.INT16)(graph) for i in (0, 3)],
        "strings": tensor(0, type=kinds.STRING),
        "resource": tensor(0, type=kinds.RESOURCE),
        "unquantized": tensor(0, quantization=None),
        "unquantized_weights": tensor(1, quantization=None),
        "float_output": tensor(3, type=kinds.FLOAT32, quantization=None),
        "float_bias": tensor(2, type=kinds.FLOAT32, quantization=None),
        "scale_zero": quantization(0, scale=[0.0]),
        "scale_nan": quantization(3, scale=[float("nan")]),
        "scale_tiny": quantization(3, scale=[1e-30]),
        "zero_point_300": quantization(0, zeroPoint=[300]),
        "zero_points_differ": quantization(1, zeroPoint=[0, 7]),
        "weights_zero_point": quantization(1, scale=[0.01], zeroPoint=[5]),
        "weights_other_axis": quantization(1, scale=[0.01] * 3, zeroPoint=[0] * 3, quantizedDimension=3),
        "sparse": tensor(1, sparsity=sparsity),
        "variable": tensor(0, isVariable=True),
        "tanh_fused": lambda graph: setattr(graph.operators[0].builtinOptions, "fusedActivationFunction", 4),
        "no_outputs": lambda graph: setattr(graph, "outputs", []),
        "no_operators": lambda graph: setattr(graph, "operators", []),
    }.items():
        m = odd(name)
        m.edit = lambda model, edit=edit: edit(model.subgraphs[0])
    odd("two_graphs").edit = lambda model: model.subgraphs.append(model.subgraphs[0])
    odd("custom").edit = custom
    odd("newer").edit = lambda model: setattr(model.operatorCodes[0], "builtinCode", 999)


def odd(name):
    m = Model(f"odd_{name}")
    x = m.input((1, 2, 2, 3), 0.05, 3)
    convolution(m, x, (2, 1, 1, 3), 1, schema.Padding.VALID, "int8")
    m.give([len(m.tensors) - 1])
    return m


def custom(model):
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "FlexErf"


def table(builder, fields):
    """A table of `fields`: number and offset, or number and a byte."""
    builder.StartObject(8)
    for number, kind, value in fields:
        if kind == "byte":
            builder.PrependInt8Slot(number, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
    return builder.EndObject()


def vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def metadata(input_name, output_name, files):
    """TensorFlow Lite Metadata; `files` are names, types and locales of files of the output."""
    builder = flatbuffers.Builder(256)
    made = []
    for name, kind, locale in files:
        name, locale = builder.CreateString(name), builder.CreateString(locale)
        made.append(table(builder, [(0, "offset", name), (2, "byte", kind), (3, "offset", locale)]))
    made = vector(builder, made)
    name = builder.CreateString(output_name)
    outputs = vector(builder, [table(builder, [(0, "offset", name), (6, "offset", made)])])
    name = builder.CreateString(input_name)
    inputs = vector(builder, [table(builder, [(0, "offset", name)])])
    graphs = vector(builder, [table(builder, [(2, "offset", inputs), (3, "offset", outputs)])])
    builder.Finish(table(builder, [(3, "offset", graphs)]), file_identifier=b"M001")
    return bytes(builder.Output())


class Labelled(Model):
    """A model with metadata and files behind it."""

    def file(self):
        axis_labels, value_labels = 2, 3
        model = schema.ModelT.InitFromPackedBuf(super().file())
        buffer = schema.BufferT()
        files = [("values", value_labels, ""), ("de", axis_labels, "de"), ("en", axis_labels, "")]
        buffer.data = np.frombuffer(metadata("pixels", "scores", files), np.uint8)
        entry = schema.MetadataT()
        entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [entry]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        file = io.BytesIO(bytes(builder.Output()))
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, lines in (("values", "no\nnot\nthese"), ("de", "Ente\nGans\nMöwe"),
                                ("en", "duck\r\ngoose\r\ngull\r\n")):
                archive.writestr(zipfile.ZipInfo(name), lines, zipfile.ZIP_DEFLATED)
        return file.getvalue()


def labelled():
    m = Labelled("labelled")
    m.give(m.operator("SOFTMAX", schema.SoftmaxOptionsT(beta=1.0), [m.input((1, 3))], [(1, 3)]))


def lstm(name, kind, clip=0.0, peephole=False):
    """Long short-term memory of 4 units on 6 steps of 3, then its last state through a layer."""
    m = Model(f"{name}_{kind}")
    is_int8 = kind == "int8"

    def weights(shape):
        data = m.rng.standard_normal(shape) / shape[-1] ** 0.5
        if not is_int8:
            return m.add(constant(data.astype(np.float32)))
        scale = np.abs(data).max() / 127
        return m.add(constant(np.rint(data / scale).astype(np.int8), (scale,), (0,)))

    x = m.input((1, 6, 3), *((0.02, 3) if is_int8 else (None,)))
    matrices = [weights((4, 3)) for _ in range(4)] + [weights((4, 4)) for _ in range(4)]
    biases = []
    for matrix in matrices[:4]:
        bias = m.rng.standard_normal(4) * 0.3
        if is_int8:
            step = np.float32(0.02) * m.tensors[matrix].scale[0]
            biases.append(m.add(constant(np.rint(bias / step).astype(np.int32), (step,), (0,))))
        else:
            biases.append(m.add(constant(bias.astype(np.float32))))
    peepholes = [weights((4,)) if peephole else -1 for _ in range(3)]
    output = (0.007, -9) if is_int8 else (None, 0)
    hidden = m.value(np.zeros((1, 4), np.int8 if is_int8 else np.float32), *output)
    cell = m.value(np.zeros((1, 4), np.int16 if is_int8 else np.float32), *((2**-12, 0) if is_int8 else ()))
    m.variables = [hidden, cell]
    inputs = [x, *matrices, *peepholes, *biases, -1, -1, hidden, cell, -1, -1, -1, -1]
    options = schema.UnidirectionalSequenceLSTMOptionsT(
        fusedActivationFunction=oracle.activation_code("tanh"), cellClip=clip, timeMajor=False
    )
    [states] = m.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", options, inputs, [(1, 6, 4)], *output)
    first, end, step = m.ints([0, -1, 0]), m.ints([0, 0, 0]), m.ints([1, 1, 1])
    options = schema.StridedSliceOptionsT(beginMask=5, endMask=7, shrinkAxisMask=2)
    m.give(m.operator("STRIDED_SLICE", options, [states, first, end, step], [(1, 4)], *output))


def numbers(tensor):
    if tensor.dtype == np.float32:
        return [float(f"{value:.9g}") for value in tensor.ravel()]
    return tensor.ravel().tolist()


def main():
    for kind, quant in KINDS.items():
        split_models(kind, quant)
        slice_models(kind, quant)
        argument_models(kind, quant)
        padded_models(kind, quant)
        reshape_models(kind, quant)
        resize_models(kind, quant)
        lstm("lstm", kind)
        lstm("lstm_clipped", kind, clip=0.5)
    lstm("lstm_peephole", "f32", peephole=True)
    quantized_core()
    labelled()
    refused_slices()
    refused_arguments()
    refused_resize()
    odd_models()
    versions = oracle.versions()["int8"]
    lines = []
    for name, model in MODELS.items():
        file = model.file()
        (FOLDER / f"{name}.tflite").write_bytes(file)
        feeds = [model.tensors[i].data for i in model.inputs]
        outputs, _ = oracle.interpret(file, feeds, len(model.outputs))
        record = {"name": name, "inputs": [numbers(data) for data in feeds]}
        if outputs is None:
            record["refused"] = True
        else:
            record["outputs"] = [numbers(data) for data in outputs]
        lines.append(json.dumps(record, separators=(",", ":")))
    print(f"{len(MODELS)} models, {sum('refused' in line for line in lines)} of them refused")
    text = ",\n".join(lines)
    (FOLDER / "golden.json").write_text(f'{{"oracle":"{versions}","models":[\n{text}\n]}}\n')


main()
