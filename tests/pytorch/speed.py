"""Samples a second of forward, backward and update, here and in PyTorch (eager, in the better of its two memory layouts),
side by side: rounds of both take turns, and the best of each counts.

    python tests/pytorch/speed.py [ROUNDS] [SECONDS]
"""

import subprocess
import sys
from pathlib import Path

import torch

import networks

ROOT = Path(__file__).parents[2]
EXAMPLE = ["cargo", "run", "--quiet", "--release", "-p", "dunlin-converter", "--example", "training_speed", "--"]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def ours(name, threads, seconds):
    command = [*EXAMPLE, name, str(threads), str(seconds)]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    ours("mnist_cnn", 1, 0.1)  # builds it
    print(f"PyTorch {torch.__version__}, samples a second")
    print(f"{'':12} threads   Dunlin  PyTorch    ratio")
    for name in networks.NETWORKS:
        for threads in (1, 2):
            here, there = 0.0, 0.0
            for _ in range(rounds):
                here = max(here, ours(name, threads, seconds))
                for layout in LAYOUTS:
                    there = max(there, networks.samples_per_second(name, threads, layout, seconds / 2))
            print(f"{name:12} {threads:7} {here:8.0f} {there:8.0f} {here / there:8.2f}", flush=True)


main()
