"""`dynode reproduce`: what of some items is missing or stale, made by Snakemake here or on a Slurm cluster."""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dynode import runtime
from dynode.errors import NotebookError, UserError
from dynode.evaluation import records
from dynode.experiments import children, items, origin
from dynode.experiments.engine import machine, targets
from dynode.experiments.engine.progress import REPORT, Progress, job_of
from dynode.experiments.engine.workflow import Workflow, dynode
from dynode.io import assets, files
from dynode.reporting import paths
from dynode.settings import choose


@dataclass(frozen=True)
class Request:
    """What is to be made, and where.

    names: items.  jobs: at a time, 0 for one for each GPU or core.  anew: also what is up to date, and then nothing that is not
    named, and no pages.  dry_run: only say what would be run.
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
        return targets.Plan(self.profile, tuple(names), threads, gpus, self.cluster, report=not self.anew)

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
    workflow = Workflow(
        "reproduce", runtime.ROOT / "Snakefile", paths.root(), paths.engine(), request.cluster, request.dry_run
    )
    with workflow.alone():
        if not request.dry_run:
            fetch(plan.profile)
        progress = Progress(plan)
        code = workflow.followed(arguments(request, plan), progress)
        if progress.failed and plan.report and REPORT not in progress.failed:
            report(workflow, progress)
    return ended(workflow, progress, code)


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


def arguments(request: Request, plan: targets.Plan) -> list[str]:
    """What Snakemake is asked for, beside what every workflow is."""
    typed = ["--config", f"profile={plan.profile}", f"items={','.join(plan.names)}", f"threads={plan.threads}"]
    typed += [f"gpus={plan.gpus}", f"cluster={int(plan.cluster)}", f"report={int(plan.report)}"]
    if not request.cluster:
        typed += ["--cores", str(plan.threads * request.at_a_time(len(plan.names)))]
        typed += ["--resources", f"gpu={plan.gpus}"] if plan.gpus else []
    if forced := [f"item_{name}" for name in plan.names if request.anew or is_stale(name, plan.profile)]:
        typed += ["--forcerun", *forced]
    return typed


def is_stale(name: str, profile: str) -> bool:
    """Whether a record says that it is of something else than its item is now, whoever made it."""
    path = paths.root() / "reports" / "records" / f"{name}.{profile}.json"
    if not path.is_file():
        return False
    with contextlib.suppress(UserError):
        return bool(origin.staleness(items.item(name), profile, records.read(path)[1]))
    return True


def report(workflow: Workflow, progress: Progress) -> None:
    """Make the pages of what is there: where an item failed, Snakemake makes nothing that waits for it."""
    log = progress.log_of(REPORT)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*dynode(), REPORT, "--profile", progress.plan.profile]
    own = workflow.variables() | {children.PARENT: str(os.getpid())}
    with open(log, "wb") as printed:
        done = subprocess.run(command, cwd=workflow.folder, env=own, stdout=printed, stderr=printed, check=False)
    if done.returncode:
        progress.fail(REPORT)
    else:
        progress.end(REPORT)
        progress.say(f"{progress.plan.page} shows what is there.")


def ended(workflow: Workflow, progress: Progress, code: int) -> list[str]:
    """The items that were run.  Raises UserError and NotebookError as `reproduce` says."""
    rules = progress.reasons if workflow.dry_run else progress.done
    made = [name for rule in rules if (name := job_of(rule)) and "/" not in name]
    made = sorted(made, key=progress.plan.names.index) if workflow.dry_run else made
    workflow.raise_where_refused()
    failed = {job_of(rule).partition("/")[0] or rule: progress.reason(rule) for rule in progress.failed}
    page = failed.pop(REPORT, "")
    if failed:
        failed |= left_undone(workflow, progress, {*made, *failed})
        messages = "; ".join(f"{name}: {text}" for name, text in failed.items())
        raise NotebookError(f"dynode: {len(failed)} of {len(progress.plan.names)} items failed. {messages}")
    if page:
        raise NotebookError(f"dynode: The items are made, but not {progress.plan.page}: {page}")
    workflow.raise_where_it_failed(code, progress)
    return made


def left_undone(workflow: Workflow, progress: Progress, known: set[str]) -> dict[str, str]:
    """Of items that were to run, that neither ended nor failed themselves: why they did not."""
    left = {name: f"item_{name}" for name in progress.plan.names if name not in known}
    waits, given_up = "not begun, it reads a failed item's record", progress.given_up()
    other = " ".join((progress.errors or [f"not done, and {workflow.log} has why"])[0].split())[:300].rstrip(".")
    return {name: waits if rule in given_up else other for name, rule in left.items() if rule in progress.minutes}


def announced(request: Request, made: list[str]) -> str:
    """What a call that is over did."""
    if request.dry_run:
        return f"Would run: {', '.join(made)}." if made else "Nothing is missing or stale."
    return f"Run: {', '.join(made)}." if made else "Nothing was missing or stale."


def page() -> Path | None:
    """The first of the pages, None where there are none."""
    path = paths.root() / targets.PAGE
    return path if path.is_file() else None


def summary(profile: str) -> str:
    """The first line of `dynode verify`."""
    from dynode.experiments.claims.printed import everything, summary
    from dynode.experiments.claims.recorded import judge_record

    return summary(everything([judge_record(each, profile) for each in items.items().values()]))
