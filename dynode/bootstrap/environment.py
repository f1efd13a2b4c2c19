"""The environment `.venv`: whether it is whole and this checkout's own, and how it is made."""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dynode.bootstrap import installing
from dynode.bootstrap.children import ROOT
from dynode.errors import UserError

VENV = ROOT / ".venv"
LOCK = ROOT / "lock" / "requirements.txt"
INSTALLS = "Installing the locked packages into .venv: about 6 GB, 2 to 10 minutes by network."
INSTALLS_ANEW = "The environment in .venv was made for another folder: this checkout is installed into it."
WHOSE = "import os, sys, dynode; sys.stdout.buffer.write(os.fsencode(os.path.realpath(dynode.__file__)))"


def setup() -> Path:
    """The Python of an environment with everything installed; made on first use, remade when the lock changes.

    Raises UserError with what failed and what to do.
    """
    if is_current():
        return Path(sys.executable)
    if not is_whole():
        with one_at_a_time():
            if not is_whole():  # another set-up may have made it meanwhile
                make()
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


def wanted() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def is_whole() -> bool:
    """Whether everything in the lock is installed, the Python still starts, and it imports this checkout's package."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return stamped() and checkout() == ROOT
    return False


def stamped() -> bool:
    """Whether everything in the lock was installed once."""
    return stamp().is_file() and stamp().read_text(encoding="utf-8") == wanted()


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


def make() -> None:
    """Install the lock and this checkout's package into `.venv`, which is made where it has no working pip."""
    if not has_pip():  # nothing there yet, killed half-way, or its Python is gone
        create()
    print(INSTALLS_ANEW if stamped() else INSTALLS, flush=True)
    stamp().unlink(missing_ok=True)
    installing.install(str(python()), "The locked packages", "-r", str(LOCK))
    # setuptools is in the lock; pip would fetch another one for a build of its own
    installing.install(str(python()), "The package itself", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    part = stamp().with_suffix(".part")
    part.write_text(wanted(), encoding="utf-8")
    os.replace(part, stamp())


def has_pip() -> bool:
    """The environment's Python starts and imports pip."""
    command = [str(python()), "-I", "-m", "pip", "--version"]
    return python().exists() and subprocess.run(command, capture_output=True).returncode == 0


def create() -> None:
    """An empty environment with pip.  Raises UserError where there is no room, or nothing that can make one."""
    if VENV.is_symlink() and not VENV.exists() or VENV.exists() and not VENV.is_dir():
        raise UserError(f"{VENV} is no folder, and the environment belongs there: move it away.")
    free = shutil.disk_usage(VENV if VENV.exists() else ROOT).free / 1e9
    if free < 8:
        raise UserError(f"The environment takes 6 GB and {free:.1f} GB are free on {ROOT}: make room and try again.")
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
