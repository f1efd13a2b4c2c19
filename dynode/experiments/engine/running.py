"""`dynode reproduce`: what of some items is missing or stale, made by Snakemake here or on a Slurm cluster."""

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

from dynode import runtime
from dynode.errors import NotebookError, UserError
from dynode.evaluation import records
from dynode.experiments import children, items, origin
from dynode.experiments.engine import locking, machine, slurm, targets
from dynode.experiments.engine.progress import Progress, job_of
from dynode.io import assets, files
from dynode.reporting import paths
from dynode.settings import choose

LOOK = 1.0  # seconds between two looks at what runs
PATIENCE = 6.0  # seconds that Snakemake and its runs have to put their things in order


@dataclass(frozen=True)
class Request:
    """What is to be made, and where.

    names: items.  jobs: at a time, 0 for one for each GPU or core.  anew: also what is up to date, and then nothing that is not
    named.  dry_run: only say what would be run.
    """

    names: tuple[str, ...]
    profile: str = "embedded"
    jobs: int = 0
    cluster: bool = False
    anew: bool = False
    dry_run: bool = False

    def plan(self) -> targets.Plan:
        """The rules.  Items whose needs cannot be met are left out, with a message."""
        named = list(self.names) if self.anew else targets.with_needed(self.names)
        names = [name for name in named if can_run(items.item(name), self.profile)]
        gpus = 0 if self.cluster else machine.gpus()
        threads = max(1, machine.cores() // self.at_a_time(len(names)))
        return targets.Plan(self.profile, tuple(names), threads, gpus, self.cluster)

    def at_a_time(self, names: int) -> int:
        return max(1, min(self.jobs or machine.at_a_time(machine.gpus()), max(names, 1) if self.anew else 10**6))


def can_run(item: items.Item, profile: str) -> bool:
    """Whether an item has the profile, and the assets that the user may have to supply are there; prints why where not."""
    try:
        items.require_profile(item, profile)
        for name in item.needs.get(profile, []):
            assets.fetch(name)
    except UserError as error:
        print(f"{item.name} ({profile}) skipped: {error}")
        return False
    return True


def reproduce(request: Request) -> list[str]:
    """Make what is missing or stale; the items that were run, or would be.

    A failure stops only the items that wait for it; an interruption ends all that run.  Raises UserError for an unknown
    profile, where another engine works in the same folder, and where Slurm refuses a job; NotebookError at the end with the
    last message of every item that failed.
    """
    choose("profile", request.profile, items.PROFILES)
    plan = request.plan()
    if not plan.names:
        return []
    with locking.alone():
        if not request.dry_run:
            fetch(plan.profile)
        progress = Progress(plan)
        code = followed(request, plan, progress)
    return ended(request, progress, code)


def fetch(profile: str) -> None:
    """Fetch what a profile needs, here, where there is a network, unless that was done by the same table of assets."""
    table = assets.sha256_of(Path(assets.__file__).with_name("assets.toml"))
    done = paths.engine() / f"assets.{profile}"
    if done.is_file() and done.read_text(encoding="utf-8") == table:
        return
    for asset in assets.registry()[1].values():
        if ("embedded" if profile == "recorded" else profile) in asset.profiles:
            print(f"{asset.name}: {assets.fetch(asset.name)}", flush=True)
    with files.written_whole(done) as part:
        part.write_text(table, encoding="utf-8")


def followed(request: Request, plan: targets.Plan, progress: Progress) -> int:
    """Run Snakemake to its end, anew where a job of a cluster was lost; its exit code."""
    for _ in range(slurm.RESTARTS + 1):
        if request.cluster:
            slurm.wait_for_left(slurm.prefix())
        unlock()
        try:
            return run(arguments(request, plan), progress, request)
        except slurm.Lost as lost:
            progress.say(f"{lost} The engine starts again.")
        finally:
            progress.close()
    raise UserError(f"Slurm lost jobs {slurm.RESTARTS + 1} times without requeueing them: look at `sacct`, then go on.")


def arguments(request: Request, plan: targets.Plan) -> list[str]:
    """The arguments of Snakemake."""
    where = "slurm" if request.cluster else "default"
    typed = ["--snakefile", str(runtime.ROOT / "Snakefile"), "--directory", str(paths.root())]
    typed += ["--workflow-profile", str(runtime.ROOT / "profiles" / where), "--nocolor"]
    typed += ["--config", f"profile={plan.profile}", f"items={','.join(plan.names)}", f"threads={plan.threads}"]
    typed += [f"gpus={plan.gpus}", f"cluster={int(plan.cluster)}"]
    if request.cluster:
        typed += ["--slurm-jobname-prefix", slurm.prefix()]
    else:
        typed += ["--cores", str(plan.threads * request.at_a_time(len(plan.names)))]
        typed += ["--resources", f"gpu={plan.gpus}"] if plan.gpus else []
    if forced := [f"item_{name}" for name in plan.names if request.anew or is_stale(name, plan.profile)]:
        typed += ["--forcerun", *forced]
    return [*typed, *(["--dry-run"] if request.dry_run else [])]


def is_stale(name: str, profile: str) -> bool:
    """Whether a record says that it is of something else than its item is now, whoever made it."""
    path = paths.root() / "reports" / "records" / f"{name}.{profile}.json"
    if not path.is_file():
        return False
    with contextlib.suppress(UserError):
        return bool(origin.staleness(items.item(name), profile, records.read(path)[1]))
    return True


def variables() -> dict[str, str]:
    """The variables of Snakemake and of the runs that it starts: they find this checkout's package and its commit."""
    command = children.python("from dynode.__main__ import main; main()")
    own = {"DYNODE_RUN": shlex.join(command), runtime.COMMIT: runtime.commit(), "PYTHONSAFEPATH": "1"}
    folders = [str(runtime.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | own | paths.absolute_variables() | {"PYTHONPATH": os.pathsep.join(folders)}


def unlock() -> None:
    """Take away the lock that a Snakemake has left which was killed, by us too; our own lock says that none runs."""
    if locking.left_locked(paths.root()):
        typed = ["--snakefile", str(runtime.ROOT / "Snakefile"), "--directory", str(paths.root()), "--unlock"]
        subprocess.run(snakemake(typed), env=variables(), capture_output=True, check=False)


def snakemake(typed: list[str]) -> list[str]:
    return [*children.python("from dynode.experiments.engine.child import main; main()"), *typed]


def run(typed: list[str], progress: Progress, request: Request) -> int:
    """Run Snakemake and follow its events; its exit code.  Whatever ends this, no run on this machine goes on."""
    paths.engine().mkdir(parents=True, exist_ok=True)
    watch = slurm.Watch(slurm.prefix()) if request.cluster and not request.dry_run else None
    with open(paths.engine() / "snakemake.log", "wb") as log:
        child = subprocess.Popen(
            snakemake(typed),
            cwd=paths.root(),
            env=variables() | {children.PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    with stopped_at_last(child, progress):
        for event in events(child):
            if event:
                progress.heed(event)
            elif not request.dry_run:
                progress.show()
            if watch and not event:
                watch.look()
        return child.wait()


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


@contextlib.contextmanager
def stopped_at_last(child: subprocess.Popen[str], progress: Progress) -> Iterator[None]:
    """End Snakemake and its runs, however this ends; an interruption notes what is done."""
    try:
        yield
    except KeyboardInterrupt as stop:
        names = [name for rule in progress.done if (name := job_of(rule)) and "/" not in name]
        done = f"done: {', '.join(names)}" if names else "no item is done"
        stop.add_note(f"{done}; of the others, fits that were finished are kept.")
        if progress.plan.cluster:
            slurm.cancel(slurm.prefix())
        raise
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE)
        children.kill_session(child)
        child.wait()


def ended(request: Request, progress: Progress, code: int) -> list[str]:
    """The items that were run.  Raises UserError and NotebookError as `reproduce` says."""
    rules = progress.reasons if request.dry_run else progress.done
    made = [name for rule in rules if (name := job_of(rule)) and "/" not in name]
    made = sorted(made, key=progress.plan.names.index) if request.dry_run else made
    if request.cluster and (refused := slurm.refusal(paths.engine() / "snakemake.log")):
        raise UserError(refused)
    failed = {job_of(rule).partition("/")[0] or rule: progress.reason(rule) for rule in progress.failed}
    if failed:
        waits = "not begun, it reads a failed item's record"
        waiting = [name for name in progress.plan.names if f"item_{name}" in progress.minutes]
        failed |= {name: waits for name in waiting if name not in made and name not in failed}
        messages = "; ".join(f"{name}: {text}" for name, text in failed.items())
        raise NotebookError(f"dynode: {len(failed)} of {len(progress.plan.names)} items failed. {messages}")
    if code:
        said = " ".join((progress.errors or ["it says nothing"])[0].split())[:300].rstrip(".")
        raise UserError(f"Snakemake ended with {code} ({said}): {paths.engine() / 'snakemake.log'} has all of it.")
    return made


def announced(request: Request, made: list[str]) -> str:
    """What a call that is over did."""
    if request.dry_run:
        return f"Would run: {', '.join(made)}." if made else "Nothing is missing or stale."
    return f"Run: {', '.join(made)}." if made else "Nothing was missing or stale."


def summary(profile: str) -> str:
    """The first line of `dynode verify`."""
    from dynode.experiments.claims.printed import everything, summary
    from dynode.experiments.claims.recorded import judge_record

    return summary(everything([judge_record(each, profile) for each in items.items().values()]))
