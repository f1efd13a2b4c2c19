"""Ten SIGTERMs and ten SIGKILLs at random moments over five commands: each then ends as if it had not been stopped.

The moments are drawn by seeded generators, over the time that the command takes on this machine from its first sign of work.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import circle_codes
from killing import Command, assert_equal_items, equal_tensors, files

from dynode.clips import Clip
from dynode.dynamics import fit_files
from dynode.io import assets
from dynode.runtime import ROOT

pytestmark = pytest.mark.long
SIGNALS = ["SIGTERM", "SIGKILL", "SIGKILL", "SIGTERM"]
TWO_STEPS = ["-p", "first_steps=2", "-p", "steps=1", "--device", "cpu"]
SPENT = {
    *("optimiser_steps", "steps_before", "frames_inverted", "encoder_passes"),
    *("generator_forward", "generator_backward", "peak_memory"),
}
PYCACHE = shutil.ignore_patterns("__pycache__")
SMALL = {"frames": 4, "strides": [2], "samplings": ["regular"], "methods": ["linear", "dynode"], "columns": 2}


def nothing(_: Path) -> None:
    """No file is there when the command begins."""


@pytest.fixture
def both(tmp_path, monkeypatch):
    """Runs a command without a stop and with four; returns the two folders that it wrote to, the whole one first."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))

    def run(
        arguments: list[str],
        seed: int,
        prepare: Callable[[Path], None] = nothing,
        root: Path = ROOT,
        variables: Callable[[Path], dict[str, str]] = lambda _: {},
    ) -> tuple[Path, Path]:
        commands = []
        for folder in (tmp_path / "whole", tmp_path / "killed"):
            folder.mkdir()
            prepare(folder)
            commands.append(Command(folder, arguments, seed, root, **variables(folder)))
        whole, killed = commands
        killed.stop_at_random(SIGNALS, whole.finish(), prepare)
        killed.finish()
        return whole.folder, killed.folder

    return run


def test_invert_a_video(both):
    whole, killed = both(["invert", "single-face-video", "--frames", "3", *TWO_STEPS], seed=10)
    name = "single-face-video.safetensors"
    assert equal_tensors(whole / name, killed / name)
    one, other = (Clip.load(folder / name).meta for folder in (whole, killed))
    assert one | {"provenance": 0} == other | {"provenance": 0}
    assert files(whole) == files(killed) == {name}


def test_fit_of_two_shots(both):
    def save_clip(folder: Path) -> None:
        ts = torch.linspace(0, 0.5, 12, dtype=torch.float64)
        shots = (torch.arange(12) >= 6).long()
        Clip(circle_codes(ts), ts, shots=shots, meta={"name": "circle"}).save(folder / "circle.safetensors")

    arguments = ["fit", "circle.safetensors", "--preset", "robust", "--device", "cpu", "-o", "circle.fit"]
    for change in ("segment_iterations=300", "iterations=100", "check_every=5", "tolerance=0"):
        arguments += ["-p", f"training.{change}"]
    arguments += ["-p", "solver.solver=rk4", "-p", "solver.step=0.5", "-p", "field.hidden=64"]
    whole, killed = both(arguments, 11, save_clip)
    assert equal_tensors(whole / "circle.fit", killed / "circle.fit")
    for one, other in zip(*(fit_files.load(f / "circle.fit").shots for f in (whole, killed)), strict=True):
        assert one.log | {"seconds": 0} == other.log | {"seconds": 0} and one.meta == other.meta
    assert files(whole) == files(killed) == {"circle.safetensors", "circle.fit"}


def test_edit_of_a_video(both):
    """Its codes are kept in a cache, where an edit that was stopped finds those of finished frames."""
    arguments = ["edit", "single-face-video", "-o", "smile.mp4", "--frames", "4", "--stride", "3", *TWO_STEPS]
    arguments += ["--attribute", "smile=1", "--codes", "smile.safetensors"]
    arguments += ["-p", "dynamics.training.segment_iterations=20"]
    whole, killed = both(arguments, 12, linked_cache, variables=lambda folder: {"DYNODE_CACHE": str(folder / "cache")})
    assert equal_tensors(whole / "smile.safetensors", killed / "smile.safetensors")
    assert (whole / "smile.mp4").read_bytes() == (killed / "smile.mp4").read_bytes()
    one, other = (costs(folder / "smile.json") for folder in (whole, killed))
    assert one == other
    assert files(whole) == files(killed)


def linked_cache(folder: Path) -> None:
    """A cache with all downloads of the user's, and nothing that was computed."""
    computed = shutil.ignore_patterns("codes", "kept", "samples", "training", "evaluations", ".*")
    shutil.copytree(assets.cache_dir(), folder / "cache", ignore=computed, copy_function=os.symlink)


def costs(record: Path) -> dict[str, float]:
    """The amounts of work in a record of an edit, the steps of runs that were stopped included; no seconds."""
    found = {row["metric"]: row["value"] for row in json.loads(record.read_text())["rows"]}
    amounts = {name: each for name, each in found.items() if name not in SPENT and "seconds" not in name}
    return amounts | {"steps": found["optimiser_steps"] + found["steps_before"]}


def test_run_of_an_item(both):
    arguments = ["run", "dynamics_isaac3d", "--profile", "smoke", "-p", "device=cpu", "-p", "seeds=0,1"]
    for name, value in SMALL.items():
        arguments += ["-p", f"{name}={','.join(value) if name in ('samplings', 'methods') else value}"]
    assert_equal_items(*both([text.replace("[2]", "2") for text in arguments], seed=13))


def test_reproduce_two_items(both, tmp_path, monkeypatch):
    """A checkout with two items."""
    monkeypatch.setenv("DYNODE_ENV", "current")
    checkout = tmp_path / "checkout"
    for name in ("dynode", "lock", "notebooks", "profiles"):
        shutil.copytree(ROOT / name, checkout / name, copy_function=copied, ignore=PYCACHE)
    shutil.copyfile(ROOT / "Snakefile", checkout / "Snakefile")
    entries = yaml.safe_load((ROOT / "experiments.yaml").read_text(encoding="utf-8"))["items"]
    two = {name: entries[name] for name in ("dynamics_isaac3d", "dynamics_bird")}
    for entry in two.values():
        entry["parameters"]["smoke"] |= SMALL | {"device": "cpu"}
        entry.pop("expected", None)
        entry.pop("writes")  # of the item's own parameters
    (checkout / "experiments.yaml").write_text(yaml.safe_dump({"items": two}), encoding="utf-8")
    whole, killed = both(["reproduce", "--profile", "smoke"], seed=14, root=checkout)
    assert_equal_items(whole, killed)
    assert {path.name for path in killed.glob("reports/executed/*")} == {f"{name}.smoke.ipynb" for name in two}


def copied(source: str, target: str) -> None:
    """A file as itself where it is small or a program, else as a link."""
    if os.path.getsize(source) < 100_000 or source.endswith(".py"):
        shutil.copyfile(source, target)
    else:
        os.symlink(source, target)
