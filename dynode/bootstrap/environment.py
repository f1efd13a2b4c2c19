"""The environment `.venv`: whether it is whole and this checkout's own, and how it is made."""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dynode.bootstrap import installing, torch_build
from dynode.bootstrap.children import ROOT
from dynode.errors import UserError

VENV = ROOT / ".venv"
LOCK = ROOT / "lock" / "requirements.txt"  # the library with all that the paper's items need
DEV_LOCK = ROOT / "lock" / "dev.txt"  # the same, with what tests and checks of the code need
SIZES = {"cpu": 2, "cuda": 6}  # GB
INSTALLS = "Installing the locked packages into .venv: about {} GB, 1 to 10 minutes by network."
INSTALLS_ANEW = "The environment in .venv was made for another folder: this checkout is installed into it."
WHOSE = "import os, sys, dynode; sys.stdout.buffer.write(os.fsencode(os.path.realpath(dynode.__file__)))"


def setup(dev: bool = True) -> Path:
    """The Python of an environment with everything installed; made on first use, remade when the lock changes.

    dev: with what tests and checks of the code need.
    Raises UserError with what failed and what to do.
    """
    if is_current():
        return Path(sys.executable)
    if not is_whole(dev):
        with one_at_a_time():
            if not is_whole(dev):  # another set-up may have made it meanwhile
                make(dev)
    return python()


def is_current() -> bool:
    """Whether the running environment is used as it is.  Raises UserError for another value of DYNODE_ENV."""
    chosen = os.environ.get("DYNODE_ENV", "")
    if chosen not in ("", "current"):
        raise UserError(f"DYNODE_ENV can be `current` or unset, got {chosen}.")
    return chosen == "current"


def variables() -> dict[str, str]:
    """The variables for programs of the environment; the running one has what it was started with."""
    return dict(os.environ) if is_current() else installing.variables()


def python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp() -> Path:
    return VENV / "dynode-lock.sha256"


def wanted(dev: bool = True) -> str:
    return hashlib.sha256((DEV_LOCK if dev else LOCK).read_bytes()).hexdigest()


def is_whole(dev: bool = True) -> bool:
    """Whether everything in the lock is installed, the Python still starts, and it imports this checkout's package."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return stamped(dev) and checkout() == ROOT
    return False


def stamped(dev: bool = True) -> bool:
    """Whether everything in the lock was installed once, with the build of torch that DYNODE_TORCH names, if it names one.

    An environment for developers has all that others want.
    """
    if not stamp().is_file():
        return False
    lock, _, build = stamp().read_text(encoding="utf-8").partition(" ")
    chosen = os.environ.get(torch_build.CHOICE)
    return lock in {wanted(), wanted(dev)} and chosen in (None, "", build or "cuda")


def checkout() -> Path | None:
    """The checkout whose package the environment imports: another's where `.venv` was copied; None where it imports none."""
    done = subprocess.run([str(python()), "-I", "-c", WHOSE], cwd=VENV, capture_output=True)
    return Path(os.fsdecode(done.stdout)).parents[1] if done.returncode == 0 else None


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other set-up of this checkout runs, where the system has locks; a killed one holds none."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    with open(LOCK, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this checkout is running: waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a network file system without locks
            pass
        yield


def make(dev: bool = True) -> None:
    """Install the lock and this checkout's package into `.venv`, which is made where it has no working pip."""
    build = torch_build.wanted()
    if not has_pip():  # nothing there yet, killed half-way, or its Python is gone
        create(SIZES[build])
    print(INSTALLS_ANEW if stamped(dev) else INSTALLS.format(SIZES[build]), flush=True)
    stamp().unlink(missing_ok=True)
    lock = DEV_LOCK if dev else LOCK
    with tempfile.TemporaryDirectory() as folder:
        options = []
        if build == "cpu":
            lock = torch_build.install_for_cpu(str(python()), lock, Path(folder))
            options = ["--no-deps"]  # torch would bring what was left out
        installing.install(str(python()), "The locked packages", *options, "-r", str(lock))
    # setuptools is in the lock; pip would fetch another one for a build of its own
    installing.install(str(python()), "The package itself", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    part = stamp().with_suffix(".part")
    part.write_text(wanted(dev) + (" cpu" if build == "cpu" else ""), encoding="utf-8")
    os.replace(part, stamp())


def has_pip() -> bool:
    """The environment's Python starts and imports pip."""
    command = [str(python()), "-I", "-m", "pip", "--version"]
    return python().exists() and subprocess.run(command, capture_output=True).returncode == 0


def create(size: int = 6) -> None:
    """An empty environment with pip.  Raises UserError where there is no room, or nothing that can make one."""
    if VENV.is_symlink() and not VENV.exists() or VENV.exists() and not VENV.is_dir():
        raise UserError(f"{VENV} is no folder, and the environment belongs there: move it away.")
    free = shutil.disk_usage(VENV if VENV.exists() else ROOT).free / 1e9
    if free < size + 2:
        raise UserError(
            f"The environment takes {size} GB and {free:.1f} GB are free on {ROOT}: make room and try again."
        )
    installing.run([*maker(), str(VENV)], "The environment .venv could not be made")


def maker() -> list[str]:
    """The command that makes an environment in a folder: this Python's own, else virtualenv's or uv's."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return [sys.executable, "-m", "venv", "--clear"]
    if virtualenv := shutil.which("virtualenv"):
        return [virtualenv, "--clear", "-p", sys.executable]
    if uv := shutil.which("uv"):
        return [uv, "venv", "--seed", "--clear", "--python", sys.executable]
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    raise UserError(
        f"{sys.executable} comes without ensurepip, so it can make no environment: install it (Debian and Ubuntu: "
        f"`apt install python{version}-venv`) or virtualenv or uv, then run the same command again."
    )
