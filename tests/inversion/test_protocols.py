"""Protocols: what a code may depend on, tested by noise in place of the frames that it may not."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import tiny_weights
from films import written

from dynode import clips, fit, generators
from dynode.clips import Clip
from dynode.errors import Remark, UserError
from dynode.inversion import aligned_video, invert_frames, protocols
from dynode.inversion.frame_sources import FrameSource, from_track
from dynode.inversion.observer import NoObserver
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection, Projector
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.inversion.protocols import Protocol
from dynode.io import assets
from dynode.io.video import Stretch
from dynode.perception.face_detection import Face
from dynode.perception.lpips import LPIPS
from dynode.settings import changed
from dynode.worlds import WORLDS

FRAMES, STRIDE = 10, 4
OBSERVED = [0, 4, 8, 9]
HELD_OUT = sorted({*range(FRAMES)} - {*OBSERVED})
QUICK = ProjectionSettings(resolution=16, lpips_net="alex", lpips_resolution=64, first_steps=3, steps=2)
APART = changed(QUICK, {"start": "w_avg"})
SETTINGS = {"independent": APART, "observed": QUICK, "chain": QUICK}


def frame(k: int) -> np.ndarray:
    """A red disc that moves and grows over a textured ground."""
    y, x = np.mgrid[:64, :96]
    ground = np.random.default_rng(0).integers(40, 120, (64, 96, 3))
    disc = (x - 30 - 2.5 * k) ** 2 + (y - 32 - np.sin(k)) ** 2 < (9 + 0.3 * k) ** 2
    ground[disc] = [240, 60 + 6 * k, 90]
    return ground.astype(np.uint8)


def noise(k: int) -> np.ndarray:
    return np.random.default_rng(100 + k).integers(0, 256, (64, 96, 3), dtype=np.uint8)


def film(path, noisy=(), frames=FRAMES):
    """A lossless film, each frame stored by itself, where some frames are replaced by noise."""
    shown = [noise(k) if k in noisy else frame(k) for k in range(frames)]
    return written(path, shown, codec="ffv1", pix_fmt="bgr0")


def red_discs(image: np.ndarray) -> list[Face]:
    """A detector of what is red; in noise it detects a large face somewhere, or none."""
    y, x = np.nonzero((image[..., 0] > 200) & (image[..., 1] < 180))
    if not len(x):
        return []
    centre, width = np.array([x.mean(), y.mean()]), 2 * len(x) ** 0.5
    if x.std() > 20:  # noise
        centre, width = centre + image[0, 0, :2] / 16, 40.0 + image[0, 1, 0] / 16
        if image[0, 0, 2] < 128:
            return []
    upright = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0], [-0.15, 0.2], [0.15, 0.2]])
    return [Face(np.array([*(centre - width / 2), *(centre + width / 2)]), upright * width + centre)]


@pytest.fixture(scope="module")
def inverted(tmp_path_factory):
    """`invert`, of a small generator that passes for one of faces, with the detector above; without noise once."""
    folder, kept = tmp_path_factory.mktemp("inverted"), {}
    weights = tiny_weights(folder, "scene")

    def run(protocol: str, noisy=(), settings=None, **options) -> Clip:
        path, key = film(folder / "film.mkv", noisy), (protocol, settings, *options.values())
        chosen = {"settings": settings or SETTINGS[protocol], "protocol": protocol, "generator": weights}
        if not noisy and key in kept:
            return kept[key]
        kept[key] = invert_frames.invert(path, folder / "clip.safetensors", **chosen | options)
        return kept.pop(key) if noisy else kept[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(invert_frames.generators, "category_of", lambda name: "face")
        patched.setattr(invert_frames, "FaceDetector", lambda device: red_discs)
        patched.setattr(
            invert_frames, "Identity", lambda: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        )
        yield run


def same(a: Clip, b: Clip, frames) -> bool:
    """Whether codes, squares and marks of some frames are the same, bit for bit."""
    return all(torch.equal(getattr(a, name)[frames], getattr(b, name)[frames]) for name in ("ws", "quads", "observed"))


def test_noise_in_held_out_frames_changes_no_observed_code_square_or_fit(inverted):
    clean, noisy = inverted("observed"), inverted("observed", HELD_OUT)
    assert clean.observed.nonzero().flatten().tolist() == OBSERVED and clean.protocol == "observed"
    assert torch.equal(clean.ts, noisy.ts) and torch.equal(clean.shots, noisy.shots)
    assert same(clean, noisy, OBSERVED) and not torch.equal(clean.ws[HELD_OUT], noisy.ws[HELD_OUT])
    at = torch.linspace(0, float(clean.ts[-1]), 40)
    for method in ("linear", "cubic", "gp"):
        assert torch.equal(fit(clean.sampled("regular", STRIDE), method)(at), fit(noisy, method)(at))


NOISY = {"code_noise": 0.05, "stop_loss": 0.5, "conjugate_steps": 2}  # what earlier frames could have a part in


@pytest.mark.filterwarnings("ignore::dynode.errors.Remark")
@pytest.mark.parametrize("replaced, change", [([5], {}), ([0], {}), ([FRAMES - 1], NOISY), (HELD_OUT, NOISY)])
def test_noise_in_a_frame_changes_no_other_independent_code_or_square(inverted, replaced, change):
    settings = changed(APART, change)
    clean, noisy = inverted("independent", settings=settings), inverted("independent", replaced, settings=settings)
    others = sorted({*range(FRAMES)} - {*replaced})
    assert torch.equal(clean.ts, noisy.ts) and clean.observed.all() and set(noisy.shots.tolist()) == {0}
    assert same(clean, noisy, others) and not torch.equal(clean.quads[replaced], noisy.quads[replaced])


def test_a_frame_without_the_face_changes_no_other_code_of_a_batch(tmp_path):
    """Rounding alone may differ: of frames 1 and 3 the neighbours in the batch do."""
    weights = tiny_weights(tmp_path, "scene")
    network, settings = generators.load(weights), changed(APART, {"batch": 2, "code_noise": 0.5})
    projector = Projector(network, LPIPS("alex"), settings)
    codes = []
    for detected in ([1, 1, 1, 1], [0, 1, 1, 1]):
        source, folder = source_of([0] * 4, [1] * 4, detected), tmp_path / str(detected[0])
        pictures = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        source = dataclasses.replace(source, images=lambda indices, size, all=pictures: iter(all[indices]))
        partial = Partial(folder / "c.safetensors", {})
        invert_frames.project_all(projector, source, partial, settings, NoObserver())
        codes.append(torch.stack([each.ws for each in partial.done]))
    assert torch.allclose(codes[0][1:], codes[1], atol=1e-4)


def test_in_a_chain_noise_in_held_out_frames_reaches_observed_ones(inverted):
    clean, noisy = inverted("chain"), inverted("chain", [5])
    assert clean.protocol == "chain" and not same(clean, noisy, [8])
    assert not torch.equal(clean.quads[[4]], noisy.quads[[4]])  # smoothed over all frames


def test_a_protocol_follows_from_the_settings_where_none_is_named(inverted):
    apart = inverted("", settings=APART)
    assert apart.protocol == "independent" and same(apart, inverted("independent"), range(FRAMES))
    names = [protocols.chosen("", stride, settings) for stride, settings in ((0, QUICK), (3, QUICK), (0, APART))]
    assert names == [Protocol("chain"), Protocol("observed", 3), Protocol("independent")]


class Noting:
    """A projector that notes from which code each projection starts; the k-th code is k everywhere."""

    def __init__(self):
        self.starts: list[int | None] = []

    def frames(self, images, previous, callback):
        self.starts.append(None if previous is None else int(previous.ws[0, 0]))
        return [Projection(torch.full((2, 3), float(len(self.starts) - 1)), 0.1, 0.2, 0.3)]


def source_of(shots, observed, detected=None) -> FrameSource:
    n = len(shots)
    detected = np.ones(n, dtype=bool) if detected is None else np.array(detected, dtype=bool)
    drawn: list[int] = []

    def images(indices, size):
        drawn.extend(indices)
        yield from (torch.zeros(3, size, size) for _ in indices)

    source = FrameSource(
        np.arange(n) / 10, detected, np.array(shots), None, np.array(observed, bool) & detected, images
    )
    source.__dict__["drawn"] = drawn
    return source


def test_observed_frames_come_first_and_held_out_ones_start_from_the_observed_one_before(tmp_path):
    source = source_of([0] * 4 + [1] * 3, [1, 0, 0, 1, 1, 0, 1], [1, 0, 1, 1, 1, 1, 1])
    noting, partial = Noting(), Partial(tmp_path / "c.safetensors", {})
    invert_frames.project_all(noting, source, partial, QUICK, NoObserver())
    assert source.__dict__["drawn"] == [0, 3, 4, 6, 2, 5]
    assert noting.starts == [None, 0, None, 2, 0, 2]  # codes by the order of their projection
    clip = invert_frames.assembled(source, partial, {"name": "two"}, "cpu", 0)
    assert clip.ws[:, 0, 0].tolist() == [0, 2, 4, 1, 2, 5, 3]  # frame 1, which is not detected, lies between 0 and 4
    again = source_of([0] * 4 + [1] * 3, [1, 0, 0, 1, 1, 0, 1], [1, 0, 1, 1, 1, 1, 1])
    (partial.folder / "000005.safetensors").unlink()
    invert_frames.project_all(noting, again, Partial(tmp_path / "c.safetensors", {}), QUICK, NoObserver())
    assert again.__dict__["drawn"] == [5]


def test_frames_without_the_face_are_marked_and_none_is_left_out(tmp_path):
    shown = [0 * frame(k) if k in (0, 1, 4) else frame(k) for k in range(6)]
    path = written(tmp_path / "dark.mkv", shown, codec="ffv1", pix_fmt="bgr0")
    track, observed = aligned_video.align_face(path, Stretch(), Protocol("independent"), "largest", red_discs)
    assert len(track) == 6 and track.detected.tolist() == observed.tolist() == [False, False, True, True, False, True]
    partial, source = Partial(tmp_path / "c.safetensors", {}), from_track(track, path)
    invert_frames.project_all(Noting(), source, partial, QUICK, NoObserver())
    clip = invert_frames.assembled(source, partial, {"name": "dark"}, "cpu", 0)
    assert clip.ws[:, 0, 0].tolist() == pytest.approx([0, 0, 0, 1, 1.5, 2]) and torch.equal(
        clip.observed, clip.detected
    )


def aligned(shown, protocol, tmp_path):
    path = written(tmp_path / "cut.mkv", shown, codec="ffv1", pix_fmt="bgr0")
    return aligned_video.align_face(path, Stretch(), protocol, "largest", red_discs)


def test_cuts_are_looked_for_between_observed_frames_and_frames_around_one_are_left_out(tmp_path):
    shown = [frame(k) for k in range(18)]
    for each in shown[9:]:
        each[each[..., 0] < 200] = [30, 200, 220]
    track, observed = aligned(shown, Protocol("observed", 4), tmp_path)
    kept = np.round(track.ts * 25).astype(int).tolist()
    assert kept == [*range(9), *range(12, 18)] and observed.nonzero()[0].tolist() == [0, 4, 8, 9, 13, 14]
    assert track.shots.tolist() == [0] * 9 + [1] * 6
    with pytest.warns(Remark, match="seems to have cuts before frames 9 of those taken"):
        track, _ = aligned(shown, Protocol("independent"), tmp_path)
    assert set(track.shots) == {0} and len(track) == 18


@pytest.mark.parametrize("replaced", [HELD_OUT, []])
def test_the_centre_of_a_video_has_shots_of_observed_frames_alone(tmp_path, replaced):
    path = film(tmp_path / "film.mkv", replaced)
    track, observed = aligned_video.align_centre(path, Stretch(), Protocol("observed", STRIDE))
    assert observed.nonzero()[0].tolist() == OBSERVED and set(track.shots) == {0} and track.detected.all()


def test_an_episode_is_inverted_by_each_protocol(tmp_path):
    weights, episode = tiny_weights(tmp_path, "scene"), WORLDS["scene"].episode("day", 0, 0.6)
    made = {}
    for name, settings in SETTINGS.items():
        options = {"fps": 10, "settings": settings, "generator": weights, "protocol": name}
        made[name] = invert_frames.invert_episode(episode, tmp_path / f"{name}.safetensors", **options)
        assert made[name].protocol == name
    assert made["observed"].observed.tolist() == [True, False, False, False, True, True]
    assert made["chain"].observed.all() and not torch.equal(made["chain"].ws, made["observed"].ws)
    assert torch.equal(made["chain"].ws[0], made["observed"].ws[0])


def test_codes_of_observed_frames_allow_no_other_sampling(tiny_clip):
    meta = tiny_clip.meta | {"protocol": "observed", "stride": 2}
    clip = Clip(tiny_clip.ws, tiny_clip.ts, tiny_clip.observed, meta=meta)
    assert torch.equal(clip.sampled("regular", 2).observed, clip.observed)
    for sampling in (("regular", 3), ("irregular", 4), ("regular", 2, 0, 2)):
        with pytest.raises(UserError, match="exactly those frames") as refusal:
            clip.sampled(*sampling)
        assert str(refusal.value).endswith(".")
    assert clip.observations().sampled("regular", 2).observed.sum() < clip.observed.sum()  # a choice inside of them


def test_shipped_codes_are_named_after_how_they_were_made():
    by_name = {name: clips.load(name).protocol for name in clips.shipped_names()}
    chains = {"single_face.warm", "bird.flight", "scene.day"}
    assert {by_name[name] for name in chains} == {"chain"} and "protocol chain>" in repr(clips.load("bird.flight"))
    assert by_name["single_face.independent"] == clips.SMOOTHED == "independent codes, smoothed alignment"
    assert {by_name[name] for name in by_name if name.endswith(".encoder")} == {"independent"}
    assert by_name["bird.beats"] == "independent" and by_name["scene.flow"] == ""


@pytest.mark.parametrize(
    "name, stride, settings, told",
    [
        ("chains", 0, QUICK, "no protocol 'chains', did you mean 'chain'"),
        ("chain", 0, APART, "from the one before it, got start=w_avg"),
        ("observed", 4, APART, "from the one before it, got start=w_avg"),
        ("independent", 0, QUICK, "each frame by itself, got start=previous"),
        ("independent", 4, APART, "belongs to the protocol observed"),
        ("chain", 4, QUICK, "belongs to the protocol observed"),
        ("observed", -1, QUICK, "at least 2, got -1"),
        ("observed", 1, QUICK, "at a stride of 1 none is"),
        ("independent", 0, changed(APART, {"batch": 2, "stop_loss": 0.1}), "choose batch=1"),
    ],
)
def test_a_protocol_that_the_settings_do_not_fit_is_refused_in_one_sentence(name, stride, settings, told):
    with pytest.raises(UserError, match=told) as refusal:
        protocols.chosen(name, stride, settings)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_few_steps_where_a_curvature_ships_and_others_where_none_does():
    assert protocols.settings_of("chain", QUICK, True, False) == QUICK
    few = protocols.settings_of("chain", QUICK, True, True)
    assert (few.start, few.optimiser, few.steps) == ("moved", "whitened", 16) and not few.independent
    assert invert_frames.usual_settings("", "mobilestylegan-ffhq").optimiser == "whitened"
    assert invert_frames.usual_settings("", "stylegan2-scene-factors").optimiser == "adam"


def test_a_start_that_is_wanted_has_the_settings_of_its_protocol():
    encoded = invert_frames.usual_settings("independent", "mobilestylegan-ffhq")
    assert invert_frames.usual_settings("", "mobilestylegan-ffhq", "encoder") == encoded
    for protocol in ("", "independent"):
        average = invert_frames.usual_settings(protocol, "mobilestylegan-ffhq", "w_avg")
        assert (average.start, average.optimiser, average.first_steps) == ("w_avg", "adam", 200)


def test_independent_frames_start_from_the_encoder_where_one_ships():
    assert protocols.settings_of("independent", QUICK, False, True) == APART
    encoded = protocols.settings_of("independent", QUICK, True, True)
    assert (encoded.start, encoded.first_steps, encoded.conjugate_steps) == ("encoder", 0, 10)
    assert invert_frames.usual_settings("independent", "stylegan2-scene-factors").start == "encoder"
    assert invert_frames.usual_settings("independent", "mobilestylegan-ffhq").start == "encoder"


def test_the_real_detector_gives_observed_squares_that_no_held_out_frame_changes(tmp_path):
    from dynode.io import video
    from dynode.perception.face_detection import FaceDetector

    images, _ = video.read(assets.fetch("carphone-video"), 9)
    rng, detector = np.random.default_rng(0), FaceDetector()
    replaced = [
        image if k % 4 == 0 else rng.integers(0, 256, image.shape, dtype=np.uint8) for k, image in enumerate(images)
    ]
    squares = {}
    for name, shown in (("clean", list(images)), ("noisy", replaced)):
        path = written(tmp_path / f"{name}.mkv", shown, codec="ffv1", pix_fmt="bgr0")
        for protocol in (Protocol("observed", 4), Protocol("independent"), Protocol("chain")):
            track, observed = aligned_video.align_face(path, Stretch(), protocol, "largest", detector)
            at = np.isin(np.round(track.ts * 25), [0, 4, 8])
            squares[name, protocol.name] = track.quads[at]
            assert protocol.name != "observed" or np.array_equal(observed, at)
    for name in ("observed", "independent"):
        assert np.array_equal(squares["clean", name], squares["noisy", name])
    assert not np.array_equal(squares["clean", "chain"], squares["noisy", "chain"])


def test_a_clip_says_in_which_precision_its_codes_were_computed(monkeypatch, tmp_path):
    device = torch.device("cpu")
    for fast, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(invert_frames.runtime, "fast_bfloat16", lambda _, fast=fast: fast)
        assert invert_frames.computed_in("bfloat16", device) == expected
        assert invert_frames.computed_in("float32", device) == "float32"
