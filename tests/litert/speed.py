"""Microseconds of an inference in one thread: here, in LiteRT with XNNPACK, and in ONNX Runtime, side by side. Rounds of all
take turns, and the best run of each counts.

    python tests/litert/speed.py MODELS [ROUNDS [VECTORS]]

MODELS is the folder of the reference models. VECTORS are the widest that we take, such as avx2: beside a LiteRT that
narrow.py has changed; ONNX Runtime, which has not, is left out.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).parents[2]
DUNLIN = ROOT / "target" / "release" / "dunlin"
INT8 = ["mlperf_kws_int8", "mlperf_vww_int8", "mlperf_ic_int8", "mlperf_ad_int8"]
FLOAT32 = ["mlperf_vww_float32", "mlperf_ic_float32", "mlperf_ad_float32"]
SECONDS = 0.5


def best_of_many(run):
    """The shortest of many runs, the clock's own time not included."""
    shortest = float("inf")
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        before = time.perf_counter_ns()
        for _ in range(4):
            run()
        shortest = min(shortest, (time.perf_counter_ns() - before) / 4e3)
    return shortest


def sample(shape, dtype):
    random = np.random.default_rng(0)
    if np.dtype(dtype) == np.int8:
        return random.integers(-128, 128, shape, dtype=np.int8)
    return random.random(shape, dtype=np.float32) * 2 - 1


def ours(path, vectors):
    command = [DUNLIN, "bench", path, "--core", "host", "--json"] + (["--vectors", vectors] if vectors else [])
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["microseconds"]


def litert(path):
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    into = interpreter.get_input_details()[0]
    interpreter.set_tensor(into["index"], sample(into["shape"], into["dtype"]))
    return lambda: best_of_many(interpreter.invoke)


def onnx(path):
    """None if there is no such file."""
    if not path.exists():
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # Bound once, so that no array is made for a run.
    binding = session.io_binding()
    for into in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in into.shape]
        binding.bind_cpu_input(into.name, sample(shape, np.int8 if into.type == "tensor(int8)" else np.float32))
    for out in session.get_outputs():
        binding.bind_output(out.name)
    return lambda: best_of_many(lambda: session.run_with_iobinding(binding))


def main():
    models = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    vectors = sys.argv[3] if len(sys.argv) > 3 else None
    build = ["cargo", "build", "--quiet", "--release", "-p", "dunlin-cli"]
    subprocess.run(build, cwd=ROOT, check=True)
    print(f"{'microseconds':20} {'Dunlin':>8} {'LiteRT':>8} {'ratio':>6} {'ONNX Runtime':>13} {'ratio':>6}")
    for name in INT8 + FLOAT32:
        path = models / f"{name}.tflite"
        runs = [lambda: ours(path, vectors), litert(path), None if vectors else onnx(models / f"onnx_{name}.onnx")]
        shortest = [float("inf")] * 3
        for _ in range(rounds):
            shortest = [min(s, run()) if run else None for s, run in zip(shortest, runs)]
        here, lite, ort = shortest
        beside = f"{ort:13.2f} {here / ort:6.2f}" if ort else ""
        print(f"{name:20} {here:8.2f} {lite:8.2f} {here / lite:6.2f} {beside}", flush=True)


main()
