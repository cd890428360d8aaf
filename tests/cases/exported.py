"""Runs the golden cases as Dunlin exports them, in TensorFlow Lite Micro, and compares with the goldens:

    cargo run -p dunlin-tests --example export_cases -- FOLDER
    ~/.cache/dunlin-goldens/bin/python tests/cases/exported.py FOLDER

and so networks of random operators, with what Dunlin computes:

    cargo run -p dunlin-tests --example random_networks -- FOLDER 400

int8 must agree byte for byte, f32 within 1e-5 relative.
"""

import json
import sys
from pathlib import Path

import numpy as np

from oracle import interpret

F32_TOLERANCE = 1e-5


def array(tensor):
    dtype = {"f32": np.float32}.get(tensor["dtype"]) or np.dtype(tensor["dtype"])
    return np.array(tensor["data"], dtype).reshape(tensor["shape"])


def difference(path, feeds, expected):
    """What is wrong with the answer to the model at `path`, or None."""
    outputs, exit_code = interpret(path.read_bytes(), feeds)
    if outputs is None:
        return f"TensorFlow Lite Micro refuses it: exit code {exit_code}"
    [data] = outputs
    if data.shape != expected.shape or data.dtype != expected.dtype:
        return f"made {data.dtype}{data.shape}"
    error = np.abs(data.astype(np.float64) - expected)
    if expected.dtype == np.float32:
        error /= np.maximum(np.abs(expected), 1)
        # Its hard swish multiplies by 6 before it divides by it, and overflows where the result need not.
        error[np.abs(expected) > np.finfo(np.float32).max / 6] = 0
        return f"is off by {error.max()}" if error.max() > F32_TOLERANCE else None
    return f"{np.count_nonzero(error)} elements differ" if error.any() else None


def goldens(folder):
    """Name, file, inputs and output of each golden case whose file is in `folder`."""
    for file in sorted(Path(__file__).parent.glob("*.json")):
        for i, case in enumerate(json.loads(file.read_text())["cases"]):
            path = folder / f"{file.stem}_{i}.tflite"
            feeds = [array(tensor) for tensor in case["inputs"] if not tensor.get("constant")]
            if path.exists():
                yield f"{path.stem}: {case['name']} ({case['dtype']})", path, feeds, array(case["outputs"][0])


def random_networks(folder):
    for x in sorted(folder.glob("*.x.npy")):
        name = x.name.removesuffix(".x.npy")
        yield name, folder / f"{name}.tflite", [np.load(x)], np.load(folder / f"{name}.y.npy")


def main():
    folder, n_models, failures = Path(sys.argv[1]), 0, 0
    for name, path, feeds, expected in [*goldens(folder), *random_networks(folder)]:
        n_models += 1
        wrong = difference(path, feeds, expected)
        if wrong:
            failures += 1
            print(f"{name}: {wrong}")
    print(f"{failures} of {n_models} models differ")
    sys.exit(failures != 0 or n_models == 0)


if __name__ == "__main__":
    main()
