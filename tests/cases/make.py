"""Regenerates the golden files: all of them, or those of the named operators."""

import importlib
import pathlib
import sys

import golden

FOLDER = pathlib.Path(__file__).resolve().parent


def operators():
    """Every module that defines `cases()` is an operator's."""
    for path in sorted(FOLDER.glob("*.py")):
        if "\ndef cases():" in path.read_text():
            yield path.stem


def main(names):
    known = list(operators())
    for name in names or known:
        if name not in known:
            sys.exit(f"no operator {name}; there are {', '.join(known)}")
        cases = list(importlib.import_module(name).cases())
        path = FOLDER / f"{name}.json"
        golden.write(path, name, cases)
        kinds = [each["dtype"] for each in cases]
        counts = f"{kinds.count('int8')} int8, {kinds.count('f32')} f32"
        print(f"{path.name}: {counts}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
