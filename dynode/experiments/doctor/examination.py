"""All checks, one after the other."""

from collections.abc import Iterator

from dynode.experiments.doctor import environment, left_behind, machine, slurm
from dynode.experiments.doctor.registry import CHECKS, SLURM, Check, Finding, examine

MODULES = (environment, machine, left_behind, slurm)  # whose checks are in the registry once they are imported


def chosen(cluster: bool = False, probe: bool = False) -> dict[str, Check]:
    """The checks by name.  cluster: those of Slurm too.  probe: a job is submitted."""
    return CHECKS | (SLURM if cluster or probe else {}) | ({"slurm probe": slurm.probe} if probe else {})


def findings(cluster: bool = False, probe: bool = False) -> Iterator[Finding]:
    """One finding after the other, as the checks end."""
    for name, function in chosen(cluster, probe).items():
        yield examine(name, function)
