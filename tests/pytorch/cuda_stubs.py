"""Makes PyPI's `torch` wheel run without CUDA: empty libraries in place of those that it is linked to.

    python cuda_stubs.py FOLDER && LD_LIBRARY_PATH=FOLDER python ...

Every function of them returns an error, so that PyTorch sees no device. Takes `readelf` and `cc`.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

TORCH = Path(sysconfig.get_path("purelib")) / "torch/lib"
# Libraries whose symbols carry no version: what the names of their functions begin with.
UNVERSIONED = {"libnccl": "nccl", "libcufile": "cuFile", "libcusparseLt": "cusparseLt", "libcuda": "cu[A-Z]"}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    present = {path.name for path in TORCH.iterdir()}
    libraries, undefined = set(), {}
    for path in TORCH.glob("*.so*"):
        libraries |= set(re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", path)))
        for name, version in re.findall(r" UND (\w+)(?:@(\S+))?", output("readelf", "-W", "--dyn-syms", path)):
            undefined.setdefault(version, set()).add(name)
    for library in sorted(libraries - present):
        if not re.match(r"lib(cu|nv|nccl)", library):
            continue
        version = "NVSHMEM" if "nvshmem" in library else library
        script = f"{version} {{ global: *; }};"
        names = undefined.get(version)
        if names is None:
            script, prefix = "{ global: *; };", UNVERSIONED[library.split(".")[0]]
            names = {name for name in undefined[""] if re.match(prefix, name)}
        (folder / "stub.map").write_text(script)
        (folder / "stub.c").write_text("".join(f"int {name}(void) {{ return 100; }}\n" for name in sorted(names)))
        command = ["cc", "-w", "-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-o", folder / library]
        command += [f"-Wl,-soname,{library}", f"-Wl,--version-script={folder / 'stub.map'}", folder / "stub.c"]
        subprocess.run(command, check=True)


main()
