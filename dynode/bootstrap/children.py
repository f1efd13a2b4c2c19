"""Child processes: signals are passed on to them and to theirs, so that none goes on alone."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from dynode.errors import ending

ROOT = Path(__file__).resolve().parents[2]  # the checkout
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
GRACE = 10  # seconds until a child that is to end is killed


def call(
    command: list[str], environment: Mapping[str, str], lines: list[str] | None = None, quiet: bool = False
) -> int:
    """Run a command in the checkout; returns its exit code, 128 + the signal's number where one killed it.

    lines: takes those that the child writes to stderr, which are shown all the same, unless `quiet`.
    Raises SystemExit with 128 + its number for a signal that came meanwhile, once the child has ended; OSError for a program
    that cannot be started.
    """
    pipe, kept = (None, []) if lines is None else (subprocess.PIPE, lines)
    group = 0 if os.name == "posix" else None  # its own, which its children share: a signal reaches them all, once
    with (
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=pipe, process_group=group) as child,
        passing_signals_to(child),
    ):
        for line in child.stderr or ():
            shown = line.decode(errors="replace")
            sys.stderr.write("" if quiet else shown)
            kept.append(shown.strip())
        code = child.wait()
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def passing_signals_to(child: subprocess.Popen) -> Iterator[None]:
    """Raises SystemExit at the end, with 128 + the number of the first signal, where any came.

    A child that answers a signal by that code has said what it keeps; for any other the sentence is printed here.
    """
    received: list[int] = []

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        send(child, number)
        if number != signal.SIGINT:
            patience = threading.Timer(GRACE, send, (child, KILL))
            patience.daemon = True
            patience.start()

    heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores one
    before = {number: signal.signal(number, pass_on) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        code = 128 + received[0]
        if child.returncode != code:
            kept = "what is finished is kept, and the same command goes on from there."
            print(ending(received[0], kept), file=sys.stderr)
        raise SystemExit(code)


def send(child: subprocess.Popen, number: int) -> None:
    """A signal to a child and all of its group."""
    if os.name != "posix":
        child.send_signal(number)
    elif child.returncode is None:  # its number is not free for another process yet
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
