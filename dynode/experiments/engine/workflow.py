"""Snakemake on a Snakefile: followed by its events, ended with this process, begun again where a cluster lost a job."""

import contextlib
import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dynode import runtime
from dynode.errors import UserError
from dynode.experiments import children
from dynode.experiments.engine import locking, slurm
from dynode.reporting import paths

LOOK = 1.0  # seconds between two looks at what runs
PATIENCE = 6.0  # seconds that Snakemake and its runs have to put their things in order


class Follower(Protocol):
    """What is shown of a run.  errors: messages that are of no job."""

    errors: list[str]

    def heed(self, event: dict[str, Any]) -> None:
        """Take in an event."""

    def show(self) -> None:
        """Show what runs now."""

    def say(self, text: str) -> None:
        """Print a line."""

    def kept(self) -> str:
        """What is done, for somebody who has stopped the run."""
        ...

    def close(self) -> None:
        """End what is shown."""


@dataclass(frozen=True)
class Workflow:
    """A Snakefile and where it is run.

    command: of dynode, that runs it.  folder: what the paths of its rules begin at, absolute.  state: the folder of its lock
    and of Snakemake's log.  cluster: on Slurm.  dry_run: only say what would be run.
    """

    command: str
    snakefile: Path
    folder: Path
    state: Path
    cluster: bool = False
    dry_run: bool = False

    @property
    def log(self) -> Path:
        """What Snakemake writes."""
        return self.state / "snakemake.log"

    @property
    def prefix(self) -> str:
        """What the names of this folder's jobs on a cluster begin with."""
        return slurm.prefix(self.folder)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """A context in which no other engine works in the folder.  Raises UserError with who does."""
        return locking.alone(self.state, self.folder, self.command)

    def followed(self, arguments: list[str], follower: Follower) -> int:
        """Run Snakemake to its end, anew where a job of a cluster was lost; its exit code.

        arguments: beside the Snakefile's, the folder's and the profile's.
        """
        failed: list[str] = []  # nodes
        for _ in range(slurm.RESTARTS + 1):
            if self.cluster:
                slurm.wait_for_left(self.prefix)
            self.unlock()
            try:
                without = ["--slurm-exclude-failed-nodes", ",".join(failed)] if failed else []
                return self.run([*self.arguments(), *arguments, *without], follower)
            except slurm.Lost as lost:
                failed += [lost.node] if lost.node and lost.node not in failed else []
                follower.say(f"{lost} The engine starts again.")
            finally:
                follower.close()
        raise UserError(
            f"Slurm lost jobs {slurm.RESTARTS + 1} times without requeueing them: look at `sacct`, then go on."
        )

    def arguments(self) -> list[str]:
        """The arguments of Snakemake that every run has."""
        where = "slurm" if self.cluster else "default"
        typed = [*self.named(), "--workflow-profile", str(runtime.ROOT / "profiles" / where), "--nocolor"]
        typed += ["--slurm-jobname-prefix", self.prefix] if self.cluster else []
        return [*typed, *(["--dry-run"] if self.dry_run else [])]

    def named(self) -> list[str]:
        return ["--snakefile", str(self.snakefile), "--directory", str(self.folder)]

    def unlock(self) -> None:
        """Take away the lock that a Snakemake has left which was killed, by us too; our own lock says that none runs."""
        if locking.left_locked(self.folder):
            subprocess.run(
                snakemake([*self.named(), "--unlock"]), env=self.variables(), capture_output=True, check=False
            )

    def variables(self) -> dict[str, str]:
        """The variables of Snakemake and of the runs that it starts: they find this checkout's package and its commit."""
        own = {"DYNODE_RUN": shlex.join(dynode()), runtime.COMMIT: runtime.commit(), "PYTHONSAFEPATH": "1"}
        folders = [str(runtime.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return os.environ | own | paths.absolute_variables() | {"PYTHONPATH": os.pathsep.join(folders)}

    def run(self, typed: list[str], follower: Follower) -> int:
        """Run Snakemake and follow its events; its exit code.  Whatever ends this, no run on this machine goes on."""
        self.state.mkdir(parents=True, exist_ok=True)
        watch = slurm.Watch(self.prefix) if self.cluster and not self.dry_run else None
        with open(self.log, "wb") as log:
            child = subprocess.Popen(
                snakemake(typed),
                cwd=self.folder,
                env=self.variables() | {children.PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        with self.stopped_at_last(child, follower):
            for event in events(child):
                if event:
                    follower.heed(event)
                elif not self.dry_run:
                    follower.show()
                if watch and not event:
                    watch.look()
            return child.wait()

    @contextlib.contextmanager
    def stopped_at_last(self, child: subprocess.Popen[str], follower: Follower) -> Iterator[None]:
        """End Snakemake and its runs, however this ends; an interruption notes what is done."""
        try:
            yield
        except KeyboardInterrupt as stop:
            stop.add_note(follower.kept())
            if self.cluster:
                slurm.cancel(self.prefix)
            raise
        finally:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(PATIENCE)
            children.kill_session(child)
            child.wait()

    def raise_where_refused(self) -> None:
        """Raises UserError where Slurm refused a job."""
        if self.cluster and (refused := slurm.refusal(self.log)):
            raise UserError(refused)

    def raise_where_it_failed(self, code: int, follower: Follower) -> None:
        """Raises UserError where Snakemake itself has failed, with the first thing that it said."""
        if code:
            said = " ".join((follower.errors or ["it says nothing"])[0].split())[:300].rstrip(".")
            raise UserError(f"Snakemake ended with {code} ({said}): {self.log} has all of it.")


def dynode() -> list[str]:
    """The command line of this checkout."""
    return children.python("from dynode.__main__ import main; main()")


def snakemake(typed: list[str]) -> list[str]:
    return [*children.python("from dynode.experiments.engine.child import main; main()"), *typed]


def events(child: subprocess.Popen[str]) -> Iterator[dict]:
    """What the child tells, as it comes, and an empty event at every look, to its end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in child.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    looked = 0.0
    while True:
        line = ""
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=LOOK)
        if line is None:
            return
        if line:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and "event" in event:
                    yield event
        if time.monotonic() - looked >= LOOK:
            looked = time.monotonic()
            yield {}
