"""Runs one operator in TensorFlow Lite Micro (int8) and in ONNX Runtime (f32).

Both are used as black boxes: a model of a single operator is built in memory, fed and read back.
"""

import importlib.metadata
import multiprocessing
from dataclasses import dataclass

import flatbuffers
import numpy as np
import onnx
import onnxruntime
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

ARENA_BYTES = 1 << 20
ONNX_OPSET = 21


def versions():
    """The oracles' names and versions, as they are written into every golden file."""
    version = importlib.metadata.version
    return {
        "int8": "tflite-micro " + version("tflite-micro"),
        "f32": "onnxruntime " + version("onnxruntime"),
    }


class Refused(Exception):
    """TensorFlow Lite Micro refused the model, or aborted in it."""


@dataclass
class Tensor:
    """An array with its quantization; `axis` is the dimension of per-channel scales."""

    data: np.ndarray
    scale: tuple = ()
    zero_point: tuple = ()
    axis: int | None = None
    constant: bool = False

    def real(self):
        """The numbers that the tensor stands for, as f32."""
        if not self.scale:
            return self.data.astype(np.float32)
        shape = [1] * self.data.ndim
        if self.axis is not None:
            shape[self.axis] = -1
        scale = np.array(self.scale, np.float64).reshape(shape)
        zero_point = np.array(self.zero_point or [0], np.int64).reshape(-1)
        if len(zero_point) > 1:
            zero_point = zero_point.reshape(shape)
        return ((self.data.astype(np.int64) - zero_point) * scale).astype(np.float32)


# --- TensorFlow Lite Micro ---------------------------------------------------------------------

TENSOR_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}


def activation_code(name):
    """The schema's number of a fused activation: none, relu, relu6 or tanh."""
    return getattr(schema.ActivationFunctionType, name.upper())


def padding_code(name):
    """The schema's number of a padding rule: same or valid."""
    return getattr(schema.Padding, name.upper())


def run_tflm(operator, options, inputs, output):
    """Runs `operator` (a BuiltinOperator's name) with `options` (its schema object, or None).

    Constant inputs become buffers of the model, the others are fed. `output` gives the shape,
    type and quantization of the result; a copy of it with the data is returned. The interpreter
    runs in a child process, because it aborts on what it does not support.
    """
    model = _build_model(operator, options, inputs, output)
    feeds = [tensor.data for tensor in inputs if not tensor.constant]
    outputs, exit_code = interpret(model, feeds)
    if outputs is None:
        raise Refused(f"{operator}: exit code {exit_code}")
    [data] = outputs
    if data.shape != output.data.shape or data.dtype != output.data.dtype:
        raise Refused(f"{operator}: made {data.dtype}{data.shape}")
    return Tensor(data, output.scale, output.zero_point, output.axis)


def interpret(model, feeds, n_outputs=1):
    """The outputs of TensorFlow Lite Micro and None, or None and the exit code of its process."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_interpret, args=(model, feeds, n_outputs, sender))
    child.start()
    sender.close()
    try:
        outputs = receiver.recv()
    except EOFError:
        outputs = None
    child.join()
    return outputs, None if outputs is not None else child.exitcode


def _interpret(model, feeds, n_outputs, sender):
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
    for index, data in enumerate(feeds):
        interpreter.set_input(data, index)
    interpreter.invoke()
    sender.send([np.array(interpreter.get_output(i)) for i in range(n_outputs)])


def _build_model(operator, options, inputs, output):
    """The bytes of a .tflite file with one operator."""
    n_inputs = len(inputs)
    fed = [i for i, tensor in enumerate(inputs) if not tensor.constant]
    node = (operator, options, list(range(n_inputs)), [n_inputs])
    return build_model([*inputs, output], [node], fed, [n_inputs])


def build_model(tensors, operators, inputs, outputs, variables=()):
    """The bytes of a .tflite file; buffer 0 is the empty one, by convention.

    An operator is its name, its options (or None) and the numbers of the tensors that it reads and
    writes, -1 for what is left out; `inputs` and `outputs` are those of the model, `variables` are
    what it keeps between steps.
    """
    buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = []
    for index, tensor in enumerate(tensors):
        made = schema.TensorT()
        made.name = f"t{index}"
        made.shape = list(tensor.data.shape)
        made.type = TENSOR_TYPES[tensor.data.dtype.name]
        made.hasRank = True
        made.isVariable = index in variables
        made.quantization = _quantization(tensor)
        if tensor.constant:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
            made.buffer = len(buffers)
            buffers.append(buffer)
        graph.tensors.append(made)
    names = list(dict.fromkeys(operator[0] for operator in operators))
    graph.operators = [_node(names.index(name), *rest) for name, *rest in operators]
    graph.inputs, graph.outputs = inputs, outputs
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [_operator_code(name) for name in names]
    model.subgraphs = [graph]
    model.buffers = buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _node(code, options, inputs, outputs):
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        made.builtinOptions = options
    return made


def _operator_code(name):
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    return code


def _quantization(tensor):
    if not tensor.scale:
        return None
    made = schema.QuantizationParametersT()
    made.scale = [float(scale) for scale in tensor.scale]
    made.zeroPoint = list(tensor.zero_point) or [0] * len(tensor.scale)
    made.quantizedDimension = tensor.axis or 0
    return made


# --- ONNX Runtime ------------------------------------------------------------------------------


def run_onnx(operator, *inputs, **attributes):
    """The single output of one ONNX operator on numpy arrays, on one CPU thread.

    An input that is None is left out.
    """
    names = ["" if data is None else f"x{index}" for index, data in enumerate(inputs)]
    node = onnx.helper.make_node(operator, names, ["y"], **attributes)
    feeds = {name: data for name, data in zip(names, inputs) if name}
    infos = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(data.dtype), data.shape
        )
        for name, data in feeds.items()
    ]
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([node], "case", infos, [result])
    opset = onnx.helper.make_opsetid("", ONNX_OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)[0]


def activate(name, x):
    """The fused activation `name` on f32."""
    if name == "relu":
        return run_onnx("Relu", x)
    if name == "relu6":
        return run_onnx("Clip", x, np.array(0, np.float32), np.array(6, np.float32))
    return x


def to_nchw(x):
    """NHWC to ONNX's NCHW."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def to_nhwc(x):
    """ONNX's NCHW to NHWC."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))
