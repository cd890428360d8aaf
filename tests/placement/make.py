#!/usr/bin/env python3
"""Random placement problems and the heights that CP-SAT proves optimal: writes `placement.json` beside it.

Each problem is the list of blocks `[bytes, first, last]` of a random graph, a chain with skips: block i is
written at step `first` and read for the last time at step `last`, and blocks of one step must not overlap.

    python3 -m venv ~/.cache/dunlin-placement
    ~/.cache/dunlin-placement/bin/pip install -r tests/placement/requirements.txt
    ~/.cache/dunlin-placement/bin/python tests/placement/make.py

It takes some seconds. The converter's tests compare its exact placement with the file, and need neither.
"""

import json
import pathlib
import random

from ortools.sat.python import cp_model

PROBLEMS = 300
SECONDS = 300  # for one problem; it ends with an error if that is not enough


def blocks(rng):
    """The blocks of a chain of operators whose inputs are the tensor before and now and then older ones."""
    n = rng.randint(6, 30)
    # Few sizes, as in networks, or many.
    sizes = [4 * rng.randint(1, 2000) for _ in range(rng.choice([3, 6, n]))]
    skips = rng.choice([0.1, 0.4, 1.0])
    last = [min(i + 1, n - 1) for i in range(n)]
    for i in range(2, n):
        if rng.random() < skips:
            older = rng.randrange(max(0, i - 8), i - 1)
            last[older] = i
    return [[rng.choice(sizes), i, last[i]] for i in range(n)]


def height(problem):
    """The lowest arena, proved."""
    model = cp_model.CpModel()
    most = sum(size for size, _, _ in problem) // 4
    top = model.new_int_var(0, most, "height")
    places, lives = [], []
    for i, (size, first, last) in enumerate(problem):
        offset = model.new_int_var(0, most - size // 4, f"offset{i}")
        places.append(model.new_fixed_size_interval_var(offset, size // 4, f"place{i}"))
        lives.append(model.new_fixed_size_interval_var(first, last - first + 1, f"life{i}"))
        model.add(offset + size // 4 <= top)
    model.add_no_overlap_2d(lives, places)
    for step in range(len(problem)):
        model.add(top >= sum(size // 4 for size, first, last in problem if first <= step <= last))
    model.minimize(top)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = SECONDS
    solver.parameters.num_workers = 2
    if solver.solve(model) != cp_model.OPTIMAL:
        raise SystemExit(f"not proved within {SECONDS} s: {problem}")
    return 4 * solver.value(top)


def main():
    rng = random.Random(1)
    problems = [blocks(rng) for _ in range(PROBLEMS)]
    lines = [json.dumps({"height": height(problem), "blocks": problem}) for problem in problems]
    path = pathlib.Path(__file__).with_name("placement.json")
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
