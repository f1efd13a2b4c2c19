"""Choosing DEPTH: judged by observed frames that fits were not shown, and by nothing else."""

import dataclasses
import json

import pytest
import torch

from dynode import cli, clips
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.evaluation import model_selection
from dynode.evaluation.records import Row
from dynode.reporting import tables
from dynode.settings import changed

QUICK = changed(preset("trend+mlp"), {"training.segment_iterations": 5, "training.iterations": 1})


def test_frames_that_a_stride_hides_decide_nothing():
    clip = clips.load("single_face.warm").head(17)
    hidden = torch.arange(17) % 4 != 0
    other = dataclasses.replace(clip, ws=torch.where(hidden[:, None, None], torch.randn_like(clip.ws), clip.ws))
    ours, theirs = (model_selection.of_depths([each], [1, 3], QUICK, stride=4) for each in (clip, other))
    assert [row.value for row in ours] == [row.value for row in theirs]
    assert len({row.value for row in ours}) == 2


def test_the_best_depth_has_the_highest_mean_over_clips():
    values = {("a", 1): 0.5, ("b", 1): -1.0, ("a", 2): 0.1, ("b", 2): 0.1, ("a", 3): 0.1, ("b", 3): 0.1}
    rows = [Row("skill_latent", value, clip=clip, variant=f"depth {d}") for (clip, d), value in values.items()]
    assert model_selection.best(rows) == 2
    assert tables.depth_table(rows).cells == [["a", "+0.500", "+0.100", "+0.100"], ["b", "-1.000", "+0.100", "+0.100"]]


def test_too_few_frames_are_refused():
    with pytest.raises(UserError, match="too few"):
        model_selection.of_depths([clips.load("single_face.warm").head(5)], [1], QUICK, stride=4)


def test_depth_is_chosen_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "depth.json"
    quick = ["-p", "training.segment_iterations=2", "-p", "training.iterations=1", "--device", "cpu"]
    assert cli.main(["choose-depth", "single_face.independent", "--depths", "1", "2", "-o", str(path), *quick]) == 0
    assert "DEPTH" in capsys.readouterr().out
    record = json.loads(path.read_text())
    assert [row["variant"] for row in record["rows"]] == ["depth 1", "depth 2"] and "command" in record["provenance"]
