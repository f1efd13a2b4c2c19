"""Attributes of pictures: networks of faces from their own weights, measures of landmarks and colours, factors of worlds."""

import json
import math

import pytest
import torch
from skimage.color import rgb2lab

from dynode import cli, generators, worlds
from dynode.editing import random_samples
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.tensor_files import read_metadata
from dynode.io.video import Stretch
from dynode.perception import attributes, face_api, face_api_layers, face_colours, face_geometry, face_tracking


@pytest.fixture(scope="module")
def scorer():
    return attributes.attribute_scorer("face")


@pytest.fixture(scope="module")
def portraits():
    """One man before and in the middle of his smile."""
    path = assets.fetch("single-face-video")
    return torch.stack([next(face_tracking.portraits(path, Stretch(first, 1))) for first in (0, 40)])


def head(yaw: float = 0.0, pitch: float = 0.0) -> torch.Tensor:
    """Landmarks (1, 68, 2) of the six-point head that the angles are meant for, turned (degrees), seen from afar."""
    tip_below, chin_below = face_geometry.LEVEL, 1.0
    solid = torch.zeros(68, 3)
    solid[36:42, 0], solid[42:48, 0] = -0.5, 0.5
    solid[30] = torch.tensor([0, tip_below * 1.6, face_geometry.NOSE])
    solid[8] = torch.tensor([0, chin_below * 1.6, 0.0])
    a, b = math.radians(yaw), math.radians(pitch)
    x = solid[:, 0] * math.cos(a) + solid[:, 2] * math.sin(a)
    y = solid[:, 1] * math.cos(b) - solid[:, 2] * math.sin(b)
    return torch.stack([x, y], 1)[None]


def test_padding_is_tensorflows():
    x = torch.ones(1, 1, 112, 111)
    assert face_api_layers.padded_same(x, 3, 2).shape == (1, 1, 113, 113)  # even: one row below; odd: one on both sides
    assert (
        face_api_layers.padded_same(x, 3, 2)[0, 0, 0, 1] == 1 and face_api_layers.padded_same(x, 3, 2)[0, 0, -1, 1] == 0
    )
    assert face_api_layers.padded_same(x, 3, 1).shape == (1, 1, 114, 113)
    assert face_api_layers.padded_same(x, 1, 2).shape == x.shape


def test_weights_that_are_left_over_or_missing_are_noticed(monkeypatch, tmp_path):
    manifest, weights = (assets.fetch(f"face-landmarks-{kind}") for kind in ("manifest", "weights"))
    longer = tmp_path / "longer.bin"
    longer.write_bytes(weights.read_bytes() + b"\0")
    monkeypatch.setattr(assets, "fetch", lambda name: manifest if name.endswith("manifest") else longer)
    with pytest.raises(ValueError, match="356840 bytes, its weights have 356841"):
        face_api.load_weights("face-landmarks")
    with pytest.raises(RuntimeError, match="size mismatch"):
        face_api_layers.DenseNet(7).load_state_dict(without_the_last_byte(longer, monkeypatch))


def without_the_last_byte(longer, monkeypatch):
    longer.write_bytes(longer.read_bytes()[:-1])
    return face_api.load_weights("face-landmarks")


def test_the_eyes_frame_forgets_place_size_and_slope():
    points = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(0))
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    moved = 0.3 * points @ turn + torch.tensor([0.2, -0.1])
    torch.testing.assert_close(
        face_geometry.in_eye_frame(moved), face_geometry.in_eye_frame(points), rtol=1e-3, atol=1e-3
    )
    left, right = face_geometry.eye_centres(face_geometry.in_eye_frame(points))
    torch.testing.assert_close(right - left, torch.tensor([[1.0, 0.0]] * 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("angle", [-30.0, 0.0, 20.0])
def test_a_turned_head_tells_its_angle(angle):
    turned = face_geometry.in_eye_frame(head(yaw=angle))
    assert face_geometry.yaw(turned).item() == pytest.approx(angle, abs=0.01)


def test_pitch_grows_as_the_head_looks_up_and_is_nothing_when_level():
    angles = [face_geometry.pitch(face_geometry.in_eye_frame(head(pitch=angle))).item() for angle in (-15, 0, 15)]
    assert angles[0] < -9 and angles[1] == pytest.approx(0, abs=1e-3) and angles[2] > 9


def test_lab_is_that_of_scikit_image():
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = torch.from_numpy(rgb2lab(((images[0] + 1) / 2).permute(1, 2, 0).numpy()))
    torch.testing.assert_close(face_colours.lab(images)[0].permute(1, 2, 0), wanted, atol=0.05, rtol=1e-3)


def test_a_line_across_the_nose_counts_as_a_frame():
    image = torch.zeros(1, 3, 256, 256)
    points = head() * 64 / 256 + 0.45
    bare = face_colours.eyeglasses(image, points)
    row = round(256 * 0.45)
    image[..., row : row + 3, :] = -1
    assert bare == 0 and face_colours.eyeglasses(image, points) > 2


def test_a_smile_is_seen_and_the_man_stays_himself(scorer, portraits):
    before, after = scorer(portraits)
    change = dict(zip(scorer.names, (after - before).tolist(), strict=True))
    assert change["smile"] > 0.25 and change["mouth_open"] > 0.05 and change["happy"] > 20 and change["neutral"] < -20
    assert abs(change["yaw"]) < 5 and abs(change["age"]) < 10 and abs(change["skin_brightness"]) < 5
    person = face_api.Recognition()(portraits)
    assert (person[0] - person[1]).norm() < face_api.Recognition.SAME


def test_landmarks_lie_on_the_face_and_move_with_it(scorer, portraits):
    points = scorer.landmarks(portraits)
    left, right = face_geometry.eye_centres(points)
    assert torch.allclose((left + right) / 2, torch.tensor([0.5, 0.47]), atol=0.03)  # where alignment puts them
    shifted = scorer.landmarks(torch.roll(portraits, 8, dims=3))
    assert (shifted - points)[..., 0].mean() == pytest.approx(8 / 256, abs=0.01)


def test_scores_have_names_and_gradients_and_are_nan_without_eyes(scorer, portraits, monkeypatch):
    assert scorer.names == tuple(attributes.ATTRIBUTES) and len(scorer.names) == 17
    images = portraits[:1].clone().requires_grad_()
    scorer(images)[0, 0].backward()
    assert images.grad.abs().sum() > 0
    monkeypatch.setattr(scorer.landmarks, "forward", lambda images: torch.full((len(images), 68, 2), 0.5))
    assert scorer(portraits).isnan().all()


def test_an_expected_class_goes_round_the_clock():
    shares = torch.tensor([[0.5, 0, 0, 0, 0, 0, 0, 0.5], [0, 0, 0, 1.0, 0, 0, 0, 0]])
    assert attributes.expected_class(shares, circular=True).tolist() == pytest.approx([7.5, 3.0])
    assert attributes.expected_class(shares, circular=False).tolist() == pytest.approx([3.5, 3.0])


def test_worlds_are_scored_by_their_readers():
    scorer, scene = attributes.attribute_scorer("scene"), worlds.world("scene")
    values, fog, hour = scene.sample(16), scorer.names.index("fog"), scorer.names.index("hour")
    classes = 4 * values[:, fog] - 0.5  # of four classes that share the range
    assert (scorer(scene.images(values, 64))[:, fog] - classes).abs().mean() < 0.4
    assert scorer.periods[hour] == 8 and scorer.periods.count_nonzero() == 1
    with pytest.raises(UserError, match="legal are face"):
        attributes.attribute_scorer("cathedral")


def test_scores_survive_eight_bits():
    scores = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 30.0, 0.01])
    scores[5, 1] = torch.nan
    back = random_samples.unpacked(random_samples.packed(scores))
    assert back[5, 1].isnan() and back.isnan().sum() == 1
    error = (back - scores).nan_to_num(0).abs() / scores.nan_to_num(0).std(0)
    assert 0 < error.max() < 0.02


def test_scored_samples_are_kept_and_shorter_requests_are_their_beginning(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    world = generators.load("stylegan2-isaac3d-factors")
    monkeypatch.setattr(random_samples, "shipped_scores", dict)
    ten = random_samples.scored(world, random_samples.SampleSettings(count=10, seed=3))
    monkeypatch.setattr(random_samples, "measure", None)  # nothing is measured again
    five = random_samples.scored(world, random_samples.SampleSettings(count=5, seed=3))
    assert torch.equal(five.scores, ten.scores[:5]) and torch.equal(five.w, ten.w[:5])
    assert torch.equal(five.scores_of("wall_color"), five.scores[:, five.names.index("wall_color")])
    with pytest.raises(UserError, match="did you mean 'wall_color'"):
        five.scores_of("wall_colour")


def test_scores_by_another_scorer_are_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    monkeypatch.setattr(random_samples, "shipped_scores", dict)
    world, few, measured = (
        generators.load("stylegan2-isaac3d-factors"),
        random_samples.SampleSettings(count=2, seed=3),
        [],
    )
    measure = random_samples.measure
    monkeypatch.setattr(
        random_samples, "measure", lambda *each, **named: measured.append(each) or measure(*each, **named)
    )
    for _ in range(2):
        random_samples.scored(world, few)
    assert len(measured) == 1
    other = [[score * 1.01 for score in row] for row in attributes.fingerprint("isaac3d")]
    monkeypatch.setattr(attributes, "fingerprint", lambda category: other)
    random_samples.scored(world, few)
    assert len(measured) == 2
    cached = random_samples.cache_folder(world, few) / "scores.safetensors"
    assert random_samples.read(cached, world, few) is not None
    cached.write_bytes(b"of another version")
    random_samples.scored(world, few)
    assert len(measured) == 3


def test_the_scores_that_ship_are_by_todays_scorers():
    """Where this fails the scorer has changed: `make editors` makes the scores, and what was learned from them, anew."""
    for name, path in random_samples.shipped_scores().items():
        stored = json.loads(read_metadata(path, random_samples.FORMAT, random_samples.WHAT)["fingerprint"])
        assert attributes.same_scorer(generators.category_of(name), stored)
    assert len({attributes.fingerprint(category) for category in ("face", "scene", "isaac3d")}) == 3


def test_every_attribute_of_faces_counts_in_the_fingerprint():
    """A scorer that measures any one attribute otherwise by 5 percent is another one; rounding makes no other."""
    known = attributes.fingerprint("face")

    def changed(k: int, by: float) -> list[list[float]]:
        return [[score * by if n == k else score for n, score in enumerate(row)] for row in known]

    for k in range(len(attributes.ATTRIBUTES)):
        assert not attributes.same_scorer("face", changed(k, 1.05))
        assert attributes.same_scorer("face", changed(k, 1.0001))


@pytest.mark.parametrize("arguments", [["nothing.png"], ["--frames", "-1", "a.png"], [__file__]])
def test_score_tells_mistakes_in_one_sentence(arguments, capsys):
    assert cli.main(["score", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("dynode: ") and message.count("\n") == 1
