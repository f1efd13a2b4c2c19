"""What ends a command from outside: Ctrl-C, SIGTERM of a scheduler, SIGHUP of a closed terminal.  Standard library only."""

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from dynode.errors import ending

NAMES = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
ECHO = 1.0  # seconds: a terminal, `timeout` and a scheduler signal a process and its group, which arrives twice
PATIENCE = 9.0  # seconds to put things in order, more than our children take


class Stopped(KeyboardInterrupt):
    """A signal asks this process to end.  What is noted on it (`add_note`) is printed: what is kept."""


class Stop:
    """The signal that came, if one did."""

    def __init__(self):
        self.number, self.since = 0, 0.0
        self.ended = threading.Event()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within it the first signal raises `Stopped`; a second one ends the process at once.

        A signal that is ignored stays so, as under `nohup`.
        """
        numbers = [getattr(signal, name) for name in NAMES]
        if threading.current_thread() is not threading.main_thread():  # Python lets only that one listen
            numbers = []
        before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
        for number in before:
            signal.signal(number, self.receive)
        try:
            yield
        finally:
            self.ended.set()
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)

    def receive(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not self.number:
            self.number, self.since = number, now
            threading.Thread(target=self.insist, daemon=True).start()
            raise Stopped
        if now - self.since > ECHO:
            os._exit(self.code)

    def insist(self) -> None:
        """End a process whose command has not ended in time: the exception was lost in a destructor, say."""
        if self.ended.wait(PATIENCE):
            return
        with contextlib.suppress(OSError):
            print(self.sentence(), file=sys.stderr, flush=True)
        os._exit(self.code)

    @property
    def code(self) -> int:
        """The exit code by which shells and schedulers know the signal."""
        return 128 + (self.number or signal.SIGINT)

    def sentence(self, kept: str = "") -> str:
        """What is printed at the end."""
        usual = "the same command goes on from what it keeps on disk, or begins anew."
        return ending(self.code - 128, kept or usual)


def outlast(code: int) -> None:
    """Let Python end with the code of a command that is over: no signal changes it, or prints a traceback.

    After a signal it ends in time whatever a thread still does, else at a signal.
    """
    if code in [128 + getattr(signal, name) for name in NAMES]:
        ignore()
        last = threading.Timer(PATIENCE, os._exit, [code])
        last.daemon = True
        last.start()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Python says so at its end
        sys.stdout.flush()
    for number in [getattr(signal, name) for name in NAMES]:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(code))
    atexit.register(ignore)  # after the threads, when Python heeds no handlers of ours any more


def ignore() -> None:
    for name in NAMES:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
