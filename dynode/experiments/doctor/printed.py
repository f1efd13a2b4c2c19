"""Findings as lines, as JSON, and as a block for a report of a defect."""

import json
import os
import platform
from collections import Counter

from dynode import __version__, runtime
from dynode.experiments.doctor.registry import Finding

REPORTED = ("torch", "torchvision", "numpy", "scipy", "av", "papermill", "snakemake")


def line(finding: Finding) -> str:
    """A check as one line: state, name, what it has seen, and the remedy behind an arrow."""
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    return f"{finding.state:5}{finding.check:21}{' '.join(finding.text.split())}{remedy}"


def environment() -> dict[str, str]:
    """What a report of a defect names beside the checks."""
    return {
        "dynode": f"{__version__}, {runtime.commit()}",
        "python": f"{platform.python_version()}, {platform.platform()}",
        "packages": ", ".join(f"{name} {runtime.installed(name)}" for name in REPORTED),
        "device": chosen_device(),
        "variables": " ".join(f"{name}={value}" for name, value in sorted(os.environ.items()) if is_reported(name)),
    }


def chosen_device() -> str:
    try:
        return runtime.device_name(runtime.device("cpu")) + (f", {n} GPUs" if (n := runtime.cuda_devices()) else "")
    except Exception as error:  # a broken torch is a finding, and no reason to print none
        return f"none ({type(error).__name__})"


def is_reported(name: str) -> bool:
    """Whether a variable is named in a report: ours, and those of threads and devices; never one of the network."""
    return name.startswith("DYNODE_") or name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")


def block(findings: list[Finding]) -> str:
    """Text to paste: the environment, how many checks have which state, and those that are not ok. The home folder is ~."""
    counts = Counter(each.state for each in findings)
    lines = [f"{name}: {text}" for name, text in environment().items() if text]
    lines.append("checks: " + ", ".join(f"{counts[state]} {state}" for state in ("ok", "note", "fix")))
    lines += [line(each) for each in findings if each.state != "ok"]
    return without_home("\n".join(["To paste into a report of a defect:", "```text", *lines, "```"]))


def without_home(text: str) -> str:
    home = os.path.expanduser("~")
    return text.replace(home, "~") if len(home) > 1 else text


def as_json(findings: list[Finding]) -> str:
    checks = [vars(each) | {"seconds": round(each.seconds, 2)} for each in findings]
    return json.dumps({"environment": environment(), "checks": checks}, indent=1, ensure_ascii=False)
