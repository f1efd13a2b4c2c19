"""From a bare machine to results: make the environment, then reproduce or test. Standard library only.

The environment is `.venv` in the checkout, installed from `lock/requirements.txt`. With DYNODE_ENV=current the running
environment (conda, a container) is used as it is.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
LOCK = ROOT / "lock" / "requirements.txt"
TESTS = ("-m", "pytest", "-q", "tests", "--ignore=tests/reference")
NOTEBOOK_TESTS = ("-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "tests/reference")
USAGE = "usage: python -m dynode setup | reproduce [--profile smoke|embedded|paper] | test"


class SetupError(Exception):
    """A step of the set-up failed; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Run one of the three commands; returns the exit code (2 for a mistake of the user)."""
    command, rest = arguments[0], arguments[1:]
    if {"-h", "--help"} & set(rest):
        print(USAGE)
        return 0
    try:
        if command == "reproduce":
            return reproduce(rest)
        if rest:
            raise SetupError(f"`{command}` takes no further arguments, got {' '.join(rest)}; {USAGE}.")
        return test() if command == "test" else int(not setup())
    except SetupError as error:
        print(f"dynode: {error}", file=sys.stderr)
        return 2


def setup() -> Path:
    """The Python of an environment with everything installed; made on first use, remade when the lock changes."""
    if sys.version_info < (3, 11):
        raise SetupError(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: start it with a newer one."
        )
    if os.environ.get("DYNODE_ENV") == "current":
        return Path(sys.executable)
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = VENV / "dynode-lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < 8:
        raise SetupError(f"The environment takes 6 GB and {free:.1f} GB are free on {ROOT}: make room and try again.")
    print("Installing the locked packages into .venv: about 6 GB, 2 to 10 minutes by network.", flush=True)
    if not has_pip(python):  # nothing there yet, or killed half-way
        venv.create(VENV, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "-q"]
    run([*pip, "-r", str(LOCK)], "The locked packages could not be installed")
    run([*pip, "--no-deps", "-e", str(ROOT)], "The package itself could not be installed")
    stamp.write_text(wanted)
    return python


def has_pip(python: Path) -> bool:
    """The environment's Python starts and finds pip."""
    command = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(command, capture_output=True).returncode == 0


def run(command: list[str], failure: str) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        raise SetupError(f"{failure} (see the lines above): check the network, then run the same command again.")


def reproduce(arguments: list[str]) -> int:
    """Fetch what a profile needs and run all of its items."""
    profile = arguments or ["--profile", "embedded"]
    python = str(setup())
    for command in (["fetch", *profile], ["run", "--all", *profile]):
        code = subprocess.run([python, "-m", "dynode", *command], cwd=ROOT).returncode
        if code:
            return code
    return 0


def test() -> int:
    """pytest over tests/, then nbval over the reference notebooks (smoke profile); outputs go to a scratch folder."""
    python = str(setup())
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "DYNODE_OUTPUT": scratch}
        codes = [subprocess.run([python, *t], cwd=ROOT, env=environment).returncode for t in (TESTS, NOTEBOOK_TESTS)]
    return max(codes)
