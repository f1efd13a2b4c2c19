"""The command that reproduces items: what of them is missing or stale is made, here or on a cluster."""

import os
import shutil

from tyro.conf import Positional

from dynode.cli.options import Device, require_different
from dynode.errors import UserError


def reproduce(
    items: Positional[tuple[str, ...]] = (),
    *,
    profile: str = "embedded",
    slurm: bool = False,
    dry_run: bool = False,
    jobs: int = 0,
    device: Device = "auto",
) -> None:
    """Make what of the paper's items is missing or stale: figures, tables, records and verdicts. Ctrl-C is safe.

    An item is stale when its parameters, the code that its notebook reaches or the codes of its clips have changed.

    Args:
        items: Items, or what the paper shows, such as fig2 or table1.face; by default all, see `dynode list`.
        profile: smoke, embedded (default) or paper.
        slurm: Run them as jobs of a Slurm cluster, with the settings of profiles/slurm.
        dry_run: Only list what would be run.
        jobs: How many run at a time here; 0: one on each GPU, else one per CPU core, at most four.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode.experiments import items as experiments
    from dynode.experiments.engine import running

    require_different("item", items)
    if jobs < 0:
        raise UserError(f"--jobs must be 0 or more, got {jobs}.")
    if slurm and not shutil.which("sbatch"):
        raise UserError("There is no Slurm here (no `sbatch`): leave out --slurm, or log in to the cluster.")
    show_devices(device)
    names = [name for each in items for name in experiments.named(each)] or [*experiments.items()]
    request = running.Request(tuple(dict.fromkeys(names)), profile, jobs, cluster=slurm, dry_run=dry_run)
    made = running.reproduce(request)
    print(running.announced(request, made))
    if not dry_run:
        print(running.summary(profile))


def show_devices(device: str) -> None:
    """Let the runs see the device that is asked for, and no other.  Raises UserError where it does not compute."""
    if device == "auto":
        return
    from dynode import runtime

    chosen = runtime.device(device)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    number = chosen.index or 0
    cuda = visible[number] if number < len(visible) and visible[number] else str(number)
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if chosen.type == "cpu" else cuda
