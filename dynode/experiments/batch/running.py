"""`dynode batch`: the jobs of a folder's batch.yaml that are not done, made by Snakemake here or on a Slurm cluster."""

from collections.abc import Mapping
from pathlib import Path

from dynode.errors import UserError
from dynode.evaluation.counts import counted
from dynode.experiments.batch import summary
from dynode.experiments.batch.description import Batch
from dynode.experiments.batch.plan import Plan
from dynode.experiments.engine import machine
from dynode.experiments.engine.progress import Following, duration
from dynode.experiments.engine.running import fetch
from dynode.experiments.engine.workflow import Workflow

STATE = ".engine"  # the folder of the lock, Snakemake's log and kept fits


class Progress(Following):
    """Of a run of a batch: a line for each job."""

    plan: Plan

    def job(self, rule: str) -> str:
        job = self.plan.rules.get(rule)
        return job.name if job else ""

    def line(self, job: str, seconds: float) -> str:
        return f"{job}: {duration(seconds)}, {self.plan.jobs[job].leaves[0]}"

    def kept(self) -> str:
        return f"{counted(len(self.done), 'job')} done; the same command goes on, also within an inversion and a fit."


def run(folder: Path, batch: Batch, *, jobs: int = 0, cluster: bool = False, dry_run: bool = False) -> str:
    """Do what is missing or stale; what to print at the end.

    folder: absolute.  jobs: at a time, 0 for one for each GPU or core.  A job that fails ends only those that read what it
    leaves.  Raises UserError where another engine works in the folder, where Slurm refuses a job, and at the end, when the
    summary is written, where some jobs have failed.
    """
    gpus = 0 if cluster else machine.gpus()
    at_a_time = jobs or machine.at_a_time(gpus)
    plan = Plan(batch, max(1, machine.cores() // at_a_time), gpus, cluster)
    workflow = Workflow("batch", Path(__file__).with_name("batch.smk"), folder, folder / STATE, cluster, dry_run)
    with workflow.alone():
        batch.written(workflow.state if dry_run else folder)  # what is only listed changes no batch
        if cluster and not dry_run:
            fetch("embedded")  # nodes may have no network
        progress = Progress(plan, folder, "jobs")
        code = workflow.followed([*arguments(plan, at_a_time), *([f"described={STATE}"] * dry_run)], progress)
        workflow.raise_where_refused()
        if dry_run:
            return would_run(progress)
        failed = {progress.job(rule): progress.reason(rule) for rule in progress.failed}
        return ended(workflow, progress, code, failed)


def arguments(plan: Plan, at_a_time: int) -> list[str]:
    """What Snakemake is asked for, beside what every workflow is."""
    typed = [] if plan.cluster else ["--cores", str(plan.threads * at_a_time)]
    typed += ["--resources", f"gpu={plan.gpus}"] if plan.gpus and not plan.cluster else []
    return [*typed, "--config", f"threads={plan.threads}", f"gpus={plan.gpus}", f"cluster={int(plan.cluster)}"]


def would_run(progress: Progress) -> str:
    names = [job for rule in progress.reasons if (job := progress.job(rule))]
    return f"Would run {counted(len(names), 'job')}: {', '.join(names)}." if names else "Nothing is missing or stale."


def ended(workflow: Workflow, progress: Progress, code: int, failed: Mapping[str, str]) -> str:
    """The summary, written and as text.  Raises UserError where something has failed."""
    rows = summary.lines(progress.plan, workflow.folder, failed)
    path = summary.write(workflow.folder, rows)
    said = "".join(f"\n{remark}" for remark in summary.remarks(progress.plan, workflow.folder))
    text = f"{summary.table(rows)}{said}\nevery number: {path}; pages: {workflow.folder / 'pages'}"
    if failed:
        print(text)
        raise UserError(
            f"{len(failed)} of {len(progress.plan.jobs)} jobs failed, each a row of {path.name} with its sentence; the same "
            "command tries them again."
        )
    workflow.raise_where_it_failed(code, progress)
    return text
