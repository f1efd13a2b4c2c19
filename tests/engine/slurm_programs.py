"""Programs with the names of Slurm's: a job is a process of this machine, its state a file, its fate written down beforehand."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

NODE = "node7"  # on which all jobs run
NAMES = ("sbatch", "sacct", "squeue", "scancel", "sinfo", "scontrol", "sacctmgr", "sshare", "srun")
ENDED = ("TIMEOUT", "OUT_OF_MEMORY")
REQUEUED = {"PREEMPTED": True, "NODE_FAIL": True, "LOST": False, "NODE_LOST": False}
KNOWN = 5  # seconds for which the queue knows a job that was lost, of all that are known for longer


class Cluster:
    """A folder with a file for each job; `fates` are those of the attempts at a rule: after "PREEMPTED" and "NODE_FAIL" it goes
    into the queue again, after "LOST" and "NODE_LOST", which show as these, it does not; the others end the job."""

    def __init__(self, folder: Path):
        self.folder = folder

    def make(self, fates: dict[str, list[str]] | None = None, without: tuple[str, ...] = ()) -> dict[str, str]:
        """The programs, but for some; the variables under which they are found."""
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        (self.folder / "fates.json").write_text(json.dumps(fates or {}))
        for name in NAMES:
            if name not in without:
                (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n')
                (programs / name).chmod(0o755)
        return {"PATH": f"{programs}:{os.environ['PATH']}", "TOY_SLURM": str(self.folder), "DYNODE_SLURM_POLL": "1"}

    def jobs(self) -> dict[str, dict]:
        found = sorted(self.folder.glob("job_*.json"), key=lambda path: int(path.stem[4:]))
        return {path.stem[4:]: json.loads(path.read_text()) for path in found}

    def of(self, rule: str) -> list[dict]:
        """The jobs of a rule, in the order of their submission."""
        return [job for job in self.jobs().values() if rule in job["comment"]]

    def number(self) -> str:
        """A number of a job that no other has, whoever else submits at this moment."""
        for number in itertools.count(100):
            with contextlib.suppress(FileExistsError):
                (self.folder / f"number_{number}").touch(exist_ok=False)
                return str(number)
        raise AssertionError

    def change(self, number: str, **changes) -> None:
        path = self.folder / f"job_{number}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(known | changes))
        os.replace(part, path)

    def attempt(self, rule: str) -> str:
        """The fate of the next attempt at a rule, "" for one that goes well."""
        count = self.folder / f"attempts_{rule}"
        before = int(count.read_text()) if count.exists() else 0
        count.write_text(str(before + 1))
        fates = json.loads((self.folder / "fates.json").read_text()).get(rule, [])
        return fates[before] if before < len(fates) else ""


def value_of(arguments: list[str], *names: str) -> str:
    """The value of an option, written --name value or --name=value."""
    for k, each in enumerate(arguments):
        for name in names:
            if each == name:
                return arguments[k + 1]
            if each.startswith(f"{name}="):
                return each.partition("=")[2]
    return ""


def submit(cluster: Cluster, arguments: list[str]) -> None:
    if value_of(arguments, "-p", "--partition") == "nowhere":
        sys.exit("sbatch: error: invalid partition specified: nowhere")
    number = cluster.number()
    comment = value_of(arguments, "--comment").removeprefix("rule_")
    cluster.change(
        number, name=value_of(arguments, "--job-name"), comment=comment, state="PENDING", arguments=arguments
    )
    command = [sys.executable, __file__, "job", number, value_of(arguments, "--wrap"), value_of(arguments, "-D")]
    with open(cluster.folder / f"job_{number}.log", "w") as log:
        subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    print(number)


def run_job(cluster: Cluster, number: str, wrapped: str, folder: str) -> None:
    """A job from its start to its end, in the queue again where its fate says so."""
    rule = cluster.jobs()[number]["comment"].partition("_wildcards")[0]
    while True:
        fate = cluster.attempt(rule)
        own = os.environ | {"SLURM_JOB_ID": number, "SLURM_JOBID": number}
        child = subprocess.Popen(["sh", "-c", wrapped], cwd=folder or ".", env=own, start_new_session=True)
        cluster.change(number, state="RUNNING", pid=child.pid)
        if not fate:
            code = child.wait()
            if cluster.jobs()[number]["state"] == "RUNNING":
                cluster.change(number, state="COMPLETED" if code == 0 else "FAILED")
            return
        wait_for_work(cluster, rule)
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        state = fate if fate in ENDED else "NODE_FAIL" if fate.startswith("NODE") else "PREEMPTED"
        cluster.change(number, state=state, lost=0 if REQUEUED.get(fate, True) else time.time())
        if not REQUEUED.get(fate, False):
            return
        wait_for_look(cluster, fate)
        cluster.change(number, state="PENDING")


def wait_for_work(cluster: Cluster, rule: str) -> None:
    """Until the run of a rule has kept something."""
    item = rule.partition("_")[2]
    for _ in range(600):
        if list(Path.cwd().glob(f"reports/fits/{item}.*/*.safetensors")):
            return
        time.sleep(0.1)


def wait_for_look(cluster: Cluster, fate: str) -> None:
    """A second, or until the plugin has asked for the node that failed: it looks ever more rarely."""
    for _ in range(60):
        time.sleep(1)
        if fate != "NODE_FAIL" or "nodelist" in (cluster.folder / "calls").read_text():
            return


def cancel(cluster: Cluster, arguments: list[str]) -> None:
    for number in filter(str.isdigit, arguments):
        job = cluster.jobs().get(number, {})
        cluster.change(number, state="CANCELLED")
        if "pid" in job:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job["pid"], signal.SIGTERM)


def account(cluster: Cluster, arguments: list[str]) -> None:
    name, shown = value_of(arguments, "--name"), value_of(arguments, "--format", "-o")
    if "Reason" in shown or "nodelist" in shown:
        return print(NODE if "nodelist" in shown else "None")
    for number, job in cluster.jobs().items():
        if not name or job["name"] == name:
            print("|".join([number, job["state"], *([job["name"], NODE] if "JobName" in shown else [])]))


def queue(cluster: Cluster, arguments: list[str]) -> None:
    name, all_states, shown = value_of(arguments, "--name"), "--states=all" in arguments, value_of(arguments, "-o")
    for number, job in cluster.jobs().items():
        there = job["state"] in ("PENDING", "RUNNING") or (all_states and known(job))
        if there and (not name or job["name"] == name):
            line = f"{number}|{job['state']}" if all_states else f"{number} {job['name']}"
            print(f"{line}|{job['name']}|{NODE}" if "|%j|" in shown else line)


def known(job: dict) -> bool:
    """Whether the queue still knows a job that is over."""
    return not job.get("lost") or time.time() - job["lost"] < KNOWN


def main(name: str, arguments: list[str]) -> None:
    cluster = Cluster(Path(os.environ["TOY_SLURM"]))
    with open(cluster.folder / "calls", "a") as calls:
        calls.write(json.dumps([name, *arguments]) + "\n")
    if name == "srun":
        command = arguments[next(k for k, each in enumerate(arguments) if not each.startswith("-")) :]
        os.execvp(command[0], command)
    elif name == "job":
        run_job(cluster, *arguments)
    elif name in ("sinfo", "scontrol"):
        print(
            "PARTITION\nmain*"
            if name == "sinfo"
            else "MinJobAge               = 300 sec\nMaxArraySize            = 1001"
        )
    elif (program := {"sbatch": submit, "scancel": cancel, "sacct": account, "squeue": queue}.get(name)) is not None:
        program(cluster, arguments)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
