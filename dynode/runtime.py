"""Device, seeds and provenance (versions, commit) of a computation.  torch is loaded when first needed."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import random
import subprocess
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynode.errors import UserError

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # the checkout
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of glibc's mallopt
RECORDED_VERSIONS = ("torch", "torchdiffeq", "lpips", "numpy", "scikit-image", "facenet-pytorch")


def device(name: torch.device | str = "auto") -> torch.device:
    """ "auto" is the first CUDA device where there is one, else the CPU; any other device is taken as it is.

    Raises UserError for a device that torch does not know or that is not here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
    except RuntimeError:
        raise UserError(f"There is no device {str(name)!r}: name cpu, cuda, cuda:1 or auto.") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"The device {name} was asked for, but torch finds no CUDA device here: use cpu or auto.")
    try:
        torch.zeros(1, device=chosen).item()  # "cuda:7" may not be there, "meta" holds no numbers
    except (RuntimeError, NotImplementedError, AssertionError):
        raise UserError(f"The device {name} cannot be used here: use cpu or auto.") from None
    return chosen


def keep_freed_memory() -> None:
    """Let glibc reuse large freed blocks instead of returning them to the kernel (a no-op elsewhere).

    Convolutional networks allocate the same tens of MB again and again; without this, page faults take about half
    of the time of the face generator on a CPU.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def legal_seed(seed: int) -> int:
    """`seed` itself.  Raises UserError for one that generators cannot take."""
    if not 0 <= seed < 2**63:
        raise UserError(f"A seed must be 0 or more and below 2**63, got {seed}.")
    return seed


def seed_everything(seed: int) -> None:
    """Seed the three global generators (for libraries that read them; our own code passes generators)."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def commit() -> str:
    """The commit of this checkout, "-dirty" when tracked files differ, "unknown" outside one."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def device_name(chosen: torch.device) -> str:
    import torch

    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def provenance(chosen: torch.device, **extra: Any) -> dict[str, Any]:
    """The provenance of a record: commit, versions, device, date, and what the caller adds (seed, seconds, ...)."""
    return {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "device": device_name(chosen),
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in RECORDED_VERSIONS},
        **extra,
    }


def load_archive(path: Path | str, device: torch.device | str = "cpu") -> torch.jit.ScriptModule:
    """A TorchScript archive, which is a program: load trusted ones only.  Raises RuntimeError or OSError for another file."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)  # torch means to give archives up one day
        return torch.jit.load(str(path), map_location=device).eval()


def shipped(*parts: str) -> dict[str, Path]:
    """Files of ours that come with the package in a folder of it, such as "weights", "flows": name -> path, sorted by name."""
    return {path.stem: path for path in sorted(PACKAGE.joinpath(*parts).glob("*.safetensors"))}


# A new process starts with the peak of the one that made it: a small one stands between, so that ours does not count.
LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(*arguments: str) -> int:
    """Peak resident memory in bytes of `dynode ARGUMENTS`, run in a process of its own (Linux and macOS).

    Raises RuntimeError, with the last line it printed, where the command fails.
    """
    command = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "dynode", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"dynode {arguments[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
