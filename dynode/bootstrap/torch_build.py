"""Which build of torch is installed: the one for NVIDIA's GPUs, or the one for the CPU alone, a quarter of the size.

An index serves the second under a version of its own, "2.15.0+cpu".  Where none of the user's indexes has it, uv knows torch's
own index; without either the build with CUDA is installed, but for Triton, the compiler for its GPUs.
"""

import os
import platform
import re
import shutil
from pathlib import Path

from dynode.bootstrap import installing
from dynode.errors import UserError

CHOICE = "DYNODE_TORCH"
FOR_GPUS = re.compile(
    r"(nvidia|cuda|triton)\b"
)  # how the names of packages begin that the build for the CPU does not use
DEVICES = (
    Path("/dev/nvidiactl"),
    Path("/proc/driver/nvidia/version"),
    Path("/dev/dxg"),
)  # the last: Linux under Windows
SERVED_APART = ("torch", "torchvision")


def wanted() -> str:
    """ "cpu" or "cuda": as DYNODE_TORCH says, else by whether there is a GPU.  Raises UserError for another value.

    Elsewhere than on Linux the lock names no package for GPUs.
    """
    chosen = os.environ.get(CHOICE, "")
    if chosen not in ("", "cpu", "cuda"):
        raise UserError(f"{CHOICE} can be cpu, cuda or unset, got {chosen}.")
    return chosen or ("cuda" if has_gpu() or platform.system() != "Linux" else "cpu")


def has_gpu() -> bool:
    """Whether there is a GPU here, or may be on the nodes of the cluster that this is the login node of."""
    return any(map(shutil.which, ("nvidia-smi", "sbatch"))) or any(path.exists() for path in DEVICES)


def install_for_cpu(python: str, lock: Path, folder: Path) -> Path:
    """Install torch for the CPU alone, if an index has it; the lock of what remains to be installed, a file in `folder`."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    left_out = FOR_GPUS
    if not installed_for_cpu(python, lines):
        print("No index has torch for the CPU alone: the build with CUDA is installed, without Triton.", flush=True)
        left_out = re.compile(r"triton\b")
    remaining = folder / "dynode-lock.txt"
    remaining.write_text("\n".join(line for line in lines if not left_out.match(line)) + "\n", encoding="utf-8")
    return remaining


def installed_for_cpu(python: str, lines: list[str]) -> bool:
    """Whether the build for the CPU could be installed: from the user's own indexes, else from torch's own, by uv."""
    pins = [line.partition(";")[0].strip() for line in lines if line.partition("==")[0] in SERVED_APART]
    own = [f"{pin}+cpu" for pin in pins]
    tries = [[*installing.pip(python), "--no-deps", *own]]
    if uv := shutil.which("uv"):
        tries.append([*installing.uv(uv, python), "--no-deps", "--torch-backend", "cpu", *pins])
    return bool(pins) and any(installing.succeeds(command) for command in tries)
