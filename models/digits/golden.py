"""Runs the exported digits network in TensorFlow Lite Micro and in LiteRT, and writes golden.json.

    cargo run --release -p dunlin-models --example export_digits -- models/digits
    ~/.cache/dunlin-goldens/bin/python models/digits/golden.py

The environment is that of tests/cases/README.md. Nothing of Dunlin takes part in computing the outputs; only
the network is Dunlin's. The inputs are the first held-out digits; int8 ones the pixels divided by the input's scale, rounded half to even.
"""

import importlib.metadata
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent))

from runtimes import litert, tflm


def main():
    pixels = np.load(FOLDER / "held_out.npy")
    models = {name: (FOLDER / f"digits_{name}.tflite").read_bytes() for name in ("f32", "int8")}
    details = Interpreter(model_content=models["int8"]).get_input_details()[0]
    scale, zero_point = details["quantization"]
    stored = np.round(pixels / np.float32(scale)) + zero_point
    inputs = {"f32": pixels, "int8": np.clip(stored, -128, 127).astype(np.int8)}
    for name in models:
        labels = zipfile.ZipFile(FOLDER / f"digits_{name}.tflite").read("labels.txt")
        assert labels.decode().split() == [str(digit) for digit in range(10)]
    golden = {
        "oracle": {
            name: importlib.metadata.version(name) for name in ("tflite-micro", "ai-edge-litert")
        },
        "n_samples": len(pixels),
    }
    for name, model in models.items():
        outputs = [tflm(model, inputs[name]), litert(model, inputs[name])]
        assert outputs[0].dtype == inputs[name].dtype and outputs[0].shape == (len(pixels), 10)
        difference = np.abs(outputs[0].astype(np.float64) - outputs[1]).max()
        print(f"{name}: TensorFlow Lite Micro and LiteRT differ by at most {difference}")
        numbers = lambda array: [float(f"{x:.9g}") if name == "f32" else int(x) for x in array.ravel()]
        golden[name] = dict(zip(("tflm", "litert"), map(numbers, outputs)))
    text = json.dumps(golden, separators=(",", ":")).replace("],", "],\n")
    (FOLDER / "golden.json").write_text(text + "\n")


main()
