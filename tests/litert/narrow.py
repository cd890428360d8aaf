"""Changes the LiteRT of the Python environment that this runs in, so that it takes the machine for a lesser one.

    python tests/litert/narrow.py avx-vnni|avx2

With avx-vnni it finds no AVX-512, with avx2 no AVX-VNNI either. Its libraries ask the processor by CPUID and XGETBV; XGETBV
becomes `mov al, 7`, which says that the system keeps no registers of AVX-512, and CPUID is asked for part 2 of leaf 7, which
is empty, instead of part 1, where AVX-VNNI is. Make an environment for this alone.
"""

import importlib.util
import sys
from pathlib import Path

XGETBV = bytes.fromhex("0f01d0")
NO_AVX512 = bytes.fromhex("b00790")
LEAF_7_PART_1 = bytes.fromhex("b807000000b901000000")
LEAF_7_PART_2 = bytes.fromhex("b807000000b902000000")


def main():
    kind = sys.argv[1]
    assert kind in ("avx-vnni", "avx2"), __doc__
    changes = [(XGETBV, NO_AVX512)] + [(LEAF_7_PART_1, LEAF_7_PART_2)] * (kind == "avx2")
    # Found, not loaded: what is loaded must not change.
    for path in Path(importlib.util.find_spec("ai_edge_litert").origin).parent.glob("*.so"):
        old = path.read_bytes()
        new = old
        for before, after in changes:
            new = new.replace(before, after)
        if new != old:
            path.write_bytes(new)
            print(f"{path.name}: changed")


main()
