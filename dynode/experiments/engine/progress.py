"""What a run of the engine shows: a bar in minutes, what runs and its last line, a line for each item that ended."""

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from dynode import runtime
from dynode.experiments import items
from dynode.experiments.claims.recorded import counted, judge_record
from dynode.experiments.engine.targets import Plan
from dynode.reporting import paths

TAIL = 4000  # bytes of a log in which its last line is looked for
SHOWN = 60  # letters of it
REPORT, NOTE = "report", "Note: "  # the rule of the pages, and what its lines begin with that are worth a look


def last_line(log: Path) -> str:
    """The last line that a run has printed, "" before its first."""
    with suppress(OSError), open(log, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        lines = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


def notes(log: Path) -> list[str]:
    """What the report says of pages that it could not make."""
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.startswith(NOTE)]
    return []


class Jobs(Protocol):
    """The jobs behind the rules of a Snakefile, by name."""

    def minutes(self, name: str) -> float:
        """About how long one takes."""
        ...

    def needs(self, name: str) -> list[str]:
        """The jobs that leave what one reads."""
        ...

    def log(self, name: str) -> str:
        """The file of what one printed, below the folder of the run."""
        ...


@dataclass
class Following:
    """Follows the events of Snakemake: what runs, a bar in minutes, a line for each job that ended.

    plan: whose jobs they are.  folder: that the paths of its logs begin at.  what: the name of the bar.
    done, failed: rules that ended.  reasons: rule -> why it is run.  message: the last error that is of no job.
    """

    plan: Jobs
    folder: Path
    what: str = "items"
    begun: dict[str, float] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)  # job -> rule
    reasons: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    minutes: dict[str, float] = field(default_factory=dict)  # rule -> minutes, of those to run
    bar: Any = None

    def heed(self, event: dict[str, Any]) -> None:
        """Take in an event."""
        kind, rule = event["event"], event.get("rule_name", "")
        if kind == "run_info":
            self.minutes = {rule: self.minutes_of(rule) for rule in event["stats"] or {}}
            self.failed = [rule for rule in self.failed if rule not in self.minutes]  # these are tried again
        elif kind == "job_info":
            self.rules[str(event["jobid"])] = rule
            self.reasons[rule] = event["reason"]
            self.begun[rule] = time.monotonic()
        elif kind == "job_finished":
            self.end(self.rules.get(str(event["job_id"]), ""))
        elif kind == "job_error":
            self.fail(rule)
        elif kind == "error":
            self.errors.append(event["message"])

    def job(self, rule: str) -> str:
        """The job of a rule, "" for a rule of which nothing is said."""
        raise NotImplementedError

    def line(self, job: str, seconds: float) -> str:
        """What is printed of a job that is done, "" for nothing."""
        raise NotImplementedError

    def kept(self) -> str:
        """What is done, for somebody who has stopped the run."""
        raise NotImplementedError

    def minutes_of(self, rule: str) -> float:
        job = self.job(rule)
        return self.plan.minutes(job) if job else 0.0

    def end(self, rule: str) -> None:
        """A rule is done: say so where it is a job."""
        seconds = time.monotonic() - self.begun.pop(rule, time.monotonic())
        self.done.append(rule)
        if rule in self.failed:  # another attempt has succeeded
            self.failed.remove(rule)
        if (job := self.job(rule)) and (line := self.line(job, seconds)):
            self.say(line)

    def fail(self, rule: str) -> None:
        self.begun.pop(rule, None)
        if rule not in self.failed:
            self.failed.append(rule)
        self.say(f"{self.job(rule) or rule} failed: {self.reason(rule)}")

    def reason(self, rule: str) -> str:
        """The last line that a rule's run printed, without our name."""
        said = last_line(self.log_of(rule)).removeprefix("dynode: ")
        return said or "it printed nothing; see Snakemake's log"

    def log_of(self, rule: str) -> Path:
        return self.folder / self.plan.log(self.job(rule) or rule)

    def say(self, text: str) -> None:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()

    def given_up(self) -> set[str]:
        """Rules that will not be done: those that failed and are not tried again, and those that wait for one of them."""
        jobs = {self.job(rule): rule for rule, minutes in self.minutes.items() if minutes}
        lost = {self.job(rule) for rule in self.failed if rule not in self.begun}
        while more := {job for job in jobs.keys() - lost if lost.intersection(self.plan.needs(job))}:
            lost |= more
        return {rule for job, rule in jobs.items() if job in lost}

    def counted(self) -> tuple[float, float]:
        """The minutes that are done, and those of all that was or can be done."""
        now = sum(self.minutes.get(rule, 0.0) for rule in self.done)
        for rule in self.running():
            now += min((time.monotonic() - self.begun[rule]) / 60, 0.95 * self.minutes.get(rule, 0.0))
        given_up = self.given_up()
        return now, sum(minutes for rule, minutes in self.minutes.items() if rule not in given_up)

    def running(self) -> list[str]:
        return [rule for rule in self.begun if self.job(rule)]

    def show(self) -> None:
        """Redraw the bar."""
        if self.bar is None and self.minutes:
            self.bar = self.new_bar(sum(self.minutes.values()))
        if self.bar is not None:
            now, total = self.counted()
            said = ((self.job(rule), last_line(self.log_of(rule))[:SHOWN]) for rule in self.running())
            text = "; ".join(f"{job} ({line})" if line else job for job, line in said)
            self.bar.set_postfix_str(text, refresh=False)
            self.bar.total = total or self.bar.total  # a bar of nothing cannot be drawn
            self.bar.leave = bool(total)
            self.bar.update(now - self.bar.n)  # back where a job has failed, with its minutes
            if tty():
                self.bar.refresh()

    def new_bar(self, total: float) -> Any:
        shape = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f} of {total:.1f} min, {elapsed}{postfix}"
        off, every = not runtime.bars() or not total, 1 if tty() else 30  # seconds, whether anything has changed or not
        return tqdm(total=total, desc=self.what, bar_format=shape, disable=off, mininterval=every, miniters=0)

    def close(self) -> None:
        """Show how it ended; a run that begins again has a bar of its own."""
        if self.bar is not None:
            self.show()
            self.bar.close()
            self.bar = None


class Progress(Following):
    """Of a run of items: each that is done has its verdicts and its first picture named."""

    plan: Plan

    def __init__(self, plan: Plan):
        super().__init__(plan, paths.root())

    def job(self, rule: str) -> str:
        return rule if rule == REPORT else job_of(rule)

    def minutes_of(self, rule: str) -> float:
        return 0.0 if rule == REPORT else super().minutes_of(rule)

    def line(self, job: str, seconds: float) -> str:
        if job == REPORT:
            return "\n".join(notes(self.log_of(job)))
        shown = "" if "/" in job else self.shown_by(job)
        return f"{job.replace('/', ', part ')}: {duration(seconds)}{shown}"

    def shown_by(self, name: str) -> str:
        """What a finished item shows: its verdicts, and its first picture."""
        with suppress(Exception):  # a sentence beside the work, which goes on without it
            verdicts = judge_record(items.item(name), self.plan.profile).verdicts
            picture = next((path for path in self.plan.left(name) if path.endswith(".png")), "")
            return "".join(f"; {each}" for each in (counted(verdicts), picture) if each)
        return ""

    def kept(self) -> str:
        names = [name for rule in self.done if (name := job_of(rule)) and "/" not in name]
        done = f"done: {', '.join(names)}" if names else "no item is done"
        return f"{done}; of the others, fits that were finished are kept."


def job_of(rule: str) -> str:
    """The item of a rule, "item/part" of a rule for a part, "" for the others."""
    kind, _, name = rule.partition("_")
    if kind == "item":
        return name
    return "/".join(name.rsplit("_", 1)) if kind == "part" else ""


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def tty() -> bool:
    return sys.stderr.isatty()
