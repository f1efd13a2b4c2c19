"""What Snakemake's Slurm plugin leaves open: jobs that outlive a killed engine, jobs that are lost, refusals."""

import contextlib
import getpass
import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

from dynode.errors import UserError

POLL = float(os.environ.get("DYNODE_SLURM_POLL", "10"))  # seconds between two looks at the queue
LOST_AFTER = float(os.environ.get("DYNODE_SLURM_LOST", "600"))  # seconds that a preempted job may be out of the queue
RESTARTS = 5
REFUSED = re.compile(r"sbatch failed\. The error message was '(.*?)'\.\s", re.DOTALL)


class Lost(Exception):
    """A job that was preempted and not requeued, which the plugin would wait for in vain."""


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


class Watch:
    """Looks for preempted jobs that nothing requeues."""

    def __init__(self, of: str):
        self.of, self.looked, self.since = of, time.monotonic(), {}

    def look(self) -> None:
        """Raises Lost where a job is preempted, out of the queue for long, and awaited for ever."""
        if time.monotonic() - self.looked < POLL:
            return
        self.looked = time.monotonic()
        for job in self.preempted():
            self.since.setdefault(job, time.monotonic())
            if time.monotonic() - self.since[job] >= LOST_AFTER:
                raise Lost(f"The job {job} was preempted and not requeued.")

    def preempted(self) -> list[str]:
        """The jobs that the accounts call preempted and the queue does not know; others are forgotten."""
        command = ["sacct", "-X", "--parsable2", "--noheader", "--format=JobIdRaw,State,JobName"]
        lines = (line.split("|") for line in (output_of(*command) or "").splitlines())
        jobs = [line[0] for line in lines if len(line) == 3 and line[1] == "PREEMPTED" and line[2].startswith(self.of)]
        if jobs:
            there = queued(self.of)
            jobs = [job for job in jobs if job not in there]
        self.since = {job: since for job, since in self.since.items() if job in jobs}
        return jobs


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
