"""Device, seeds and provenance (versions, commit) of a computation.  torch is loaded when first needed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynode import __version__
from dynode.errors import Remark, UserError

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # the checkout
COMMIT = (
    "DYNODE_COMMIT"  # in the environment of runs that `dynode reproduce` starts: nodes of a cluster may have no git
)
GIT_SECONDS = 20  # on a slow network file system git compares every file
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of glibc's mallopt
DEVICE, DETERMINISTIC = "DYNODE_DEVICE", "DYNODE_DETERMINISTIC"  # variables, which notebooks and other children inherit
NO_FLOAT64 = "it has no float64 numbers, in which paths and metrics are computed"
GPUS: dict[str, Any] = {}  # the locks of those that this process has taken, None for those that another one had
RECORDED_VERSIONS = ("torch", "torchdiffeq", "lpips", "numpy", "scikit-image", "facenet-pytorch")


def device(name: torch.device | str = "auto") -> torch.device:
    """ "auto" is what DYNODE_DEVICE names, else the first CUDA device that computes, else the CPU, with a remark where there is
    one that does not compute.  Of several GPUs, processes of one user take one each, as long as there is a free one.

    Any other device is taken as it is.  Raises UserError for one that torch does not know, or that does not compute here.
    """
    import torch

    if os.environ.get(DETERMINISTIC):
        be_deterministic()
    if name == "auto" and (name := os.environ.get(DEVICE) or "auto") == "auto":
        return first_that_computes()
    try:
        chosen = torch.device(name)
    except RuntimeError:
        raise UserError(f"There is no device {str(name)!r}: name cpu, cuda, cuda:1 or auto.") from None
    if chosen.type == "cuda" and not cuda_devices():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES is {visible!r})"
        raise UserError(
            f"The device {name} was asked for, but torch finds no CUDA device here{hidden}: use cpu or auto."
        )
    fault = NO_FLOAT64 if chosen.type == "mps" else fault_of(str(chosen))
    if fault:
        raise UserError(f"The device {name} cannot be used here ({fault}): use cpu or auto.")
    return chosen


def first_that_computes() -> torch.device:
    """The first CUDA device that computes and that no other process has taken, else the first that computes, else the CPU."""
    import torch

    names, faults, taken = gpus(), [], []
    for index, name in enumerate(names):
        if fault := fault_of(name):
            faults.append(f"{name}: {fault}")
        elif len(names) == 1 or takes(identity_of(index)):
            return torch.device(name)
        else:
            taken.append(name)
    if taken:
        return torch.device(taken[0])
    if faults:
        warnings.warn(f"Computing on the CPU, since no GPU can be used ({'; '.join(faults)}).", Remark, stacklevel=3)
    return torch.device("cpu")


def gpus() -> list[str]:
    """The names of all CUDA devices that torch has: of those that CUDA_VISIBLE_DEVICES leaves."""
    return [f"cuda:{index}" if index else "cuda" for index in range(cuda_devices())]


def identity_of(index: int) -> str:
    """What names a GPU for every process, whichever of them each one sees."""
    import torch

    try:
        return str(torch.cuda.get_device_properties(index).uuid)
    except (RuntimeError, AssertionError, AttributeError):  # a driver that does not say
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        return re.sub(r"\W+", "-", visible[index].strip()) if index < len(visible) and visible[index] else str(index)


def takes(gpu: str) -> bool:
    """Take a GPU for this process until it ends, by the lock of a file; False where another process has it, or had it when
    this one chose: a process stays with its GPU.  True where there can be no locks."""
    import filelock

    if gpu in GPUS:
        return GPUS[gpu] is not None
    folder = Path(tempfile.gettempdir(), f"dynode-gpus-{getattr(os, 'getuid', str)()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        GPUS[gpu] = filelock.FileLock(folder / f"{gpu}.lock", thread_local=False, fallback_to_soft=False)
        GPUS[gpu].acquire(blocking=False)
    except filelock.Timeout:
        GPUS[gpu] = None
    except (OSError, NotImplementedError):
        return True
    return GPUS[gpu] is not None


def be_deterministic() -> None:
    """From now on the same inputs give the same bits on one device, and what cannot do so raises RuntimeError."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first product of matrices begins
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def cuda_devices() -> int:
    """How many CUDA devices torch has; its warnings about drivers and old devices say nothing that `fault_of` does not."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


@cache
def fault_of(name: str) -> str:
    """Why a device computes nothing, "" for one that computes: a convolution, and a product of matrices in float64.

    A device that is listed may still be too old for this torch or too new for its driver, full, or another process's own.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = torch.ones(1, 1, 8, 8, device=name)
            square = torch.nn.functional.conv2d(image, image[..., :3, :3])[0, 0].double()
            return "" if (square @ square).sum().item() == 6**3 * 81 else "it computes wrong numbers"
    except (RuntimeError, NotImplementedError, AssertionError, TypeError) as error:  # not there, no numbers, no float64
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0].split(". ")[0].rstrip(".")


SHORT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|unable to allocate|_ALLOC_FAILED|bad_alloc|failed to map segment|^MemoryError\b",
    re.IGNORECASE,
)


def memory_shortage(error: BaseException | str) -> str:
    """The first sentence of an error that says there is too little memory, of the machine or of its GPU; "" for any other."""
    if isinstance(error, MemoryError) and not str(error):
        return "MemoryError"
    return next((each for each in re.split(r"\. |\n", str(error).strip(".")) if SHORT_OF_MEMORY.search(each)), "")


def fast_bfloat16(device: torch.device | str) -> bool:
    """Whether a device multiplies in bfloat16 by instructions of its own; a CPU without them is slower in it than in float32."""
    import torch

    if torch.device(device).type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return torch.cuda.is_bf16_supported(including_emulation=False)


def bars() -> bool:
    """Whether progress bars are shown: tqdm's variable TQDM_DISABLE switches them off."""
    return os.environ.get("TQDM_DISABLE", "").lower() in ("", "0", "false", "no")


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


def seed_of_draw(seed: int, draw: int) -> int:
    """The seed of one of several random choices under a seed: of draw 0 the seed itself, so that one choice needs no number.

    Raises UserError for a seed or a draw that cannot be.
    """
    if draw < 0:
        raise UserError(f"The number of a draw must be 0 or more, got {draw}.")
    import numpy as np

    first = legal_seed(seed)
    return int(np.random.SeedSequence((first, draw)).generate_state(1)[0]) if draw else first


def seed_everything(seed: int) -> None:
    """Seed the three global generators (for libraries that read them; our own code passes generators)."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@cache
def commit() -> str:
    """The commit of this checkout as the process began to record, "-dirty" when tracked files differ.

    Without one, the version and why: installed as a package, unpacked from an archive, no git, a repository that git
    cannot read.  The repository of somebody else around this folder is not looked into.
    """
    if known := os.environ.get(COMMIT):
        return known
    if not (ROOT / ".git").exists():  # a folder, or a file where this is a worktree or a submodule
        return f"{__version__} (no git checkout)"
    try:
        git("cat-file", "-e", "HEAD:dynode/runtime.py")
        return git("describe", "--always", "--dirty", "--abbrev=12") or f"{__version__} (git says nothing)"
    except FileNotFoundError:
        return f"{__version__} (git is not installed)"
    except subprocess.TimeoutExpired:
        return f"{__version__} (git did not answer)"
    except subprocess.CalledProcessError as error:
        return f"{__version__} ({(error.stderr.strip().splitlines() or ['git failed'])[-1]})"
    except OSError as error:
        return f"{__version__} (git: {error.strerror})"


def git(*arguments: str) -> str:
    """What git says of this checkout and of no other, whoever owns it and whatever a hook around us has set."""
    own = ["git", "--git-dir", str(ROOT / ".git"), "--work-tree", str(ROOT), "-c", "core.fsmonitor=false"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    variables |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(
        [*own, *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        check=True,
        timeout=GIT_SECONDS,
        encoding="utf-8",
        errors="replace",
    )
    return done.stdout.strip()


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """A context in which this process, and those that it starts, compute as `be_deterministic` says."""
    import torch

    before, variable = torch.are_deterministic_algorithms_enabled(), os.environ.get(DETERMINISTIC)
    os.environ[DETERMINISTIC] = "1"
    try:
        be_deterministic()
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        os.environ.update({DETERMINISTIC: variable or ""})


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
        **({"deterministic": True} if os.environ.get(DETERMINISTIC) else {}),
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
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise RuntimeError(f"dynode {arguments[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
