"""Judging edited videos: every measure in one table, names of stand-ins, faces that are missing, the command."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from dynode import cli
from dynode.errors import UserError
from dynode.evaluation import edited_videos, records
from dynode.evaluation.edited_videos import VideoEvaluator, VideoEvaluatorSettings
from dynode.io import video
from dynode.reporting import tables

TS, SIZE = 8, (48, 64)
QUICK = VideoEvaluatorSettings(clip_len=4, clip_stride=2, flow_size=64)


class Colour:
    """An identity network that knows people by the colours of the corners of their picture."""

    def to(self, device):
        return self

    def __call__(self, crops):
        return torch.nn.functional.normalize(crops[..., ::255, ::255].flatten(1) + 1.5, dim=1)


class Means:
    name, least_frames = "means", 2

    def __call__(self, clips):
        return clips.mean((1, 3, 4))


def moving() -> np.ndarray:
    """A window uint8 (8, 48, 64, 3) on a smooth picture that moves by a pixel a frame."""
    smooth = gaussian_filter(np.random.default_rng(0).normal(size=(80, 100, 3)), (4, 4, 0))
    levels = (127 + 110 * smooth / np.abs(smooth).max()).astype(np.uint8)
    return np.stack([levels[16 - t : 64 - t, 20 - t : 84 - t] for t in range(TS)])


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.setitem(edited_videos.IDENTITIES, "colour", Colour)
    return VideoEvaluator(QUICK, ("colour",), Means())


def quads() -> np.ndarray:
    return np.tile(np.array([[10.0, 8.0], [10.0, 40.0], [42.0, 40.0], [42.0, 8.0]]), (TS, 1, 1))


def by_name(rows, method: str) -> dict[str, float]:
    return {row.metric: row.value for row in records.select(rows, method=method)}


def test_an_unedited_video_is_as_good_as_its_source(judge):
    source, same = (judge.features_of(moving(), quads=quads()) for _ in range(2))
    rows, warnings = edited_videos.edit_rows(source, same, clip="a", method="same")
    values, own = by_name(rows, "same"), by_name(rows, "source")
    ones = ("tl_id", "tg_id", "src_id", "motion_ratio", "flow_ratio", "flow_agreement")
    assert [values[name] for name in ones] == pytest.approx([1] * 6, abs=1e-6)
    assert values["acd_reference"] == values["frechet_video_distance[means]"] == pytest.approx(0, abs=1e-6)
    assert {name: values[name] for name in own} == own and set(own) == {"acd", "acd_adjacent", "warping_error"}
    assert "overlap" in warnings[-1]


def test_a_frozen_video_and_flicker_show(judge):
    source, frames = judge.features_of(moving(), quads=quads()), moving()
    flicker = (frames.astype(int) + 12 * (-1) ** np.arange(TS)[:, None, None, None]).clip(0, 255).astype(np.uint8)
    rows, _ = edited_videos.edit_rows(
        source, judge.features_of(frames[:1].repeat(TS, 0), quads=quads()), method="frozen"
    )
    more, _ = edited_videos.edit_rows(source, judge.features_of(flicker, quads=quads()), method="flicker")
    frozen, flickering, own = by_name(rows, "frozen"), by_name(more, "flicker"), by_name(rows, "source")
    assert frozen["acd"] == pytest.approx(0, abs=1e-6) and frozen["tg_id"] > 1
    assert frozen["motion_ratio"] == frozen["flow_ratio"] == 0 and abs(frozen["flow_agreement"]) < 1e-6
    assert flickering["motion_ratio"] > 1.1 and flickering["warping_error"] > 5 * own["warping_error"]


def test_frames_without_a_face_are_counted(judge, monkeypatch):
    holed = [None if t == 3 else quad for t, quad in enumerate(quads())]
    monkeypatch.setattr(VideoEvaluator, "faces", lambda self, frames: holed)
    rows, _ = edited_videos.edit_rows(judge.features_of(moving()), judge.features_of(moving()), method="same")
    values = {row.metric: row for row in rows if row.method == "same"}
    assert values["frames_without_face"].value == 1 and values["tl_id"].n == TS - 3
    assert values["tl_id"].reference == "colour, faces found anew"
    strict = VideoEvaluator(VideoEvaluatorSettings(missing="raise"), ("colour",), False)
    with pytest.raises(UserError, match="none was detected"):
        edited_videos.edit_rows(strict.features_of(moving()), strict.features_of(moving()))


def test_no_face_anywhere_is_refused_in_one_sentence(judge, monkeypatch):
    monkeypatch.setattr(VideoEvaluator, "faces", lambda self, frames: [None] * TS)
    with pytest.raises(UserError, match="no two frames show the face"):
        edited_videos.edit_rows(judge.features_of(moving()), judge.features_of(moving()))


def test_faces_are_shown_to_identity_networks_on_their_own_device(monkeypatch):
    class Elsewhere(Colour):
        def __call__(self, crops):
            inputs.append(crops.device.type)
            return super().__call__(torch.zeros(crops.shape))

    inputs = []
    monkeypatch.setitem(edited_videos.IDENTITIES, "elsewhere", Elsewhere)
    judge = VideoEvaluator(QUICK, ("elsewhere",), False, device="meta")
    assert len(judge.features_of(moving(), quads=quads()).identity("elsewhere")) == TS and inputs == ["meta"]


def test_videos_of_different_frames_are_refused(judge):
    with pytest.raises(UserError, match="8 frames of 64 x 48 pixels, the edited video 7 frames"):
        edited_videos.edit_rows(judge.features_of(moving()), judge.features_of(moving()[1:]))


def test_one_clip_makes_no_distance_and_says_so(judge):
    long = VideoEvaluator(VideoEvaluatorSettings(clip_len=8), (), Means())
    rows, warnings = edited_videos.edit_rows(long.features_of(moving()), long.features_of(moving()), method="same")
    assert warnings == ("Less than 2 clips of 8 frames: no frechet_video_distance[means].",)
    assert by_name(rows, "same")["acd"] == by_name(rows, "source")["acd"] > 0  # of mean colours


def test_a_video_too_short_for_a_clip_is_left_out_of_the_distance_and_told(judge):
    source, short = (judge.features_of(frames) for frames in (moving(), moving()[:3]))
    alone, _ = edited_videos.distance_rows([source], [source])
    values, warnings = edited_videos.distance_rows([short, source], [short, source])
    assert [row.value for row in values] == [row.value for row in alone]
    assert warnings[0] == "1 videos are shorter than 4 frames and left out."


def test_the_table_keeps_a_stand_in_apart_from_the_papers_fvd(judge):
    source = judge.features_of(moving(), quads=quads())
    rows, warnings = edited_videos.edit_rows(source, source, clip="a", method="ours", variant="smile 1")
    table = tables.edits_table(rows, warnings, paper=("Latent-T",))
    stand_in, fvd = (table.header.index(f"{name} ↓") for name in ("frechet_video_distance[means]", "FVD"))
    (paper,) = (line for line in table.cells if line[2] == "Latent-T")
    assert paper[fvd] == "582.4" and paper[stand_in] == "" and paper[table.header.index("TL-ID ↑")] == "0.957"
    (ours,) = (line for line in table.cells if line[2] == "ours")
    assert ours[fvd] == "" and ours[stand_in] == "0.000" and ours[:4] == ["a", "smile 1", "ours", ours[3]]
    assert ours[3] == "colour, the source's alignment" and table.note == " ".join(warnings)
    assert edited_videos.stand_ins(judge)[-1] == "video features: means for I3D"


def test_the_command_prints_a_table_and_writes_a_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(edited_videos.video_features, "load", lambda **_: Means())
    paths = [video.write(tmp_path / f"{name}.mp4", moving(), fps=25) for name in ("source", "edited")]
    out = tmp_path / "edit.json"
    options = ["--no-face", "-p", "clip_len=4", "--device", "cpu"]
    assert cli.main(["evaluate-edit", *map(str, paths), "-o", str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert "frechet_video_distance[means]" in printed and "overlap" in printed
    rows, provenance = records.read(out)
    assert by_name(rows, "edited")["flow_agreement"] == pytest.approx(1) and provenance["warnings"]
    assert cli.main(["evaluate-edit", *map(str, paths), "-p", "clip_length=4"]) == 2
    assert "did you mean 'clip_len'" in capsys.readouterr().err
    assert cli.main(["evaluate-edit", str(paths[0]), str(tmp_path / "gone.mp4")]) == 2
    assert cli.main(["evaluate-edit", *map(str, paths), "--frames", "-1"]) == 2
    assert "0 (all) or more, got -1" in capsys.readouterr().err
    assert cli.main(["evaluate-edit", *map(str, paths), "--clip", "scene.day"]) == 2
    assert "no alignment" in capsys.readouterr().err
