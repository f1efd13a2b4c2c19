"""Run items of experiments.yaml: their notebook, through papermill, in this environment's own kernel."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from dynode import runtime
from dynode.errors import UserError
from dynode.experiments import items
from dynode.io import assets, files
from dynode.reporting import paths
from dynode.settings import choose, nearest

KERNEL = "python3"  # resolved inside this environment, see `prefer_own_kernel`


def prefer_own_kernel() -> None:
    """Make jupyter prefer this environment's kernel to one of the same name in the user's home, without warnings."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # bars here are plain text


def run(name: str, profile: str = "embedded", parameters: dict | None = None) -> Path:
    """Execute an item's notebook under a profile; returns the executed copy in reports/executed/.

    Raises UserError for an unknown item, profile or parameter (naming the nearest), for a parameter of another type,
    for an output that cannot be written, for a user's error that occurred inside the notebook, and when the notebook's
    process was killed.  Progress bars inside the notebook appear on this process's stderr.
    """
    import papermill

    item = items.item(name)
    choose("profile", profile, items.PROFILES)
    notebook = runtime.ROOT / item.notebook
    values = item.parameters.get(profile, {}) | {"item": name, "profile": profile} | (parameters or {})
    refuse_unknown(values, papermill.inspect_notebook(str(notebook)), name)
    print_cost(item, profile)
    prefer_own_kernel()
    executed = paths.executed_copy(name, profile)
    files.require_writable(executed)
    with user_errors(item):
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=values,
            kernel_name=KERNEL,
            cwd=str(paths.root()),
            stderr_file=sys.stderr,
            extra_arguments=["--log-level=ERROR"],
        )
    return executed


@contextmanager
def user_errors(item: items.Item) -> Iterator[None]:
    """Raises UserError for a user's error inside the notebook, and for a process that was killed; others pass."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        yield
    except PapermillExecutionError as error:
        if error.ename in {"UserError", "SolverError"}:
            raise UserError(error.evalue) from None
        raise
    except DeadKernelError:
        raise UserError(
            f"The process of the notebook {item.notebook} was killed, most often for want of memory: run it again, "
            "finished fits are kept."
        ) from None


def refuse_unknown(values: dict, legal: dict, item: str) -> None:
    """Raises UserError for a parameter that the notebook does not declare, or of another type than declared there."""
    for key, value in values.items():
        if key not in legal:
            raise UserError(
                f"The item {item} has no parameter {key!r}{nearest(key, legal)}; legal are {', '.join(sorted(legal))}."
            )
        kind, came = legal[key]["inferred_type_name"], type(value).__name__
        if came != kind and (came, kind) != ("int", "float") and kind != "None":
            raise UserError(f"{key} wants a {kind} such as {legal[key]['default']}, got {value!r}.")


def print_cost(item: items.Item, profile: str) -> None:
    """Print an item's name, title and measured minutes."""
    cost = item.minutes.get(profile, {})
    minutes = ", ".join(f"{each} min on {hardware}" for hardware, each in cost.items()) or "not measured yet"
    print(f"{item.name} ({profile}): {item.title}. About {minutes}.")


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_a_time() -> int:
    """How many items run at once by default: one on a GPU, else one for each CPU core, four at most."""
    return min(4, cores()) if runtime.device().type == "cpu" else 1


def run_several(names: list[str], profile: str = "embedded", jobs: int = 1) -> list[Path]:
    """Execute several items, `jobs` at a time, each in a process of its own with its part of the cores; all of them for
    the last to begin.

    Longer items begin first; one that reads the records of others (`after` in experiments.yaml) waits for them.  An item
    whose needs cannot be met is skipped, with a message.  A failure stops only the items that wait for it.
    Raises UserError for an unknown item or profile, and at the end with the last message of every item that failed.
    """
    choose("profile", profile, items.PROFILES)
    waiting = [item for item in map(items.item, names) if can_run(item, profile)]
    waiting.sort(key=lambda item: -items.minutes_of(item, profile))
    jobs = max(1, min(jobs, len(waiting)))
    minutes = sum(items.minutes_of(item, profile) for item in waiting)
    print(f"{len(waiting)} items ({profile}), {jobs} at a time: about {minutes / jobs:.0f} minutes.", flush=True)
    running, done, failed = {}, [], {}
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(waiting), desc="items", unit="item") as bar:
        while waiting or running:
            unfinished = {item.name for item in (*waiting, *running.values())} | set(failed)
            ready = [item for item in waiting if not unfinished & set(item.after)]
            parts = 1 if bar.n and len(ready) == 1 else jobs  # the last soon has the cores of those that ended
            for item in ready[: jobs - len(running)]:
                waiting.remove(item)
                running[pool.submit(in_process, item.name, profile, max(1, cores() // parts))] = item
            if not running:  # the rest waits for what failed
                failed |= dict.fromkeys((item.name for item in waiting), "not begun, it reads a failed item's record")
                break
            bar.set_postfix_str(", ".join(item.name for item in running.values()))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                bar.update()
                code, message = future.result()
                if code:
                    failed[item.name] = message
                else:
                    done.append(paths.executed_copy(item.name, profile))
    if failed:
        messages = "; ".join(f"{name}: {text.removeprefix('dynode: ')}" for name, text in failed.items())
        raise UserError(f"{len(failed)} of {len(names)} items failed, the others are done. {messages}")
    return done


def can_run(item: items.Item, profile: str) -> bool:
    """Whether the assets that the user may have to supply are there; prints why the item is skipped where not."""
    try:
        for name in item.needs.get(profile, []):
            assets.fetch(name)
    except UserError as error:
        print(f"{item.name} ({profile}) skipped: {error}")
        return False
    return True


def in_process(name: str, profile: str, threads: int) -> tuple[int, str]:
    """Run one item in a process of its own on `threads` threads; its exit code and the last line of its stderr."""
    command = [sys.executable, "-m", "dynode", "run", name, "--profile", profile]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, capture_output=True, text=True, errors="replace"
    )
    lines = done.stderr.replace("\r", "\n").strip().splitlines()
    return done.returncode, lines[-1] if lines else f"ended with code {done.returncode}"
