"""Systems side by side: gains and means over videos."""

import itertools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dynode.evaluation.records import Row
from dynode.experiments.compare_editing import comparison, strengths, systems, training_costs
from dynode.perception.lpips import LPIPS
from dynode.video_editing.system_names import LABELS
from dynode.video_editing.systems.shares import Share


def rows_for(method: str, values: dict[tuple[str, str], float], metric: str = "tl_id") -> list[Row]:
    return [
        Row(metric, v, clip=c, variant=e, method=method, reference="mobilefacenet, quads")
        for (c, e), v in values.items()
    ]


def test_gains_compare_the_same_videos_and_know_which_is_better():
    videos = {("a", "smile 1"): 0.9, ("b", "smile 1"): 0.7}
    rows = rows_for("host", videos | {("a", "age 1"): 0.1}) + rows_for("ours", {k: v + 0.05 for k, v in videos.items()})
    rows += rows_for("host", videos, "acd") + rows_for("ours", {k: v + 0.05 for k, v in videos.items()}, "acd")
    rows += [
        Row("frechet_video_distance[x]", v, clip="all", variant="all", method=m)
        for m, v in (("host", 3.0), ("ours", 2.0))
    ]
    result = comparison.gains(rows, "ours", "host")
    assert result == pytest.approx({"tl_id": 0.05, "acd": -0.05, "frechet": 1.0})
    assert comparison.gains(rows, "ours", "nobody") == {}


def test_means_over_videos_leave_out_what_not_all_have_edited():
    rows = rows_for("host", {("a", "x"): 1.0, ("b", "x"): 3.0, ("a", "y"): 50.0}) + rows_for(
        "ours", {("a", "x"): 2.0, ("b", "x"): 6.0}
    )
    result = {row.method: row for row in comparison.overall(rows, ["host", "ours"])}
    assert (result["host"].value, result["ours"].value, result["ours"].n) == (2.0, 4.0, 2)


def test_an_edit_may_name_another_editor():
    assert comparison.edit(["smile", 1.5], "latent-transformer") == ("smile=1.5", "latent-transformer")
    assert comparison.edit(["eyeglasses", 3.0, "interfacegan"], "x") == ("eyeglasses=3", "interfacegan")


def test_frames_are_shown_from_first_to_last():
    assert comparison.evenly(24, 3) == [0, 12, 23] and comparison.evenly(2, 6) == [0, 1]


@dataclass
class Track:
    """As much of a track as decides which frames are inverted."""

    detected: np.ndarray

    @property
    def shots(self):
        return np.zeros(len(self.detected), dtype=int)

    def __len__(self):
        return len(self.detected)


@pytest.mark.parametrize("name", LABELS)
def test_every_system_is_made_at_the_terms_that_all_share(name):
    propagates = name.startswith(("dynode+", "linear+"))
    system, share = systems.Terms(budget=24.0).system(name, SimpleNamespace(track=Track(np.ones(8, dtype=bool))))
    assert (share is None) == name.endswith(("latent-transformer", "rigid", "no edit"))
    assert share is None or 0.5 * 192 < share.passes <= 192
    assert int(system.wanted(Track(np.ones(8, dtype=bool))).sum()) == (3 if propagates else 8)
    assert getattr(system, "method", "") == (name.partition("+")[0] if propagates else "")


def test_a_control_that_does_not_edit_stands_under_the_edit_of_the_others(monkeypatch):
    texts = []

    def entry(editor, label, footage, text, method, judge):
        texts.append(text)
        return comparison.Entry("a", text.replace("=", " "), label, *[None] * 4)

    monkeypatch.setattr(comparison, "entry", entry)
    for name in ("latent-transformer", "latent-transformer, no edit"):
        made = systems.edited(systems.Contender(name, None, None), None, ("smile", 1.5), "latent-transformer", None)
        assert made.named == {"clip": "a", "variant": "smile 1.5", "method": name}
    assert texts == ["smile=1.5", "smile=0"]
    assert systems.Contender("latent-transformer, no edit", None, None).slug == "latent-transformer-no-edit"


def test_what_changes_around_a_face_is_measured_without_the_face():
    judges = strengths.Judges.__new__(strengths.Judges)
    judges.perceptual, judges.device = LPIPS("alex"), "cpu"
    source = torch.zeros(2, 3, 64, 64)
    face, around = source.clone(), source.clone()
    face[:, :, 28:44, 24:40], around[:, :, :12] = 1.0, 1.0
    assert judges.outside(source, face) == 0.0 and judges.outside(source, around) > 0.05


def test_trainings_are_summed_over_the_runs_of_a_part():
    made = {"provenance": {"device": "one CPU"}}
    start = made | {"pictures_shown": 100, "hours": 2.0}
    card = {"provenance": {"device": "a GPU"}, "pictures_shown": 50, "seconds": 1800.0, "started_from": start}
    rows = {row.metric: row for row in training_costs.of_card("encoder", card)}
    assert {name: row.value for name, row in rows.items()} == {"training_pictures": 150.0, "training_hours": 2.5}
    assert {(row.method, row.reference) for row in rows.values()} == {("encoder", "a GPU and one CPU")}
    stepped = training_costs.of_card("editor", made | {"settings": '{"steps": 1000}', "seconds": 36.0})
    assert {row.metric: row.value for row in stepped} == {"training_steps": 1000.0, "training_hours": 0.01}
    assert list(training_costs.of_card("unknown", {})) == []


def test_costs_count_what_a_run_before_has_taken():
    counters = SimpleNamespace(
        counts=lambda: {name: k for k, name in enumerate(itertools.chain(*systems.WITH_BEFORE.values()), 2)}
    )
    frames = [{name: 1.0 + k for name in systems.STITCHING} for k in range(3)]
    shots = [SimpleNamespace(measured={"stitching": frames})]
    entry = SimpleNamespace(counters=counters, named={"clip": "a"}, codes=SimpleNamespace(shots=shots))
    share = Share(None, 0.1, 20.0, 400.0)
    rows = {row.metric: row for row in systems.rows_of(entry, SimpleNamespace(share=share))}
    assert (rows["iterations"].value, rows["forward_passes"].value) == (2 + 3 + 4 + 5, 6 + 7)
    assert (rows["flow_fields"].value, rows["share_of_published"].value) == (10 + 11, 0.05)
    assert (rows["stitch_border"].value, rows["stitch_border"].n) == (2.0, 3)


def test_a_system_without_weights_is_left_out_and_said(capsys):
    generator = SimpleNamespace(name="nothing")
    assert systems.available(["stit", "rigid"], generator) == ["stit"]
    assert "RIGID is left out. The method rigid has no trained weights for nothing" in capsys.readouterr().out
