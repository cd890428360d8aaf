"""Exports small networks of PyTorch to .onnx, and asks ONNX Runtime what they answer.

As in tests/pytorch/README.md, then (LD_LIBRARY_PATH as there)

    ~/.cache/dunlin-pytorch/bin/pip install onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
    ~/.cache/dunlin-pytorch/bin/python tests/onnx/make.py

golden.json holds inputs and outputs of each file, in order, in the file's own layout. Files with `int8` or `uint8` in their
names are in QDQ form, as ONNX Runtime's `quantize_static` makes it.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from networks import NETWORKS
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

FOLDER = Path(__file__).resolve().parent
N_SAMPLES = 2


class Samples(CalibrationDataReader):
    def __init__(self, name, arrays):
        self.runs = iter([{name: array} for array in arrays])

    def get_next(self):
        return next(self.runs, None)


def settle(network):
    """Statistics as after training, so that normalizations are not the identity."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.3)


def export(network, x, path, exporter):
    if exporter == "new":
        torch.onnx.export(network, (x,), path, dynamo=True, external_data=path.stem.startswith("lenet"), verbose=False)
        return
    names = {"input_names": ["x"], "output_names": ["y"]}
    open_batch = {"dynamic_axes": {"x": {0: "N"}}} if exporter == 13 else {}
    torch.onnx.export(network, (x,), path, dynamo=False, opset_version=exporter, **names, **open_batch)


def strip(path):
    """Without what PyTorch writes of its source files, which names paths of a machine."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for entries in (model.metadata_props, model.graph.metadata_props, model.graph.value_info):
        del entries[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    path.write_bytes(model.SerializeToString())


def record(path, inputs):
    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    outputs = [session.run(None, {name: x})[0] for x in inputs]
    numbers = lambda array: [float(n) for n in array.reshape(-1)]
    return [
        {"name": path.stem, "inputs": [numbers(x)], "outputs": [numbers(y)], "shape": list(y.shape)}
        for x, y in zip(inputs, outputs)
    ]


def quantize(source, path, kind, rng, shape):
    name = onnxruntime.InferenceSession(source).get_inputs()[0].name
    arrays = [rng.normal(0, 1, shape).astype(np.float32) for _ in range(50)]
    activations = QuantType.QInt8 if kind == "int8" else QuantType.QUInt8
    quantize_static(
        source, path, Samples(name, arrays), quant_format=QuantFormat.QDQ, activation_type=activations,
        weight_type=QuantType.QInt8, per_channel=kind == "int8",
    )  # fmt: skip


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    records = []
    for name, (build, shape, exporters, indices, quantized) in NETWORKS.items():
        torch.manual_seed(7)
        network = build().eval()
        settle(network)
        rng = np.random.default_rng(7)
        if indices:
            inputs = [rng.integers(0, indices, shape) for _ in range(N_SAMPLES)]
        else:
            inputs = [rng.normal(0, 1, shape).astype(np.float32) for _ in range(N_SAMPLES)]
        for exporter in exporters:
            path = FOLDER / f"{name}_{exporter}.onnx"
            export(network, torch.from_numpy(inputs[0]), path, exporter)
            strip(path)
            records += record(path, inputs)
            print(path.name, path.stat().st_size, file=sys.stderr)
        for kind in quantized:
            version = max(each for each in exporters if each != "new")
            source, path = FOLDER / f"{name}_{version}.onnx", FOLDER / f"{name}_{kind}.onnx"
            quantize(source, path, kind, rng, shape)
            strip(path)
            records += record(path, inputs)
    with open(FOLDER / "golden.json", "w") as file:
        json.dump({"models": records}, file, separators=(",", ":"))
        file.write("\n")


main()
