"""Edits that a text asks for: optimisation, mappers, global directions."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F
from conftest import tiny_weights
from safetensors import safe_open
from torch import nn

from dynode import cli, generators
from dynode.clips import Clip
from dynode.editing import editors, styleclip, styleclip_direction, text_edit
from dynode.editing.styleclip import Mapper, MapperSettings, OptimisationSettings, optimise, row_groups
from dynode.editing.styleclip_direction import DirectionSettings
from dynode.errors import UserError
from dynode.generators.protocol import StyleLayer
from dynode.settings import changed
from dynode.training import train_mapper
from dynode.training.train_mapper import MapperTrainingSettings

COLOURS = {"red": 0, "green": 1, "blue": 2}


class Colours(nn.Module):
    """An image-text part that knows three colours: how much of each there is in a picture."""

    name = "colours"

    def images(self, images):
        return F.normalize(images.mean((2, 3)) + 1, dim=1)

    def texts(self, texts):
        words = [text.split()[-1] for text in texts]
        return F.one_hot(torch.tensor([COLOURS[word] for word in words]), 3).float()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"), "scene", z_dim=8)


@pytest.fixture(scope="module")
def tiny(path):
    return generators.load(path)


def agreement(generator, ws, text):
    with torch.no_grad():
        return (Colours().images(generator.synthesis(ws)) @ Colours().texts([text]).T)[:, 0]


def test_the_rate_rises_and_falls_as_published():
    s = OptimisationSettings()
    rates = [s.rate(step) for step in range(300)]
    assert rates[0] == 0 and rates[15] == max(rates) == pytest.approx(0.1) and rates[200] == pytest.approx(0.1)
    assert rates[7] == pytest.approx(0.1 * 7 / 15) and rates[299] < 1e-3


def test_optimisation_moves_towards_the_text_and_stays_near(tiny):
    ws = tiny.mapping(torch.randn(3, 8, generator=torch.Generator().manual_seed(1)), 0.7)
    few = OptimisationSettings(steps=25)
    free, bound = (optimise(ws, "red", tiny, Colours(), changed(few, {"stay": stay})) for stay in (0.0, 10.0))
    assert (agreement(tiny, free, "red") > agreement(tiny, ws, "red") + 0.02).all()
    assert (bound - ws).norm() < 0.2 * (free - ws).norm()


def test_optimisation_keeps_identity_where_it_is_asked_to(tiny):
    def who(images):  # two colours tell who it is
        return F.normalize(images.mean((2, 3))[:, :2] + 2, dim=1)

    ws = tiny.mapping(torch.randn(2, 8, generator=torch.Generator().manual_seed(2)), 0.7)
    kept = []
    for weight in (0.0, 30.0):
        moved = optimise(ws, "red", tiny, Colours(), OptimisationSettings(25, stay=0.0, identity=weight), who)
        with torch.no_grad():
            kept.append((who(tiny.synthesis(moved)) * who(tiny.synthesis(ws))).sum(1).mean())
    assert kept[1] > kept[0]


def test_rows_fall_into_coarse_medium_and_fine():
    assert row_groups(18) == {"coarse": slice(0, 4), "medium": slice(4, 8), "fine": slice(8, 18)}
    assert row_groups(23) == {"coarse": slice(0, 5), "medium": slice(5, 11), "fine": slice(11, 23)}
    assert row_groups(10) == {"coarse": slice(0, 4), "medium": slice(4, 7), "fine": slice(7, 10)}


def test_an_untaught_mapper_changes_nothing_and_groups_can_be_left_out():
    ws = torch.randn(2, 6, 12)
    assert torch.equal(Mapper(MapperSettings("red"), 6, 12).edit(ws, 1.0), ws)
    middle = Mapper(MapperSettings("red", coarse=False, fine=False), 6, 12)
    nn.init.normal_(middle.networks["medium"][-2].weight, std=100)
    moved = middle.edit(ws, torch.tensor([1.0, 0.0]))
    assert torch.equal(moved[1], ws[1]) and torch.equal(moved[0, [0, 1, 4, 5]], ws[0, [0, 1, 4, 5]])
    assert (moved[0, 2:4] != ws[0, 2:4]).all()
    assert torch.equal(middle.edit(ws, 1.0, rows=3)[:, 3:], ws[:, 3:])
    assert torch.allclose(middle.edit(ws, 2.0) - ws, 2 * (middle.edit(ws, 1.0) - ws), atol=1e-5)
    with pytest.raises(UserError, match="at least one"):
        Mapper(MapperSettings("red", coarse=False, medium=False, fine=False), 6, 12)


@pytest.fixture(scope="module")
def taught(path, tmp_path_factory):
    file = tmp_path_factory.mktemp("mappers") / "tiny.red.safetensors"
    settings = MapperTrainingSettings(MapperSettings("red", width=8), batch=4, steps=60, stay=0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_mapper.networks, "load", lambda *a: Colours())  # of whose texts nobody else knows anything
        card = train_mapper.train_text_mapper(path, settings, file)
    return file, card


def test_a_mapper_learns_its_text_and_is_named_after_its_teacher(taught, tiny):
    file, card = taught
    mapper = editors.load(f"styleclip:{file}", tiny)
    assert mapper.name == "styleclip[colours]:red" and card["teacher"] == "colours"
    ws = tiny.mapping(torch.randn(16, 8, generator=torch.Generator().manual_seed(5)), 0.7)
    rise = [(agreement(tiny, mapper.edit(ws, a), "red") - agreement(tiny, ws, "red")).mean() for a in (0.5, 1.0)]
    assert 0.01 < rise[0] < rise[1]
    assert card["quality"]["behind"] > card["quality"]["before"] + 0.02
    with safe_open(file, "pt") as file:
        assert json.loads(file.metadata()["generator"])["hash"] == tiny.hash


def test_a_mapper_of_other_weights_is_refused(taught, tiny, monkeypatch):
    monkeypatch.setattr(tiny, "hash", "0123456789ab")
    with pytest.raises(UserError, match="train mapper"):
        styleclip.load(taught[0], tiny)


def test_training_goes_on_from_its_checkpoint(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(train_mapper, "CHECKPOINT_SECONDS", 0)
    settings = MapperTrainingSettings(MapperSettings("red", width=4), batch=1, steps=6)
    first, again = (Mapper(settings.mapper, 6, 12) for _ in range(2))
    held = tmp_path / "m.checkpoint"
    train_mapper.fit_mapper(first, tiny, Colours(), settings, checkpoint=held)
    job = train_mapper.job_key(settings, tiny, Colours())
    assert train_mapper.resume(again, held, job) == 6
    assert torch.allclose(first.networks["fine"][0].weight, again.networks["fine"][0].weight, rtol=1e-3, atol=0.1)
    teacher, other = Colours(), copy.copy(tiny)
    teacher.name, other.hash = "clip", "another"
    faster = changed(settings, {"lr": 1.0})
    for parts in ((faster, tiny, Colours()), (settings, other, Colours()), (settings, tiny, teacher)):
        assert train_mapper.resume(again, held, train_mapper.job_key(*parts)) == 0


def test_strength_one_may_stand_for_a_share_of_what_was_taught(taught, tiny):
    mapper, ws = styleclip.load(taught[0], tiny), torch.randn(3, 6, 12)
    whole = mapper.offset(ws)
    train_mapper.rescale(mapper, 0.5)
    assert torch.allclose(mapper.offset(ws), whole / 2, atol=1e-6)


def test_a_shipped_mapper_raises_mountains_by_the_judgement_of_another_network():
    from dynode.perception import factor_reader

    generator = generators.load("stylegan2-scene-factors")
    mapper, reader = editors.load("styleclip:mountain", generator), factor_reader.shipped("scene")
    assert mapper.name == "styleclip[captions[alexnet]]:mountain"
    ws = generator.mapping(torch.randn(16, generator.z_dim, generator=torch.Generator().manual_seed(7)), 0.7)
    with torch.no_grad():
        heights = [
            reader(generator.synthesis(each))["mountain"].softmax(1) @ torch.arange(4.0)
            for each in (ws, mapper.edit(ws, 1.0))
        ]
    assert (heights[1] - heights[0]).mean() > 0.5


def test_codes_to_learn_from_mix_their_groups(tiny):
    ws = train_mapper.random_codes(tiny, 40, MapperTrainingSettings(mixed=0.5), torch.Generator().manual_seed(0))
    differs = (ws[:, 0] != ws[:, 5]).any(1)
    assert 10 < differs.sum() < 30 and (ws[:, 0] == ws[:, 1]).all()


class Planted(nn.Module):
    """Two rows of W+, four style channels each: channel 1 of row 0 is the picture's red, of row 1 that of the colours' layer."""

    name, hash, z_dim, w_dim, num_ws, resolution = "planted", "", 4, 4, 2, 64

    def __init__(self):
        super().__init__()
        self.register_buffer("w_avg", torch.zeros(4))
        self.register_buffer("mix", torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(3)))[0])

    def mapping(self, z, truncation_psi=1.0):
        return (truncation_psi * z)[:, None].expand(-1, 2, -1)

    def to_style(self, ws):
        return (ws @ self.mix + 0.5).flatten(1)

    def style_layers(self):
        return [StyleLayer(0, 4, 8, False), StyleLayer(1, 4, 64, True)]

    def synthesis_from_style(self, s, resolution=None):
        red = 0.1 * (s[:, 1] + s[:, 5])
        colours = torch.stack([red, 0.01 * s[:, 2], torch.zeros_like(red)], 1)
        return colours[:, :, None, None].expand(-1, -1, 8, 8)

    def synthesis(self, ws, resolution=None):
        return self.synthesis_from_style(self.to_style(ws))


@pytest.mark.parametrize("relevance", ["difference", "gradient"])
def test_a_global_direction_finds_the_planted_channel(relevance):
    generator, settings = Planted(), DirectionSettings(relevance, images=6, beta=0.3)
    direction = styleclip_direction.global_direction(generator, Colours(), "red", "blue", settings)
    assert (direction.step[[0, 3]] == 0).all() and (direction.step[4:] == 0).all()  # the layer of colours may not move
    assert direction.step[1] > 3 * direction.step[2].abs()
    s = generator.to_style(generator.mapping(torch.randn(5, 4)))
    moved = direction.edit_styles(s, 2.0)
    images = [Colours().images(generator.synthesis_from_style(each)) for each in (s, moved)]
    assert (images[1][:, 0] > images[0][:, 0]).all()
    assert torch.allclose(direction.edit_styles(moved, -2.0), s, atol=1e-6)


def test_the_nearest_step_in_w_follows_where_it_can():
    generator = Planted()
    direction = styleclip_direction.global_direction(
        generator, Colours(), "red", "blue", DirectionSettings("gradient", images=4)
    )
    ws = generator.mapping(torch.randn(3, 4))
    followed = generator.to_style(direction.edit(ws, 1.5))
    assert torch.allclose(followed, direction.edit_styles(generator.to_style(ws), 1.5), atol=1e-4)
    assert direction.explained == pytest.approx(1.0, abs=1e-5) and "[w+, colours]" in direction.name


def test_what_makes_no_direction_is_refused():
    generator = Planted()
    with pytest.raises(UserError, match="the same to colours"):
        styleclip_direction.global_direction(generator, Colours(), "red", "red")
    with pytest.raises(UserError, match="lower beta"):
        settings = DirectionSettings("gradient", images=2, beta=1.5)
        styleclip_direction.global_direction(generator, Colours(), "red", "blue", settings)
    with pytest.raises(UserError, match="shows no style space"):
        styleclip_direction.global_direction(NoStyles(), Colours(), "red", "blue")
    with pytest.raises(UserError, match="did you mean 'gradient'"):
        DirectionSettings("gradients")


def test_a_direction_is_an_editor_by_its_two_texts(tiny, monkeypatch):
    monkeypatch.setattr(styleclip_direction.image_text, "load", lambda *a, **k: Colours())
    direction = editors.load("styleclip-direction:red/blue", tiny)
    assert direction.name == "style direction[w+, colours]:red" and 0 < direction.explained <= 1
    ws = tiny.mapping(torch.randn(8, 8, generator=torch.Generator().manual_seed(6)), 0.7)
    assert (agreement(tiny, direction.edit(ws, 1.0), "red") - agreement(tiny, ws, "red")).mean() > 0
    with pytest.raises(UserError, match="TARGET/NEUTRAL"):
        editors.load("styleclip-direction:red", tiny)


class NoStyles:
    name = "plain"


@pytest.fixture
def clip(path, tiny, tmp_path):
    ws = tiny.mapping(torch.randn(1, 8, generator=torch.Generator().manual_seed(4)), 0.7).repeat(3, 1, 1)
    meta = {"name": "c", "generator": path, "generator_hash": tiny.hash}
    Clip(ws, torch.arange(3, dtype=torch.float64), meta=meta).save(tmp_path / "c.safetensors")
    return str(tmp_path / "c.safetensors")


@pytest.mark.parametrize("more", [["-p", "steps=3"], ["--neutral", "blue", "-p", "images=2", "-p", "beta=0"]])
def test_the_command_writes_a_pair_and_names_the_stand_in(clip, tmp_path, monkeypatch, capsys, more):
    monkeypatch.setattr(text_edit.networks, "load", lambda *a: Colours())
    out = tmp_path / "pair.png"
    assert cli.main(["edit-text", clip, "red", "-o", str(out), "--device", "cpu", *more]) == 0
    assert "[colours]:red" in capsys.readouterr().out and out.stat().st_size > 100


def test_mistakes_are_told_in_a_sentence(clip, path, capsys):
    assert cli.main(["edit-text", clip, "red", "--frame", "9"]) == 2
    assert "frames 0 to 2, got 9" in capsys.readouterr().err
    assert cli.main(["train", "mapper", path, "a purple cow", "--device", "cpu"]) == 2
    assert "No word of 'a purple cow' is known" in capsys.readouterr().err
    assert cli.main(["train", "mapper", path, "fog", "--image-text", "none.pt", "--device", "cpu"]) == 2
    assert "There is no file none.pt" in capsys.readouterr().err
