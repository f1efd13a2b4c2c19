"""torch.compile where it works: a function that is called as it is once compiling has failed."""

import contextlib
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from dynode.errors import Remark


class TooSlow(BaseException):
    """Compiling takes too long.  No Exception: the compiler would take it for a fault of its own, and go on."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """A context that raises TooSlow after some seconds; without a limit for 0, and where no alarm can ring."""
    if not seconds or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: Any) -> None:
        raise TooSlow(f"it took more than {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


class Fused:
    """A function or network whose small operations torch.compile fuses.

    It compiles at the first call of each shape, which takes a C++ compiler and a minute; results differ in the last digits.
    """

    def __init__(self, function: Callable):
        self.function, self.fast = function, torch.compile(function, dynamic=False)
        self.gave_up = False

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return (self.function if self.gave_up else self.fast)(*arguments, **options)

    def give_up(self, error: BaseException) -> bool:
        """Call the function as it is from now on, with a remark; False where that was so already."""
        if self.gave_up:
            return False
        self.gave_up = True
        reason = str(error).strip().split("\n")[0][:200].rstrip(".")
        warnings.warn(
            f"torch.compile failed ({type(error).__name__}: {reason}): the training goes on without it.",
            Remark,
            stacklevel=2,
        )
        return True
