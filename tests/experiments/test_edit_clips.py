"""Edits of a clip's first code: what does not ship is named, what ships is propagated, rendered and measured."""

from types import SimpleNamespace

import av
import pytest
import torch
from conftest import circle_codes

from dynode.clips import Clip
from dynode.dynamics.baselines.interpolation import Linear
from dynode.editing import editors
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.editor_quality import EditorEvaluator, ImageScores
from dynode.experiments.edit_clips import edits
from dynode.experiments.edit_clips.edits import ClipEdit, Stage
from dynode.io import video
from dynode.reporting import outputs, tables

GLOW = 0.25  # of the editor below, for each unit of strength


class Tiny:
    """Two style rows of four numbers; the picture is the mean code, one number a channel."""

    name, num_ws, w_dim, resolution, hash = "tiny", 2, 4, 8, "0"
    w_avg = torch.zeros(4)

    def synthesis(self, ws, resolution=None):
        return ws.mean(1)[:, :3, None, None].expand(-1, -1, 8, 8)


class Glow:
    name, space = "plain glow", "w+"

    def edit(self, ws, strength, rows=0):
        moved = ws.clone()
        moved[:, : rows or None, 0] += GLOW * strength
        return moved


def judge() -> EditorEvaluator:
    """Scores are the three mean colours, of which random pictures have the standard deviations 1, 2 and 0.5."""
    made = object.__new__(EditorEvaluator)
    made.generator, made.category, made.device = Tiny(), "tiny", "cpu"
    made.scorer = SimpleNamespace(names=("glow", "leaf", "sky"), periods=torch.tensor([0.0, 0.0, 1.0]))
    made.samples = SimpleNamespace(std=torch.tensor([1.0, 2.0, 0.5]))
    made.score_images = lambda images: ImageScores(images.mean((2, 3)))
    return made


@pytest.fixture
def stage(monkeypatch) -> Stage:
    monkeypatch.setitem(editors.METHODS.load(), "plain", lambda attribute, generator: Glow())
    ts = torch.linspace(0, 0.5, 9, dtype=torch.float64)
    clip = Clip(0.2 * circle_codes(ts, 2, 4) - 0.2, ts, meta={"name": "circle", "generator": "tiny"})
    return Stage(clip, Linear.fit(clip), judge(), ts[::4])


def test_an_edit_of_the_first_code_is_there_at_all_times_and_measured(stage):
    result = stage.edited(ClipEdit("plain:glow", 2.0, "Fig. 7"))
    assert (result.images - stage.own)[:, 0].flatten() == pytest.approx(2 * GLOW, abs=1e-5)
    value = {row.metric: row.value for row in result.rows}
    assert value["own_change"] == pytest.approx(2 * GLOW, abs=1e-5)
    assert value["others_change"] == pytest.approx(0, abs=1e-5) and "identity" not in value
    half = stage.edited(ClipEdit("plain:glow", 2.0, rows=1))  # one of two rows
    assert (half.images - stage.own)[:, 0].flatten() == pytest.approx(GLOW, abs=1e-5)


def test_an_attribute_that_goes_round_changes_the_shorter_way(stage):
    before, after = (ImageScores(torch.tensor([[0.0, 0.0, sky]])) for sky in (0.9, 0.1))
    assert stage.judge.changes(before, after)[0].tolist() == pytest.approx([0, 0, 0.2 / 0.5])


def test_what_does_not_ship_is_a_named_line_and_no_error(stage):
    result = stage.edited(ClipEdit("flows:nothing", 1.0, "Fig. 5"))
    assert result.images is None and "did you mean 'flow'" in result.missing
    (row,) = result.rows
    assert (row.metric, row.method, row.variant) == (edits.MISSING, "flows:nothing +1", "Fig. 5")
    plain = stage.edited(ClipEdit("plain:glow", 1.0, "Fig. 7"))
    table = tables.clip_edits_table([*result.rows, *plain.rows])
    assert [line[0] for line in table.cells] == ["Fig. 5", "Fig. 7"]
    assert table.cells[0][-1] == result.missing and table.cells[1][-1] == ""
    assert table.cells[1][table.header.index("its change (sd)")] == f"{GLOW:.2f}"


def test_which_attribute_is_meant_must_be_known(stage):
    with pytest.raises(UserError, match="does not say which attribute"):
        stage.edited(ClipEdit("plain:light", 1.0))
    assert stage.edited(ClipEdit("plain:light", 1.0, measures="glow")).rows[0].reference == "glow"


def test_videos_are_written_beside_the_figures(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    path = outputs.Outputs("edit_clips", "smoke").video(
        stage.own, stage.ts, "glow", "edited with dynode: glow 1", shows=[]
    )
    with av.open(str(path)) as container:
        assert container.metadata["title"] == "edited with dynode: glow 1"
    frames, ts = video.read(path)
    assert path == tmp_path / "figures" / "glow.smoke.mp4" and frames.shape == (3, 8, 8, 3)
    assert ts == pytest.approx(stage.ts.numpy(), abs=1e-3)
    assert not records.select(stage.edited(ClipEdit("plain:glow", 1.0)).rows, clip="other")
