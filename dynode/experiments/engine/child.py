"""Snakemake in a process of its own, which prints a line of JSON for each of its jobs that begins or ends."""

import json
import logging
import shutil
import sys
import threading

from dynode.experiments import children

TOLD = {"run_info": ("stats",), "job_info": ("jobid", "rule_name", "reason"), "job_started": ("jobs",)} | {
    "job_finished": ("job_id",),
    "job_error": ("jobid", "rule_name"),
    "error": ("exception",),
}
LINE = threading.Lock()  # Snakemake logs from several threads: a line of one never ends up inside another's


def tell(record: logging.LogRecord) -> bool:
    """Print an event that `dynode reproduce` waits for; as a filter of Snakemake's log it lets everything pass."""
    event = str(getattr(record, "event", None) or "")
    if event in TOLD:
        fields = {name: getattr(record, name, None) for name in TOLD[event]}
        if event == "error":
            fields["message"] = record.getMessage()
        with LINE:
            print(json.dumps({"event": event} | fields, default=str), flush=True)
    return True


def guess_no_account() -> None:
    """On a cluster without `sacct` Slurm's plugin has nothing to guess an account by, and would fail in the attempt."""
    if shutil.which("sbatch") and not shutil.which("sacct"):
        import snakemake_executor_plugin_slurm as plugin

        plugin.get_account = lambda logger: None


def main() -> None:
    """`snakemake ARGUMENTS`, which ends with the process that started it."""
    children.end_with_parent()
    logging.getLogger("snakemake.logging").addFilter(tell)
    guess_no_account()
    from snakemake.cli import main as snakemake

    snakemake(sys.argv[1:])
