"""What Snakemake's Slurm plugin leaves open: jobs that outlive a killed engine, jobs that are lost, refusals."""

import contextlib
import getpass
import hashlib
import os
import re
import subprocess
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from dynode.errors import UserError

POLL = float(os.environ.get("DYNODE_SLURM_POLL", "10"))  # seconds between two looks at the queue
LOST_AFTER = float(os.environ.get("DYNODE_SLURM_LOST", "600"))  # seconds that a preempted job may be out of the queue
RESTARTS = 5
NODE = re.compile(r"[\w.-]+")  # the name of one
REFUSED = re.compile(r"sbatch failed\. The error message was '(.*?)'\.\s", re.DOTALL)


ENDED = {"PREEMPTED": "was preempted", "NODE_FAIL": "lost its node"}  # states in which the plugin waits for a requeue


class Lost(Exception):
    """A job that was preempted or whose node failed, and that was not requeued: the plugin would wait for it in vain.

    node: that failed, "" for none.
    """

    def __init__(self, message: str, node: str = ""):
        super().__init__(message)
        self.node = node


def prefix(folder: Path) -> str:
    """What the names of a folder's jobs begin with."""
    return f"dynode_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def output_of(*command: str) -> str | None:
    """What a program of Slurm prints, None where it is not there or fails."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=60)
        return done.stdout if done.returncode == 0 else None
    return None


def queued(of: str) -> list[str]:
    """The numbers of the jobs in the queue whose names begin so.  Raises UserError where there is no queue."""
    printed = output_of("squeue", "-h", "-u", getpass.getuser(), "-o", "%i %j")
    if printed is None:
        raise UserError(
            "There is no Slurm here (`squeue` does not answer): leave out --slurm, or log in to the cluster."
        )
    lines = (line.split(maxsplit=1) for line in printed.splitlines())
    return [line[0] for line in lines if len(line) == 2 and line[1].startswith(of)]


def wait_for_left(of: str) -> None:
    """Wait for jobs of an engine that was killed: another one would submit them again."""
    named: list[str] = []
    while left := queued(of):
        if left != named:
            named = left
            print(
                f"Waiting for {len(left)} jobs of a run before; `scancel {' '.join(left)}` ends them: their fits are kept.",
                flush=True,
            )
        time.sleep(POLL)


def cancel(of: str) -> None:
    """Cancel the jobs whose names begin so, which Snakemake would do job by job."""
    with contextlib.suppress(UserError):
        if left := queued(of):
            output_of("scancel", *left)


@dataclass(frozen=True)
class Ended:
    """The state of a job, and the node that it ran on."""

    state: str
    node: str


class Watch:
    """Looks for jobs that were preempted or lost their node, and that nothing requeues.

    Those that are there when it begins are of an engine before, whom nobody awaits.
    """

    def __init__(self, of: str):
        self.of, self.looked, self.before = of, time.monotonic(), set(states_of(of))
        self.since: dict[str, float] = {}
        self.ended: dict[str, Ended] = {}

    def look(self) -> None:
        """Raises Lost where a job has ended so, is out of the queue for long, and is awaited for ever."""
        if time.monotonic() - self.looked < POLL:
            return
        self.looked = time.monotonic()
        for job, ended in self.out_of_queue().items():
            self.since.setdefault(job, time.monotonic())
            if time.monotonic() - self.since[job] >= LOST_AFTER:
                node = ended.node if ended.state == "NODE_FAIL" and NODE.fullmatch(ended.node) else ""
                raise Lost(f"The job {job} {ENDED[ended.state]} and was not requeued.", node)

    def out_of_queue(self) -> dict[str, Ended]:
        """The jobs that ended so and that the queue does not know; others are forgotten."""
        states = {job: each for job, each in states_of(self.of).items() if job not in self.before}
        self.ended = {job: each for job, each in (self.ended | states).items() if each.state in ENDED}
        if self.ended:
            with contextlib.suppress(UserError):  # a queue that does not answer now will at the next look
                there = queued(self.of)
                self.ended = {job: each for job, each in self.ended.items() if job not in there}
        self.since = {job: since for job, since in self.since.items() if job in self.ended}
        return self.ended


def states_of(of: str) -> dict[str, Ended]:
    """The last state of each job whose name begins so: by the accounts, else, for some minutes after its end, by the queue."""
    day = f"--starttime={date.today() - timedelta(days=2)}"
    printed = output_of("sacct", "-X", "--parsable2", "--noheader", day, "--format=JobIdRaw,State,JobName,NodeList")
    if printed is None:
        printed = output_of("squeue", "-h", "--states=all", "-u", getpass.getuser(), "-o", "%i|%T|%j|%N")
    lines = (line.split("|") for line in (printed or "").splitlines())
    return {line[0]: Ended(line[1], line[3]) for line in lines if len(line) == 4 and line[2].startswith(of)}


def refusal(log: Path) -> str:
    """What to do where Slurm refused a job, by what Snakemake wrote; "" where it did not."""
    refused = REFUSED.search(log.read_text(encoding="utf-8", errors="replace"))
    if not refused:
        return ""
    said = " ".join(refused[1].split())[:200].rstrip(".")
    return (
        f"Slurm refused a job ({said}): name a partition and an account of yours in default-resources of "
        "profiles/slurm/profile.v9+.yaml, then run the same command again."
    )
