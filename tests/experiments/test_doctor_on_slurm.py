"""`dynode doctor --slurm`: what the cluster's own programs say, by stand-ins for them."""

import os
from pathlib import Path

import pytest

from dynode import cli
from dynode.experiments.doctor import examination, printed, slurm
from dynode.experiments.doctor.registry import SLURM, examine
from dynode.io import scratch

PROGRAMS = {
    "sinfo": 'case "$3" in *G*) echo "gpu* gpu:a100:4(S:0-1)"; echo "cpu (null)";; *) echo "gpu* up 1-00:00:00"; echo "cpu up 2:00:00";; esac',
    "scontrol": 'echo "MinJobAge               = 300 sec"; echo "PreemptMode = OFF"; echo "JobRequeue = 1"',
    "sacct": "echo vision",
    "squeue": "exit 0",
    "sbatch": "exit 1",
    "scancel": 'echo "$@" >> "$(dirname "$0")/cancelled"',
    "srun": "exit 0",
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Programs of Slurm on the PATH before all others: a function that changes what one does, None takes it away."""
    folder = tmp_path / "bin"
    folder.mkdir()
    usual = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each) / "sinfo").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), *usual]))
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(slurm, "ASKED_EVERY", 0.05)

    def change(name: str, does: str | None) -> Path:
        if does is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
            (folder / name).chmod(0o755)
        return folder

    for name, does in PROGRAMS.items():
        change(name, does)
    return change


def state_of(name: str) -> tuple[str, str]:
    made = examine(name, {**SLURM, "slurm probe": slurm.probe}[name])
    assert bool(made.remedy) == (made.state != "ok") and "\n" not in printed.line(made)
    return made.state, f"{made.text} -> {made.remedy}"


def test_a_cluster_on_which_all_is_well(cluster, monkeypatch):
    monkeypatch.setattr(scratch, "is_on_a_network", lambda folder: True)
    assert {name: state_of(name)[0] for name in SLURM} == dict.fromkeys(SLURM, "ok")
    assert "gpu* gpu:a100:4" in state_of("slurm GPUs")[1] and "vision" in state_of("slurm account")[1]


CONFIG = 'echo "MinJobAge = {age} sec"; echo "PreemptMode = {mode}"; echo "JobRequeue = {requeue}"'
BROKEN = [
    ("slurm programs", {"srun": None}, "fix", "there is no srun"),
    ("slurm programs", {"sacct": None}, "note", "squeue is asked instead"),
    ("slurm account", {"sacct": None}, "note", "slurm_account"),
    ("slurm account", {"sacct": "echo vision; echo speech"}, "note", "speech, vision"),
    ("slurm account", {"sacct": "exit 0"}, "note", "no job of yours"),
    ("slurm account", {"sacct": "echo 'Slurm accounting storage is disabled' >&2; exit 1"}, "note", "sacct failed"),
    ("slurm partitions", {"sinfo": "echo 'gpu* down 1-00:00:00'"}, "fix", "no partition is up"),
    ("slurm partitions", {"sinfo": "echo 'gpu up 1-00:00:00'"}, "note", "slurm_partition"),
    ("slurm partitions", {"sinfo": None}, "fix", "There is no sinfo here -> run it on a login node"),
    ("slurm GPUs", {"sinfo": "echo 'cpu* (null)'"}, "note", "the CPU is taken"),
    ("slurm preemption", {"scontrol": CONFIG.format(age=300, mode="CANCEL", requeue=1)}, "note", "not queued again"),
    ("slurm preemption", {"scontrol": CONFIG.format(age=300, mode="REQUEUE", requeue=0)}, "note", "slurm-requeue: true"),
    ("slurm preemption", {"scontrol": "exit 1"}, "fix", "scontrol failed (exit code 1)"),
    ("slurm memory of jobs", {"scontrol": CONFIG.format(age=2, mode="OFF", requeue=1), "sacct": None}, "fix", "after 2 s"),
    ("slurm jobs", {"squeue": "echo '17 dynode-abc'; echo '18 other'"}, "note", "`scancel 17`"),
    ("slurm jobs", {"squeue": "sleep 9"}, "fix", "squeue did not answer within"),
    ("slurm cache", {}, "note", "may be this node's own"),
]  # fmt: skip


@pytest.mark.parametrize("name, programs, state, text", BROKEN)
def test_what_is_not_well_is_noticed(name, programs, state, text, cluster, monkeypatch):
    monkeypatch.setattr(slurm, "SECONDS", 1)
    for program, does in programs.items():
        cluster(program, does)
    assert state_of(name)[0] == state and text in state_of(name)[1]


def test_every_check_is_broken_by_a_test():
    assert {name for name, *_ in BROKEN} == {*SLURM}


@pytest.mark.parametrize("mode, requeue", [("OFF", 0), ("SUSPEND,GANG", 0), ("REQUEUE", 1)])
def test_preemption_after_which_jobs_go_on(mode, requeue, cluster):
    cluster("scontrol", CONFIG.format(age=300, mode=mode, requeue=requeue))
    assert state_of("slurm preemption")[0] == "ok"


# What comes last is the script of the job.
RUNS = 'for script; do :; done; (sleep 0.3; sh -c "$script"; touch "$(dirname "$0")/ended") >/dev/null 2>&1 & echo "7;cluster"'
STATES = 'test -e "$(dirname "$0")/ended" || echo PENDING'


def test_a_probe_that_comes_back(cluster, tmp_path):
    cluster("sbatch", RUNS)
    cluster("squeue", STATES)
    assert state_of("slurm probe")[0] == "ok" and "job 7" in state_of("slurm probe")[1]
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_probe_on_a_node_that_does_not_see_the_cache(cluster):
    cluster("sbatch", 'touch "$(dirname "$0")/ended"; echo 7')
    cluster("squeue", STATES)
    assert state_of("slurm probe")[0] == "fix" and "DYNODE_CACHE" in state_of("slurm probe")[1]


def test_a_probe_that_never_begins_is_cancelled(cluster, monkeypatch):
    monkeypatch.setattr(slurm, "PATIENCE", 0.2)
    cluster("sbatch", "echo 7")
    folder = cluster("squeue", "echo PENDING")
    assert state_of("slurm probe")[0] == "note"
    assert (folder / "cancelled").read_text() == "7\n"


def test_a_probe_that_is_refused(cluster):
    cluster("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    assert state_of("slurm probe")[0] == "fix" and "invalid partition" in state_of("slurm probe")[1]


def test_the_command_asks_the_cluster_where_it_is_to(cluster, monkeypatch, capsys):
    monkeypatch.setattr(examination, "CHECKS", {})
    cluster("sbatch", RUNS)
    cluster("squeue", STATES)
    assert cli.main(["doctor", "--slurm", "--probe"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[5:26].strip() for line in lines[: len(SLURM) + 1]] == [*SLURM, "slurm probe"]
    assert cli.main(["doctor"]) == 0 and "slurm" not in capsys.readouterr().out.split("To paste")[0]
    cluster("sinfo", None)
    with pytest.raises(SystemExit, match="1"):
        cli.main(["doctor", "--slurm"])
