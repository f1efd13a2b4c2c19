"""What a run on a Slurm cluster rests on, by the cluster's own programs."""

import getpass
import os
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from dynode.errors import UserError
from dynode.experiments.doctor.registry import SLURM, Answer, check, fix, note, ok
from dynode.io import assets, scratch

NEEDED = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun")
PREFIX = "dynode"  # of the names of our jobs
SECONDS = 30  # for one of its programs to answer
LEAST_AGE = 120  # seconds that a finished job must be known for where squeue alone says what became of it
PATIENCE = 600.0  # seconds that a probe job may wait and run
ASKED_EVERY = 2.0  # seconds between looks for its answer
PROFILE = "profiles/slurm/profile.v9+.yaml"


def answer_of(*command: str) -> str:
    """What a program prints.  Raises UserError where it fails or does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise UserError(f"There is no {command[0]} here: run it on a login node of the cluster.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} did not answer within {SECONDS} s: ask those who run the cluster.") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(f"{command[0]} failed ({reason}): ask those who run the cluster.")
    return done.stdout


def configuration() -> dict[str, str]:
    """The settings of `scontrol show config`."""
    pairs = (line.split("=", 1) for line in answer_of("scontrol", "show", "config").splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, value in pairs}


@check("slurm programs", SLURM)
def programs() -> Answer:
    if missing := [each for each in NEEDED if shutil.which(each) is None]:
        return fix(f"there is no {', '.join(missing)}", "run it on a login node of the cluster")
    if shutil.which("sacct") is None:
        return note("no sacct", "nothing: squeue is asked instead, which forgets finished jobs (MinJobAge)")
    return ok(f"{', '.join(NEEDED)}, sacct")


@check("slurm account", SLURM)
def account() -> Answer:
    """The accounts that this user's jobs of the last month ran under, as the engine guesses them."""
    named = f"`slurm_account` of default-resources in {PROFILE}"
    if shutil.which("sacct") is None:
        return note("the account of your jobs is not known without sacct", f"set {named}, where the cluster wants one")
    try:
        names = accounts()
    except UserError as error:
        return note(str(error).partition(":")[0], f"set {named}, where the cluster wants one")
    if len(names) == 1:
        return ok(names[0])
    text = f"your jobs ran under {', '.join(names)}" if names else "no job of yours in the last 30 days"
    return note(text, f"set {named}, where the cluster wants one")


def accounts() -> list[str]:
    """The accounts of this user's jobs of the last month."""
    columns = ("-X", "-n", "-P", "-u", getpass.getuser(), "-S", "now-30days", "-o", "Account")
    return sorted({line.strip() for line in answer_of("sacct", *columns).splitlines() if line.strip()})


@check("slurm partitions", SLURM)
def partitions() -> Answer:
    rows = [line.split() for line in answer_of("sinfo", "-h", "-o", "%P %a %l").splitlines() if line.strip()]
    up = sorted({name for name, state, *_ in rows if state == "up"})
    if not up:
        return fix("no partition is up", "wait, or ask those who run the cluster")
    names = ", ".join(up)
    if not any(name.endswith("*") for name in up):
        return note(f"none of {names} is the default", f"set `slurm_partition` of default-resources in {PROFILE}")
    return ok(f"{names} (* is the default)")


@check("slurm GPUs", SLURM)
def gpus() -> Answer:
    """The kinds of GPU by partition."""
    rows = (line.split(None, 1) for line in answer_of("sinfo", "-h", "-o", "%P %G").splitlines() if line.strip())
    with_gpus = sorted({f"{name} {kind.strip()}" for name, kind in rows if "gpu" in kind})
    return ok("; ".join(with_gpus)) if with_gpus else note("no partition has any", "the CPU is taken")


@check("slurm preemption", SLURM)
def preemption() -> Answer:
    """What becomes of a job that another takes the node of."""
    settings = configuration()
    mode, requeue = settings.get("PreemptMode", "OFF"), settings.get("JobRequeue", "1")
    text = f"PreemptMode {mode}, JobRequeue {requeue}"
    if mode.split(",")[0] in ("OFF", "SUSPEND", "GANG"):
        return ok(text)
    if "REQUEUE" not in mode:
        return note(f"{text}: a job that is preempted is not queued again", "call the same `dynode reproduce` again")
    if requeue == "0":
        return note(f"{text}: jobs are queued again only if they want it", f"keep `slurm-requeue: true` in {PROFILE}")
    return ok(text)


@check("slurm memory of jobs", SLURM)
def memory_of_jobs() -> Answer:
    """For how long squeue knows a finished job: all there is to ask without sacct."""
    text = configuration().get("MinJobAge", "300 sec")
    seconds = int((re.match(r"\d+", text) or ["300"])[0])
    if seconds < LEAST_AGE and shutil.which("sacct") is None:
        return fix(f"squeue forgets finished jobs after {seconds} s, and there is no sacct", "ask for MinJobAge=300")
    return ok(f"squeue knows finished jobs for {seconds} s")


@check("slurm jobs", SLURM)
def jobs() -> Answer:
    """Jobs of ours that still wait or run: a second run would make the same files again."""
    listed = answer_of("squeue", "-h", "-u", getpass.getuser(), "-o", "%i %j")
    ours = [line.split()[0] for line in listed.splitlines() if PREFIX in line.partition(" ")[2]]
    return (
        note(f"{len(ours)} of ours wait or run", f"wait, or `scancel {' '.join(ours)}`") if ours else ok("none of ours")
    )


@check("slurm cache", SLURM)
def shared_cache() -> Answer:
    """Whether the cache lies where compute nodes see it, as far as the kind of its file system says."""
    folder = assets.own_dir()
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    if scratch.is_on_a_network(there):
        return ok(f"{folder} is on a shared file system")
    return note(
        f"{folder} may be this node's own", "`dynode doctor --probe` tries it; else name another in DYNODE_CACHE"
    )


def probe() -> Answer:
    """Submits a job of a minute, which reads a file of the cache and writes another beside it; waits for it."""
    begun = time.monotonic()
    with scratch.folder(made(assets.own_dir()), "probe") as folder:
        question, answer = folder / "question", folder / "answer"
        question.write_text(word := uuid.uuid4().hex, encoding="utf-8")
        script = f"cp '{question}' '{answer}.part' && mv '{answer}.part' '{answer}'"
        job = answer_of("sbatch", "--parsable", "--job-name", f"{PREFIX}-probe", "-t", "1", "--mem=100", "-o", os.devnull,
                        "--wrap", script).strip().partition(";")[0]  # fmt: skip
        while not (came := answer.is_file()) and time.monotonic() - begun < PATIENCE and alive(job):
            time.sleep(ASKED_EVERY)
        came = came or answer.is_file()
        if came and answer.read_text(encoding="utf-8") == word:
            return ok(f"job {job} read and wrote the cache, {time.monotonic() - begun:.0f} s")
        return unanswered(job)


def unanswered(job: str) -> Answer:
    """A probe that has not answered: it waits still, and is cancelled, or it has ended without the files of the cache."""
    if alive(job):
        answer_of("scancel", job)
        return note(
            f"job {job} did not begin within {PATIENCE:.0f} s and was cancelled", "try when the queue is shorter"
        )
    remedy = "name a folder that all nodes see in DYNODE_CACHE"
    return fix(f"job {job} ended and nothing came back: nodes do not see {assets.own_dir()}", remedy)


def alive(job: str) -> bool:
    """Whether a job waits or runs; squeue fails for one that it has forgotten."""
    done = subprocess.run(["squeue", "-h", "-j", job, "-o", "%T"], capture_output=True, encoding="utf-8")
    return done.stdout.strip() in ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED")


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
