"""Several items of experiments.yaml at a time, each in a process of its own."""

import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from dynode import runtime
from dynode.errors import UserError
from dynode.experiments import children, items
from dynode.io import assets
from dynode.reporting import paths
from dynode.settings import choose

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container on Linux: microseconds of CPU time in how many


def cores() -> int:
    """How many CPU cores this process may use: those it may run on, fewer where a container has only part of their time."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no such limits here, or "max"
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return min(usable, max(1, int(quota) // int(period)))
    return usable


def at_a_time() -> int:
    """How many items run at once by default: one on each GPU, else one for each CPU core, four at most.

    No GPU is taken here: each item takes its own.
    """
    named = os.environ.get(runtime.DEVICE) or "auto"
    if named != "auto":
        return min(4, cores()) if runtime.device(named).type == "cpu" else 1
    return len([name for name in runtime.gpus() if not runtime.fault_of(name)]) or min(4, cores())


def run_several(names: list[str], profile: str = "embedded", jobs: int = 1) -> list[Path]:
    """Execute several items, `jobs` at a time, each in a process of its own with its part of the cores; all of them for
    the last to begin.

    Longer items begin first; one that reads the records of others (`after` in experiments.yaml) waits for them.  An item
    whose needs cannot be met is skipped, with a message.  A failure stops only the items that wait for it; an
    interruption ends all that run.
    Raises UserError for an unknown item or profile, and at the end with the last message of every item that failed.
    """
    choose("profile", profile, items.PROFILES)
    waiting = [item for item in map(items.item, names) if can_run(item, profile)]
    waiting.sort(key=lambda item: -items.minutes_of(item, profile))
    jobs = max(1, min(jobs, len(waiting)))
    minutes = sum(items.minutes_of(item, profile) for item in waiting)
    print(f"{len(waiting)} items ({profile}), {jobs} at a time: about {minutes / jobs:.0f} minutes.", flush=True)
    queue = Queue(waiting, profile, jobs)
    with tqdm(total=len(waiting), desc="items", unit="item") as bar, queue.working():
        while queue.begin():
            bar.set_postfix_str(", ".join(item.name for item in queue.futures.values()))
            bar.update(queue.finish())
    if queue.failed:
        messages = "; ".join(f"{name}: {text.removeprefix('dynode: ')}" for name, text in queue.failed.items())
        raise UserError(f"{len(queue.failed)} of {len(names)} items failed, the others are done. {messages}")
    return queue.done


class Queue:
    """Items that wait, those that run, and what became of the others."""

    def __init__(self, waiting: list[items.Item], profile: str, jobs: int):
        self.waiting, self.profile, self.jobs = waiting, profile, jobs
        self.pool = ThreadPoolExecutor(jobs)
        self.futures: dict[Future[tuple[int, str]], items.Item] = {}
        self.running: set[subprocess.Popen[str]] = set()
        self.done: list[Path] = []
        self.failed: dict[str, str] = {}

    def begin(self) -> bool:
        """Begin as many items as have room; False once none runs and none can."""
        unfinished = {item.name for item in (*self.waiting, *self.futures.values())} | set(self.failed)
        ready = [item for item in self.waiting if not unfinished & set(item.after)]
        parts = (
            1 if (self.done or self.failed) and len(ready) == 1 else self.jobs
        )  # the last soon has the cores of those that ended
        for item in ready[: self.jobs - len(self.futures)]:
            self.waiting.remove(item)
            threads = max(1, cores() // parts)
            self.futures[self.pool.submit(in_process, item.name, self.profile, threads, self.running)] = item
        if not self.futures:  # the rest waits for what failed
            why = "not begun, it reads a failed item's record"
            self.failed |= dict.fromkeys((item.name for item in self.waiting), why)
        return bool(self.futures)

    def finish(self) -> int:
        """Wait until an item ends, or several; how many did."""
        ended = wait(self.futures, return_when=FIRST_COMPLETED).done
        for future in ended:
            item = self.futures.pop(future)
            code, message = future.result()
            if code:
                self.failed[item.name] = message
            else:
                self.done.append(paths.executed_copy(item.name, self.profile))
        return len(ended)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Whatever ends it, no process goes on; an interruption notes what is done."""
        try:
            yield
        except KeyboardInterrupt as stop:
            names = ", ".join(path.name.split(".")[0] for path in self.done)
            done = f"done: {names}" if names else "no item is done"
            stop.add_note(f"{done}; of the others, fits that were finished are kept.")
            raise
        finally:
            self.pool.shutdown(wait=False, cancel_futures=True)
            end_all(self.futures, self.running)


def end_all(futures: Iterable[Future], running: set[subprocess.Popen[str]]) -> None:
    """End the processes of futures, also one that only begins."""
    while not all(future.done() for future in futures):
        children.end([*running])
        time.sleep(0.05)


def can_run(item: items.Item, profile: str) -> bool:
    """Whether the assets that the user may have to supply are there; prints why the item is skipped where not."""
    try:
        for name in item.needs.get(profile, []):
            assets.fetch(name)
    except UserError as error:
        print(f"{item.name} ({profile}) skipped: {error}")
        return False
    return True


def in_process(name: str, profile: str, threads: int, running: set[subprocess.Popen[str]]) -> tuple[int, str]:
    """Run one item in a process of its own on `threads` threads; its exit code and the last line of its stderr.

    running: holds the process as long as it runs.
    """
    command = children.python("from dynode.__main__ import main; main()")
    child = children.start([*command, "run", name, "--profile", profile], OMP_NUM_THREADS=str(threads))
    running.add(child)
    lines = (child.communicate()[1] or "").replace("\r", "\n").strip().splitlines()
    running.discard(child)
    return child.returncode, lines[-1] if lines else f"ended with code {child.returncode}"
