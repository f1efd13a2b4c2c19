"""Child processes: they run the code of this process, and end with it, however it ends.  Standard library only."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

from dynode.runtime import ROOT

PARENT = "DYNODE_PARENT"  # the variable that names the process to end with; only the child itself reads it
PATIENCE = 6.0  # seconds that a child has to put its things in order


def python(statement: str) -> list[str]:
    """The command of a Python that runs a statement and finds the modules of this process, whatever folder it starts in.

    The folder where the command was typed is left out: a file of the user's there could carry the name of a module.
    """
    folders = [str(ROOT), *(each for each in sys.path if each not in ("", here()))]
    return [sys.executable, "-c", f"import sys; sys.path[:] = {folders!r}; {statement}"]


def here() -> str:
    """The working folder, "" where it was deleted."""
    with contextlib.suppress(FileNotFoundError):
        return os.getcwd()
    return ""


def kill_session(child: subprocess.Popen) -> None:
    """Kill what is left of a child that leads a session."""
    if not hasattr(os, "killpg"):
        child.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def end_with_parent() -> None:
    """From now on end when the process has ended that PARENT names; nothing where it names none."""
    parent = os.environ.pop(PARENT, "")
    if parent.isdecimal() and os.name == "posix":
        threading.Thread(target=follow, args=(int(parent),), daemon=True).start()


def follow(parent: int) -> None:
    """Wait until the parent is another one: ours is dead then, and so shall we be, with our children."""
    while os.getppid() == parent:
        time.sleep(0.3)
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(0, number) if os.getpgid(0) == os.getpid() else os.kill(os.getpid(), number)
        time.sleep(PATIENCE)
