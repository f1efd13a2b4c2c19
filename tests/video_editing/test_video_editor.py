"""Editing videos: what systems invert and edit, counted; codes that are pure data; frames that come out."""

import pickle
from dataclasses import dataclass

import av
import numpy as np
import pytest
import torch
from plugins import example

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.inversion.observer import Observed, ObservedGenerator, timed
from dynode.io import video
from dynode.io.video import Stretch
from dynode.perception.face_detection import Face
from dynode.perception.face_tracking import FaceTrack
from dynode.settings import changed
from dynode.video_editing import registry
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.decoding import decoding_size
from dynode.video_editing.edited_codes import EditedCodes
from dynode.video_editing.edited_video import timed_frames
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import Edit, EditTrack, ObservedEditor
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.per_frame import SteadiedDetector
from dynode.video_editing.propagated import PropagatedEdit
from dynode.video_editing.registry import load_system
from dynode.video_editing.video_editor import VideoEditor

FRAMES, GONE = 9, 2  # frames that show the face, and frames after them that do not
SHAPE = (48, 64, 3)
QUAD = np.array([[12.0, 4.0], [12.0, 44.0], [52.0, 44.0], [52.0, 4.0]])

QUICK = changed(preset("trend+mlp"), {"training.segment_iterations": 3, "training.iterations": 1})


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
    results = {}
    for name in ("latent-transformer", "dynode+latent-transformer"):
        done = edited(film, tiny, HOSTS[name](), ["a=1", "b=2"])
        assert len(done.frames()) == FRAMES + GONE
        results[name] = done.counters
    host, ours = results.values()
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
    done = edited(film, tiny, ours(), paste="seamless")
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


def test_a_system_is_one_file_under_a_name(film, tiny, plugin):
    """Another package adds one, exactly as CONTRIBUTING.md describes it."""
    plugin(registry.SYSTEMS, example("dynode/video_editing/first_offset.py"))
    codes, per_frame = (edited(film, tiny, load_system(name)).codes for name in ("first-offset", "latent-transformer"))
    assert torch.equal(codes.ws, per_frame.ws) and torch.allclose(codes.edited[0], per_frame.edited[0], atol=1e-6)
    offsets = codes.edited - codes.ws
    assert offsets.any() and torch.allclose(offsets, offsets[:1].expand_as(offsets), atol=1e-5)
    with pytest.raises(UserError, match="did you mean 'first-offset'"):
        load_system("first-offsets")


def test_dynamics_are_a_name_or_settings(film, tiny):
    lines = edited(film, tiny, load_system("dynode+latent-transformer", method="linear")).codes
    assert not torch.equal(lines.ws, edited(film, tiny, ours()).codes.ws)
    assert load_system("dynode+latent-transformer", method="linear").settings["preset"] == "linear"
    assert ours().settings["preset"] == "trend+mlp" and ours().settings["dynamics"]["training"]["iterations"] == 1
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
    results = iter([Face(np.array([45.0, 35, 105, 95]) + [k, 0, k, 0], points + [k, 0] + jitter[k]) for k in range(12)])
    counters = Counters()
    steady = SteadiedDetector(lambda _: [next(results)], counters)
    landmarks = np.stack([steady((255 * np.stack([f] * 3, -1)).astype(np.uint8))[0].landmarks for f in frames])
    error = landmarks - points - np.stack([np.arange(12), np.zeros(12)], -1)[:, None]
    assert counters.landmark_tracks == 11
    assert np.diff(error, axis=0).std() < 0.4 * np.diff(jitter, axis=0).std()


@pytest.mark.parametrize(
    "width, resolution, size", [(90, 1024, 128), (291, 1024, 512), (3000, 1024, 1024), (200, 64, 64)]
)
def test_crops_are_decoded_no_larger_than_the_face(width, resolution, size):
    assert decoding_size(width, resolution) == size
