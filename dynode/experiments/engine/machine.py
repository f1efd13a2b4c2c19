"""What this machine offers to runs: cores, and GPUs that are visible.  Standard library only."""

import itertools
import os
from contextlib import suppress
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container on Linux: microseconds of CPU time in how many
CARDS = Path("/proc/driver/nvidia/gpus")


def cores() -> int:
    """How many CPU cores this process may use: those it may run on, fewer where a container has only part of their time."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no such limits here, or "max"
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return min(usable, max(1, int(quota) // int(period)))
    return usable


def gpus() -> int:
    """How many NVIDIA GPUs programs here see; CUDA_VISIBLE_DEVICES hides others, and DYNODE_DEVICE names one, or the CPU."""
    named = os.environ.get("DYNODE_DEVICE") or "auto"
    if named != "auto":
        return int(named.startswith("cuda"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = len(list(CARDS.iterdir())) if CARDS.is_dir() else 0
    if visible is None:
        return there
    entries = [each.strip() for each in visible.split(",")]
    return min(there, len([*itertools.takewhile(is_device, entries)]))  # CUDA stops at the first that is none


def is_device(text: str) -> bool:
    """Whether an entry of CUDA_VISIBLE_DEVICES names a device: by its number, or by its identity."""
    return text.isdecimal() or text.startswith(("GPU-", "MIG-"))


def at_a_time(gpus: int) -> int:
    """How many items run at once by default: one on each GPU, else one for each CPU core, four at most."""
    return gpus or min(4, cores())
