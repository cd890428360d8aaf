"""Runs recipes' int8 networks in TensorFlow Lite Micro and in LiteRT, and writes NAME/golden.json.

    cargo run --release -- train models/recipes/NAME.toml -o models/NAME/NAME.dunlin --tflite models/NAME/NAME.tflite
    ~/.cache/dunlin-goldens/bin/python models/golden.py NAME ...

The environment is that of tests/cases/README.md. Nothing of Dunlin takes part in computing the outputs; only the network is
Dunlin's. The inputs are made-up bytes, which the test makes as well (`recipes_give_what_other_runtimes_give`).
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from runtimes import litert, tflm

N_SAMPLES = 8
FOLDER = Path(__file__).parent


def inputs(dims):
    """Bytes that are all over the place."""
    i = np.arange(N_SAMPLES * int(np.prod(dims)), dtype=np.int64)
    return ((i * i // 7 + 37 * i) % 256 - 128).astype(np.int8).reshape(N_SAMPLES, *dims)


def main():
    for name in sys.argv[1:]:
        model = (FOLDER / name / f"{name}.tflite").read_bytes()
        x = inputs(Interpreter(model_content=model).get_input_details()[0]["shape"][1:])
        golden = {
            "oracle": {
                package: importlib.metadata.version(package)
                for package in ("tflite-micro", "ai-edge-litert")
            },
            "n_samples": N_SAMPLES,
        }
        for oracle in (tflm, litert):
            golden[oracle.__name__] = [int(y) for y in oracle(model, x).ravel()]
        different = np.count_nonzero(np.array(golden["tflm"]) != np.array(golden["litert"]))
        print(f"{name}: {different} of {len(golden['tflm'])} bytes differ between both")
        text = json.dumps(golden, separators=(",", ":")).replace("],", "],\n")
        (FOLDER / name / "golden.json").write_text(text + "\n")


main()
