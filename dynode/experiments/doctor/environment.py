"""Python, the locked packages, torch and its device, threads, the compiler."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from dynode import runtime
from dynode.experiments.doctor.registry import Answer, check, fix, note, ok

if TYPE_CHECKING:
    from packaging.requirements import Requirement

LOCK = runtime.ROOT / "lock" / "requirements.txt"
SETUP = "`python3 -m dynode setup`"
OLDEST = (3, 11)
COMPILERS = ("g++", "clang++", "c++")
PROGRAM = "#include <cmath>\nint main() { return std::floor(0.5); }\n"


@check("python")
def python() -> Answer:
    version = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST:
        return fix(f"{version}, 3.11 or newer is needed", "`make setup PYTHON=python3.11`")
    own = runtime.ROOT / ".venv"
    if own.is_dir() and own.resolve() != Path(sys.prefix).resolve():
        return note(f"{version}, not the one of {own}", f"`source {own}/bin/activate`, unless that is meant")
    return ok(version)


@check("packages")
def packages() -> Answer:
    """What the lock pins, or where there is none what the package requires, beside what is installed."""
    wanted = required()
    missing = [each.name for each in wanted if not installed(each)]
    other = [each.name for each in wanted if (version := installed(each)) and not each.specifier.contains(version)]
    source = "the lock" if LOCK.is_file() else f"what dynode {runtime.installed('dynode')} requires"
    if missing:
        return fix(f"{len(missing)} of {len(wanted)} packages of {source} are missing: {listed(missing)}", SETUP)
    if other:
        text = f"{len(other)} of {len(wanted)} packages have another version than {source}: {listed(other)}"
        return note(text, f"{SETUP}, or expect other last digits")
    return ok(f"{len(wanted)}, as in {source}")


def required() -> list["Requirement"]:
    """The requirements that hold on this machine, without those of extras."""
    from packaging.requirements import Requirement

    lines = LOCK.read_text(encoding="utf-8").splitlines() if LOCK.is_file() else metadata.requires("dynode") or []
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]
    return [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]


def installed(requirement: "Requirement") -> str:
    """The version that is installed, "" for none."""
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return ""


def listed(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


@check("device")
def device() -> Answer:
    """Whether torch computes: on the CPU, and on each GPU that it lists."""
    import torch

    if fault := runtime.fault_of("cpu"):
        return fix(f"torch {torch.__version__} does not compute on the CPU: {fault}", f"remove .venv, then {SETUP}")
    names = [f"cuda:{index}" for index in range(runtime.cuda_devices())]
    faults = {name: fault for name in names if (fault := runtime.fault_of(name))}
    if faults:
        text = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        return note(f"a GPU cannot be used ({text})", "mend its driver, or hide it with CUDA_VISIBLE_DEVICES")
    if names:
        models = ", ".join(f"{name} {torch.cuda.get_device_name(name)}" for name in names)
        return ok(f"torch {torch.__version__} computes on the CPU and on {models}")
    return without_gpu(f"torch {torch.__version__} computes on the CPU")


def without_gpu(text: str) -> Answer:
    """Whether there is a GPU after all, which this torch does not use."""
    import torch

    if os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
        return ok(f"{text}; CUDA_VISIBLE_DEVICES is {os.environ['CUDA_VISIBLE_DEVICES']!r}")
    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        return note(f"{text}, and was built without CUDA", f"DYNODE_TORCH=cuda {SETUP}, for the GPU here")
    if torch.backends.mps.is_available():
        return note(f"{text}; Apple's GPU has no float64 and is not used", "nothing: the CPU is taken")
    return ok(f"{text}; no GPU")


@check("threads")
def threads() -> Answer:
    import torch

    from dynode.experiments.engine import machine

    text = f"{torch.get_num_threads()} for torch on {machine.cores()} cores; {linear_algebra()}"
    limit = os.environ.get("OMP_NUM_THREADS")
    if torch.get_num_threads() > machine.cores():
        return note(f"{text}: more threads than cores", f"`export OMP_NUM_THREADS={machine.cores()}`")
    if torch.get_num_threads() < machine.cores():
        return note(f"{text}: cores stay idle", "unset OMP_NUM_THREADS, unless that is meant" if limit else "nothing")
    return ok(text)


def linear_algebra() -> str:
    """The libraries of linear algebra of torch and numpy."""
    import numpy as np
    import torch

    ours = "MKL" if torch.backends.mkl.is_available() else "no MKL"
    used = np.show_config("dicts")["Build Dependencies"]["blas"]["name"]  # pyright: ignore
    return f"torch with {ours}, numpy with {used}"


@check("compiler")
def compiler() -> Answer:
    """A C++ compiler that compiles, which torch.compile uses on the CPU."""
    named = os.environ.get("CXX")
    program = shutil.which(named) if named else next(filter(None, map(shutil.which, COMPILERS)), None)
    wanted = "install g++ (Debian and Ubuntu: `apt install g++`), for `--compiled` and nothing else"
    if program is None:
        return note(f"there is no {named or ' or '.join(COMPILERS)}", wanted)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "one.cpp")
        source.write_text(PROGRAM, encoding="utf-8")
        done = subprocess.run([program, str(source), "-o", f"{source}.out"], capture_output=True, timeout=60)
    return note(f"{program} cannot compile a program of two lines", wanted) if done.returncode else ok(program)


@check("extras")
def extras() -> Answer:
    """The optional packages, by the extra that brings them."""
    brought = {"notebooks": "papermill", "clip": "open_clip", "dev": "pytest"}
    missing = [extra for extra, module in brought.items() if importlib.util.find_spec(module) is None]
    if missing:
        return note(f"not installed: {', '.join(missing)}", f"`pip install 'dynode[{','.join(missing)}]'` where needed")
    return ok(", ".join(brought))
