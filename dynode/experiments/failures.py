"""What a notebook that failed means: a mistake of the user, a killed process, or a defect of ours."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from dynode import runtime
from dynode.errors import REFUSALS, NotebookError, UserError
from dynode.experiments import items
from dynode.reporting import paths

MISTAKES = {"UserError", "SolverError"}
SHOWN = 12  # lines of a traceback
REFUSED = re.compile(r"\[Errno (\d+)\] ([^:]+)(?:: (.*))?")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@contextlib.contextmanager
def explained(item: items.Item, profile: str, unfinished: Path) -> Iterator[None]:
    """Raises UserError for a user's error inside the notebook, for a killed process and for one that did not start,
    NotebookError for a defect.

    unfinished: the notebook as far as it was executed; a copy of it is kept where it failed.
    """
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        yield
    except PapermillExecutionError as error:
        kept = keep(item, profile, unfinished)
        if error.ename in MISTAKES:
            raise UserError(error.evalue) from None
        if shortage := runtime.memory_shortage(f"{error.ename}: {error.evalue}"):
            raise UserError(
                f"The notebook {item.notebook} ran out of memory ({shortage}): run it again with fewer `--jobs` or, "
                "for the CPU, with CUDA_VISIBLE_DEVICES empty; finished fits are kept."
            ) from None
        if (refused := REFUSED.match(error.evalue)) and int(refused[1]) in REFUSALS:
            path = f" ({refused[3]})" if refused[3] else ""
            raise UserError(f"A file could not be read or written: {refused[2]}{path}.") from None
        trace = COLOURS.sub("", "\n".join(error.traceback)).splitlines()[-SHOWN:]
        raise NotebookError("\n".join([*trace, sentence(item, error.ename, error.evalue, kept)])) from None
    except DeadKernelError:
        keep(item, profile, unfinished)
        raise UserError(
            f"The process of the notebook {item.notebook} was killed, most often for want of memory: run it again, "
            "finished fits are kept."
        ) from None
    except RuntimeError as error:  # nbclient raises no kind of its own
        if not str(error).startswith("Kernel"):
            raise
        from dynode.experiments import kernels

        last = (
            unfinished.with_name(kernels.LOG).read_text(encoding="utf-8", errors="replace").strip() or str(error)
        ).splitlines()[-1]
        raise UserError(f"The process of the notebook {item.notebook} could not be started: {last}") from None


def keep(item: items.Item, profile: str, unfinished: Path) -> Path | None:
    """Copy an unfinished notebook beside the executed ones; None where there is nothing to copy, or no room."""
    copy = paths.failed_copy(item.name, profile)
    with contextlib.suppress(OSError):
        return Path(shutil.copyfile(unfinished, copy))
    return None


def sentence(item: items.Item, kind: str, text: str, kept: Path | None) -> str:
    cause = f"{kind}: {text.strip().splitlines()[0]}" if text.strip() else kind
    where = f"; the cell is in {kept}" if kept else ""
    return f"dynode: The notebook {item.notebook} failed ({cause}){where}."
