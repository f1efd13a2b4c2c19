"""Editing videos: what systems invert and edit, counted; strengths over time; footage that comes out; the command."""

import json
import pickle
from dataclasses import dataclass

import av
import numpy as np
import pytest
import torch

from dynode import cli, generators
from dynode.clips import Clip
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments.compare_editing import comparison
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.inversion.observer import Observed, ObservedGenerator, timed
from dynode.io import video
from dynode.io.video import Stretch
from dynode.perception.face_detection import Face
from dynode.perception.face_tracking import FaceTrack
from dynode.settings import changed
from dynode.video_editing import edit_file, registry
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.decoding import decoding_size
from dynode.video_editing.edited_codes import EditedCodes, EditedShot
from dynode.video_editing.edited_video import timed_frames
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import Edit, EditTrack, ObservedEditor, parse_keyframes
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.per_frame import PerFrame, SteadiedDetector
from dynode.video_editing.propagated import PropagatedEdit
from dynode.video_editing.registry import load_system
from dynode.video_editing.video_editor import VideoEditor

FRAMES, GONE = 9, 2  # frames that show the face, and frames after them that do not
SHAPE = (48, 64, 3)
QUAD = np.array([[12.0, 4.0], [12.0, 44.0], [52.0, 44.0], [52.0, 4.0]])

QUICK = changed(preset("dynode"), {"training.segment_iterations": 3, "training.iterations": 1})


def ours(**named):
    return load_system("dynode+latent-transformer", method=QUICK, **named)


HOSTS = {"latent-transformer": lambda: load_system("latent-transformer"), "dynode+latent-transformer": ours}


@dataclass(frozen=True)
class Shift:
    """Adds strength to every number of the code."""

    name: str = "shift"
    space: str = "w+"

    def edit(self, ws, strength, rows=0):
        moved = ws + torch.as_tensor(strength, dtype=ws.dtype).reshape(-1, 1, 1)
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    generator = StyleGAN2(StyleGAN2Settings(resolution=16, z_dim=6, w_dim=8, channel_base=64, channel_max=8))
    generator.name = "tiny"
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video with uneven times, whose last frames do not show the face."""
    path, rng = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(0)
    times = [0.04 * k + 0.02 * (k > 3) for k in range(FRAMES + GONE)]
    ground = np.kron(rng.integers(60, 190, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return video.write_timed(path, ((t, ground) for t in times), 25)


def footage_of(film, tiny, shots=None, detected=None) -> Footage:
    ts = video.read(film)[1][:FRAMES]
    shots = np.zeros(FRAMES, dtype=np.int64) if shots is None else np.array(shots)
    detected = np.ones(FRAMES, dtype=bool) if detected is None else np.array(detected)
    track = FaceTrack(ts, np.repeat(QUAD[None], FRAMES, 0), detected, shots)
    angle = torch.linspace(0, 3, FRAMES)[:, None, None]
    ws = 0.3 * torch.cat([angle.sin(), angle.cos()], 2).repeat(1, tiny.num_ws, 4)
    meta = {"name": "film", "settings": {"start": "previous", "first_steps": 50, "steps": 10}}
    optional = {"detected": torch.from_numpy(detected), "shots": torch.from_numpy(shots)}
    clip = Clip(ws, ts, observed=torch.from_numpy(detected), meta=meta, **optional)
    return Footage(film, track, "tiny", Stretch(), clip)


@dataclass(frozen=True)
class Edited:
    """An edit on its way: what it is made with, its codes, and what that took."""

    editor: VideoEditor
    footage: Footage
    codes: EditedCodes
    counters: Counters

    def frames(self) -> list[tuple[float, np.ndarray]]:
        rendered = self.editor.render(self.footage, self.codes, self.counters)
        return list(timed_frames(self.footage, rendered, self.editor.pastes))


def edited(film, tiny, system, tracks=("a=1",), mask="ellipse", paste="feather", rows=0, **changes) -> Edited:
    tracks, counters = tuple(map(EditTrack.parsed, tracks)), Counters()
    editor, footage = (
        VideoEditor(system, tiny, PasteSettings(paste), MaskSettings(mask)),
        footage_of(film, tiny, **changes),
    )
    codes = editor.plan(footage, Edit(tracks, (Shift(),) * len(tracks), rows), counters)
    return Edited(editor, footage, codes, counters)


def test_the_host_edits_every_frame_and_dynamics_one_with_fewer_inverted(film, tiny):
    found = {}
    for name in ("latent-transformer", "dynode+latent-transformer"):
        done = edited(film, tiny, HOSTS[name](), ["a=1", "b=2"])
        assert len(done.frames()) == FRAMES + GONE
        found[name] = done.counters
    host, ours = found.values()
    assert (host.frames_inverted, host.edits, host.steps_before) == (FRAMES, 2 * FRAMES, 50 + 8 * 10)
    assert (ours.frames_inverted, ours.edits, ours.steps_before) == (3, 2, 50 + 2 * 10)  # frames 0, 4 and 8
    assert host.generator_forward == ours.generator_forward == FRAMES
    assert host.field_evaluations == 0 < ours.field_evaluations
    assert host.pastes == ours.pastes == FRAMES and host.generator_backward == host.optimiser_steps == 0


def test_dynamics_see_the_wanted_frames_only(film, tiny):
    fitted = []

    class Spy(PropagatedEdit):
        def fitted(self, clip):
            fitted.append(clip)
            return super().fitted(clip)

    edited(film, tiny, Spy(method=QUICK), shots=[0] * 5 + [1] * 4)
    ts = video.read(film)[1]
    assert [clip.ts.tolist() for clip in fitted] == [ts[[0, 4]].tolist(), ts[[5, 8]].tolist()]
    assert all(clip.observed.all() for clip in fitted)


@pytest.mark.parametrize("mode", ["offset", "flow", "tangent"])
def test_an_edit_of_nothing_leaves_the_learned_path_and_one_of_the_first_code_starts_there(film, tiny, mode):
    system = ours(mode=mode)
    nothing, one = (edited(film, tiny, system, [f"a={s}"]).codes for s in (0, 0.5))
    assert torch.equal(nothing.ws, nothing.edited)
    assert torch.allclose(one.edited[0] - one.ws[0], torch.full_like(one.ws[0], 0.5), atol=1e-4)
    (shot,) = one.shots
    assert shot.drift < 1e-5 if mode == "offset" else shot.drift >= 0
    assert one.metadata["shots"] == [{"observed": 3, "drift": shot.drift}]


def test_each_shot_is_edited_at_its_own_first_frame(film, tiny):
    done = edited(film, tiny, ours(), shots=[0] * 4 + [1] * 5)
    codes = done.codes
    assert done.counters.edits == 2 and len(codes.shots) == 2
    assert torch.allclose(codes.edited - codes.ws, torch.ones_like(codes.ws), atol=1e-4)


@pytest.mark.parametrize("name", ["latent-transformer", "dynode+latent-transformer"])
def test_strengths_follow_their_keyframes(film, tiny, name):
    codes = edited(film, tiny, HOSTS[name](), ["a=0.04:0,0.12:1", "b=-0.5"]).codes
    wanted = torch.tensor([0, 0, 0.5, 1, 1, 1, 1, 1, 1]) - 0.5
    assert torch.allclose((codes.edited - codes.ws)[:, 0, 0], wanted, atol=1e-3)
    assert codes.title == "edited with dynode: a 0 to 1, b -0.5"


def test_rows_that_are_kept_stay(film, tiny):
    done = edited(film, tiny, load_system("latent-transformer"), rows=2).codes
    assert torch.equal(done.edited[:, 2:], done.ws[:, 2:]) and not torch.equal(done.edited[:, :2], done.ws[:, :2])


def test_what_is_written_has_the_footages_times_and_says_that_it_is_edited(film, tiny, tmp_path):
    done, numbers = edited(film, tiny, load_system("latent-transformer")), []
    parts = done.footage, done.codes, done.counters, lambda number, frame: numbers.append(number)
    assert done.editor.write(tmp_path / "out.mp4", *parts) == FRAMES + GONE and numbers == list(range(FRAMES + GONE))
    frames, times = video.read(tmp_path / "out.mp4")
    source, known = video.read(film)
    assert np.allclose(times, known, atol=1e-4) and frames.shape == source.shape
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == "edited with dynode: a 1"
    assert done.editor.stand_ins(done.footage) == ("mask[ellipse]",)


def test_frames_without_the_face_and_what_lies_outside_the_mask_come_out_as_they_went_in(film, tiny):
    done, (source, _) = edited(film, tiny, load_system("latent-transformer"), ["a=3"]), video.read(film)
    frames = np.stack([frame for _, frame in done.frames()])
    assert np.array_equal(frames[FRAMES:], source[FRAMES:])
    assert np.array_equal(frames[:, :4], source[:, :4]) and np.array_equal(frames[:, :, :12], source[:, :, :12])
    assert (frames[:FRAMES, 20:30, 28:36] != source[:FRAMES, 20:30, 28:36]).mean() > 0.5
    crops = edited(film, tiny, load_system("latent-transformer"), paste="none").frames()
    assert len(crops) == FRAMES and crops[0][1].shape == (16, 16, 3)


def test_rendering_twice_gives_the_same_frames_with_and_without_an_observer(film, tiny):
    done = edited(film, tiny, ours(), paste="smooth")
    first, again = (np.stack([frame for _, frame in done.frames()]) for _ in range(2))
    assert np.array_equal(first, again)
    bare = list(done.editor.render(done.footage, done.codes))
    assert [number for number, _ in bare] == list(range(FRAMES))
    assert np.array_equal(np.stack([frame for _, frame in bare]), first[:FRAMES])


@pytest.mark.parametrize("name", ["latent-transformer", "dynode+latent-transformer"])
def test_a_plan_decodes_nothing_and_is_pure_data(film, tiny, name):
    done = edited(film, tiny, HOSTS[name]())
    counts = done.counters.counts()
    assert counts["edits"] and not any(counts[each] for each in ("generator_forward", "segmentations", "pastes"))
    again, counters = (pickle.loads(pickle.dumps(each)) for each in (done.codes, done.counters))
    assert torch.equal(again.edited, done.codes.edited) and again.metadata == done.codes.metadata
    assert counters.counts() == counts
    assert not any(callable(value) for value in (*vars(done.codes).values(), *vars(done.codes.shots[0]).values()))


def test_a_path_keeps_no_observer_once_it_is_used(film, tiny):
    paths = []

    class Spy(PropagatedEdit):
        def fitted(self, clip):
            paths.append(super().fitted(clip))
            return paths[-1]

    done = edited(film, tiny, Spy(method=QUICK, mode="flow"))
    before = done.counters.field_evaluations
    paths[0](done.footage.track.ts)
    assert 0 < paths[0].log["nfe"] < before == done.counters.field_evaluations


def test_a_system_is_a_class_under_a_name(film, tiny):
    @registry.system("test-only")
    @dataclass(frozen=True)
    class Unedited(PerFrame):
        name: str = "test-only"

        def edit_shot(self, clip, ts, edit, start, observer):
            return EditedShot(clip.ws, clip.ws)

    try:
        codes = edited(film, tiny, load_system("test-only")).codes
    finally:
        del registry.SYSTEMS.held["test-only"]
    assert torch.equal(codes.ws, codes.edited) and {"latent-transformer"} < set(registry.SYSTEMS)
    with pytest.raises(UserError, match="did you mean 'latent-transformer'"):
        load_system("latent-transformers")


def test_dynamics_are_a_name_or_settings(film, tiny):
    lines = edited(film, tiny, load_system("dynode+latent-transformer", method="linear")).codes
    assert not torch.equal(lines.ws, edited(film, tiny, ours()).codes.ws)
    assert load_system("dynode+latent-transformer", method="linear").settings["preset"] == "linear"
    assert ours().settings["preset"] == "dynode" and ours().settings["dynamics"]["training"]["iterations"] == 1
    with pytest.raises(UserError, match="did you mean 'dynode'"):
        load_system("dynode+latent-transformer", method="dynodes")


def test_seconds_of_a_stage_within_another_count_once():
    counters, clock = Counters(), iter(range(100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", lambda: float(next(clock)))
        with counters.stage("outer"):
            with counters.stage("inner"):
                pass
            assert list(timed(counters, "items", [1, 2])) == [1, 2]
    assert counters.seconds == {"outer": 5.0, "inner": 1.0, "items": 3.0}
    rows = {row.metric: row for row in counters.rows(clip="c")}
    assert rows["seconds_inner"].value == 1 and rows["edits"].space == "cost" and rows["peak_memory"].value > 0


def test_observed_parts_count_and_stay_what_they_are(tiny):
    counters = Counters()
    generator, editor = ObservedGenerator(tiny, counters), ObservedEditor(Shift(), counters)
    ws = torch.zeros(3, tiny.num_ws, 8, requires_grad=True)
    generator.synthesis(ws).sum().backward()
    with torch.no_grad():
        generators.render(generator, ws.detach())
    editor.edit(ws, 1.0)
    assert (counters.generator_forward, counters.generator_backward, counters.edits) == (6, 3, 3)
    assert isinstance(generator, Observed) and generator.num_ws == tiny.num_ws and editor.space == "w+"


def test_landmarks_that_jump_about_are_steadied_by_their_tracks():
    rng = np.random.default_rng(0)
    ground = np.kron(rng.uniform(0, 1, (30, 40)), np.ones((4, 4)))
    points, jitter = np.array([[60.0, 50], [90, 50], [75, 65], [63, 80], [87, 80]]), rng.normal(0, 1.5, (12, 5, 2))
    frames = [np.roll(ground, k, axis=1) for k in range(12)]  # the picture moves by a pixel a frame
    found = iter([Face(np.array([45.0, 35, 105, 95]) + [k, 0, k, 0], points + [k, 0] + jitter[k]) for k in range(12)])
    counters = Counters()
    steady = SteadiedDetector(lambda _: [next(found)], counters)
    seen = np.stack([steady((255 * np.stack([f] * 3, -1)).astype(np.uint8))[0].landmarks for f in frames])
    error = seen - points - np.stack([np.arange(12), np.zeros(12)], -1)[:, None]
    assert counters.landmark_tracks == 11
    assert np.diff(error, axis=0).std() < 0.4 * np.diff(jitter, axis=0).std()


@pytest.mark.parametrize("text", ["smile", "=1", "smile=", "smile=x", "smile=0:1,0:2", "smile=0:0,1", "smile=nan"])
def test_edits_that_are_none_are_refused(text):
    with pytest.raises(UserError):
        EditTrack.parsed(text)


def test_a_strength_over_time_multiplies_another():
    track = EditTrack.parsed("smile=0:1,1:3").scaled(parse_keyframes("0:0,0.5:1"))
    assert track.strength([0.0, 0.5, 1.0, 9.0]).tolist() == [0.0, 2.0, 3.0, 3.0] and track.largest == 3.0


def test_the_product_of_two_strengths_holds_between_their_keyframes_too():
    track = EditTrack.parsed("smile=0:0,1:2").scaled(parse_keyframes("0:0,1:1"))
    times = np.linspace(0, 1, 41)
    assert track.strength(times).tolist() == pytest.approx(list(2 * times**2), abs=2e-3)
    assert EditTrack.parsed("smile=3").scaled(parse_keyframes("0:0,1:1")).keyframes == ((0.0, 0.0), (1.0, 3.0))


@pytest.mark.parametrize(
    "width, resolution, size", [(90, 1024, 128), (291, 1024, 512), (3000, 1024, 1024), (200, 64, 64)]
)
def test_crops_are_decoded_no_larger_than_the_face(width, resolution, size):
    assert decoding_size(width, resolution) == size


def test_a_video_is_inverted_once_for_all_edits_and_what_that_took_is_counted(film, tmp_path, capsys):
    output, steps = tmp_path / "out.mp4", ["-p", "first_steps=2", "-p", "steps=1", "-p", "candidates=0"]
    shown = [
        "--generator",
        "stylegan2-scene",
        "--editor",
        "flow",
        "--paste",
        "feather",
        "--device",
        "cpu",
        "--stride",
        "8",
    ]

    def run(*more):
        assert cli.main(["edit", str(film), "-o", str(output), *shown, *steps, *more]) == 0
        rows, provenance = records.read(output.with_suffix(".json"))
        return {row.metric: row.value for row in rows}, provenance

    found, provenance = run("--attribute", "fog=2")
    frames = FRAMES + GONE
    assert (found["frames_inverted"], found["edits"], found["detections"]) == (3, 1, 0)
    assert found["optimiser_steps"] == found["generator_backward"] > 0 == found["steps_before"]
    assert provenance["title"] == "edited with dynode: fog 2" and len(video.read(output)[0]) == frames
    again, _ = run(
        "--attribute", "hour=1", "--save-frames", str(tmp_path / "png"), "--codes", str(tmp_path / "e.safetensors")
    )
    clip = Clip.load(tmp_path / "e.safetensors")
    assert len(clip) == frames and clip.meta["edited"] == "hour 1" and clip.meta["source"] == "film.mp4"
    assert again["optimiser_steps"] == 0 and again["steps_before"] == found["optimiser_steps"]
    assert len(list((tmp_path / "png").glob("*.png"))) == frames
    assert json.loads(output.with_suffix(".json").read_text())["provenance"]["stand_ins"] == ["mask[whole]"]
    assert cli.main(["edit", str(film), "-o", str(output), *shown, "--attribute", "fog=1"]) == 2
    assert "other frames, settings or weights" in capsys.readouterr().err


EDIT_A_WORLD = ["--generator", "stylegan2-scene", "--editor", "flow", "--attribute", "fog=1", "--device", "cpu"]


def test_no_output_replaces_what_an_edit_is_made_from_or_another_record(film, tmp_path, capsys):
    own = tmp_path / "own.mp4"
    own.write_bytes(film.read_bytes())
    kept = records.write(tmp_path / "judged.json", "evaluate-edit", "", [], {})
    for source, output, more, told in (
        (own, own, [], "own.mp4 is what the edit is made from"),
        (film, tmp_path / "a.mp4", ["--codes", str(tmp_path / "a.codes.safetensors")], "is what the edit is made from"),
        (film, tmp_path / "a.mp4", ["--save-frames", str(own)], "cannot be written"),
        (film, kept.with_suffix(".mp4"), [], "judged.json is a record of evaluate-edit"),
    ):
        assert cli.main(["edit", str(source), "-o", str(output), *EDIT_A_WORLD, *more]) == 2
        assert told in capsys.readouterr().err
    edited = records.write(tmp_path / "x.json", "edit", "", [], {})
    for command in (
        ["evaluate-edit", str(own), str(own)],
        ["evaluate", "x.fit"],
        ["choose-depth", "scene.day"],
        ["bench"],
    ):
        assert cli.main([*command, "-o", str(edited)]) == 2
        assert "x.json is a record of edit" in capsys.readouterr().err
    assert records.item_of(edited) == "edit" and records.item_of(kept) == "evaluate-edit"
    assert records.item_of(own) is None and own.read_bytes() == film.read_bytes()


def test_the_record_has_the_options_that_were_chosen(tmp_path):
    changes = {"projection": {"steps": 5}, "dynamics": {"field.depth": 4}}
    request = edit_file.EditRequest("a.mp4", tmp_path / "b.mp4", ("smile=1",), rows=8, mode="flow", **changes)
    options = "--attribute smile=1 --rows 8 --mode flow -p steps=5 -p dynamics.field.depth=4"
    assert request.command == f"dynode edit a.mp4 {options}"


def rows_of(method: str, values: dict[tuple[str, str], float], metric: str = "tl_id") -> list[Row]:
    return [
        Row(metric, v, clip=c, variant=e, method=method, reference="mobilefacenet, quads")
        for (c, e), v in values.items()
    ]


def test_gains_compare_the_same_videos_and_know_which_way_is_better():
    videos = {("a", "smile 1"): 0.9, ("b", "smile 1"): 0.7}
    rows = rows_of("host", videos | {("a", "age 1"): 0.1}) + rows_of("ours", {k: v + 0.05 for k, v in videos.items()})
    rows += rows_of("host", videos, "acd") + rows_of("ours", {k: v + 0.05 for k, v in videos.items()}, "acd")
    rows += [
        Row("frechet_video_distance[x]", v, clip="all", variant="all", method=m)
        for m, v in (("host", 3.0), ("ours", 2.0))
    ]
    found = comparison.gains(rows, "ours", "host")
    assert found == pytest.approx({"tl_id": 0.05, "acd": -0.05, "frechet": 1.0})
    assert comparison.gains(rows, "ours", "nobody") == {}


def test_means_over_videos_leave_out_what_not_all_have_made():
    rows = rows_of("host", {("a", "x"): 1.0, ("b", "x"): 3.0, ("a", "y"): 50.0}) + rows_of(
        "ours", {("a", "x"): 2.0, ("b", "x"): 6.0}
    )
    found = {row.method: row for row in comparison.overall(rows, ["host", "ours"])}
    assert (found["host"].value, found["ours"].value, found["ours"].n) == (2.0, 4.0, 2)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["carphone.warm"], "nothing to edit"),
        (["carphone.warm", "--attribute", "smiel"], "NAME=STRENGTH"),
        (["carphone.warm", "--attribute", "0=1", "--editor", "ganspace"], "components"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "glue"], "method of editing"),
        (
            ["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--method", "magic"],
            "method of editing videos",
        ),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--mode", "drift"], "mode of propagation"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--paste", "glue"], "mode of pasting"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--mask", "glue"], "no mask"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--mask", "gone.pt"], "no file gone.pt"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--stride", "0"], "stride"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--rows", "24"], "23 style rows"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "-o", "x.avi"], ".mp4"),
        (["scene.day", "--attribute", "fog=1", "--editor", "flow"], "not cut from a video"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--first", "5"], "leave out --first"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--frames", "-1"], "count >= 0"),
        (["carphone.warm", "--attribute", "1=1", "--editor", "ganspace", "--footage", "gone.mp4"], "no file gone.mp4"),
        (["nothing.mp4", "--attribute", "1=1", "--editor", "ganspace"], "no file nothing.mp4"),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["edit", *arguments, "--device", "cpu"]) == 2
    message = capsys.readouterr().err
    assert told in message and "Traceback" not in message
    assert not list(tmp_path.glob("*.mp4"))
