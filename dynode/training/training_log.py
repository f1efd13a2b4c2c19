"""The log of a queue of trainings: what ran where and for how long, pictures per second, losses over time."""

import json
import re
import secrets
import warnings
from pathlib import Path
from typing import Any

import torch

from dynode import runtime
from dynode.errors import Remark, UserError
from dynode.io import assets, files

NAME = "log.json"
POINTS = 6  # means of the loss that are noted between two writes
FORMAT = "dynode-training-log-1"


class TrainingLog:
    """The log of a folder of results, written anew at every change.

    name: of the folder's trainings, by which machines know the state that they keep.  runs: begun so far.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self.content = read(self.path) if self.path.is_file() else empty()
        self.counted: dict[str, int] = {}
        self.provenance: dict[str, Any] = {}

    @property
    def runs(self) -> int:
        return len(self.content["runs"])

    @property
    def state_folder(self) -> Path:
        """Where the full state of these trainings is kept on this machine."""
        return assets.own_dir() / "training" / self.content["name"]

    def entry(self, job: str) -> dict[str, Any]:
        """What is known of a job: its file, pictures shown, seconds, pictures per second, losses."""
        return self.content["jobs"].get(job, {})

    def start(self, minutes: float, device: torch.device, **choices: Any) -> None:
        """Note a new run."""
        self.provenance = runtime.provenance(device)
        run = {"minutes": minutes, "provenance": self.provenance, **choices, "started_from": {}, "failed": {}}
        self.content["runs"].append(run)
        self.write()

    def begin(self, job: str, resumed: str, losses: int) -> None:
        """Note what a job goes on from, and how many of its losses are noted already."""
        self.counted[job] = losses
        self.content["runs"][-1]["started_from"][job] = resumed

    def add(self, job: str, numbers: dict[str, Any], losses: list[float], batch: int) -> None:
        """Note the present numbers of a job, and its new losses as means over a few stretches: [pictures shown, loss]."""
        new, entry = losses[self.counted[job] :], self.content["jobs"].setdefault(job, {})
        length, points = -(-len(new) // POINTS) or 1, entry.get("losses", [])
        for k in range(0, len(new), length):
            part = new[k : k + length]
            shown = numbers["pictures_shown"] - batch * (len(new) - k - len(part))
            points.append([shown, float(f"{sum(part) / len(part):.5g}")])
        self.counted[job] = len(losses)
        entry.update(numbers, losses=points)
        self.write()
        print(
            f"{job}: {numbers['pictures_shown']} pictures shown, {numbers['pictures_per_second']:.1f} a second, "
            f"loss {points[-1][1]:.4g}",
            flush=True,
        )

    def fail(self, job: str, error: Exception) -> None:
        """Note and say why a job is not trained further."""
        reason = (
            str(error).strip().split("\n")[0] if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        )
        self.content["runs"][-1]["failed"][job] = reason[:500]
        self.write()
        warnings.warn(f"{job}: {reason[:500]}", Remark, stacklevel=2)

    def end(self, seconds: float) -> None:
        """Note how long the run took."""
        self.content["runs"][-1]["seconds"] = round(seconds, 1)
        self.write()

    def write(self) -> None:
        """Write the file, whole or not at all."""
        text = json.dumps(self.content, indent=1)
        files.write(self.path, lambda path: path.write_text(text + "\n", encoding="utf-8"))


def empty() -> dict[str, Any]:
    return {"format": FORMAT, "name": secrets.token_hex(6), "runs": [], "jobs": {}}


def read(path: Path) -> dict[str, Any]:
    """The content of a log.  Raises UserError for another file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = {}
    named = isinstance(content, dict) and re.fullmatch(r"[0-9a-f]{12}", str(content.get("name")))
    if not named or content.get("format") != FORMAT:
        raise UserError(f"{path} is no log of `dynode train all`: name another folder by -o.")
    return content
