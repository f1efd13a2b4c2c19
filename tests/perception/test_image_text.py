"""Words for pictures, the network that learns them, and the way to CLIP."""

import math
import sys

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from dynode import cli
from dynode.editing.random_samples import ScoredSamples
from dynode.errors import UserError
from dynode.perception import caption_network, caption_vocabulary, clip_model, image_text
from dynode.perception.caption_network import CHANNELS, CaptionNetwork, CaptionSettings
from dynode.perception.caption_vocabulary import VOCABULARIES, Band
from dynode.perception.clip_model import MEAN, STD, CLIPModel, resized
from dynode.training import train_captions
from dynode.training.train_captions import (
    CaptionedPictures,
    CaptionTrainingSettings,
    band_accuracy,
    compose_captions,
    phrase_attributes,
    ranks,
)


@pytest.mark.parametrize("category", VOCABULARIES)
def test_each_phrase_is_of_one_attribute_and_is_read_back(category):
    known = caption_vocabulary.phrases(category)
    assert len(set(known)) == len(known)
    for phrase in known:
        assert caption_vocabulary.known_phrases(f"a picture: {phrase.upper()}!", known) == [phrase]
    assert phrase_attributes(category).sum(0).tolist() == [1] * len(known)


def test_the_longest_phrase_is_read_and_negations_stay_whole():
    known = caption_vocabulary.phrases("face")
    read = caption_vocabulary.known_phrases("A smiling young woman, without lipstick", known)
    assert read == ["smiling", "young", "woman", "without lipstick"]
    assert caption_vocabulary.unknown_words("a purple young woman", known) == ["purple"]
    assert caption_vocabulary.attributes_in("face", "smiling, red lips") == ["smile", "lipstick"]
    assert (
        caption_vocabulary.attributes_in("face", "purple") == [] == caption_vocabulary.attributes_in("bird", "a tail")
    )
    with pytest.raises(UserError, match="'lipstik' is known, did you mean 'lipstick'; known are .* more"):
        caption_vocabulary.known_phrases("lipstik", known)


def test_bands_hold_their_levels_around_the_end_of_a_circle_too():
    levels = torch.tensor([0.0, 0.1, 0.5, 0.95, math.nan])
    assert Band(0.9, 0.2, ()).holds(levels).tolist() == [True, True, False, True, False]
    assert Band(0.1, 0.5, ()).holds(levels).tolist() == [False, True, True, False, False]
    night, dawn, day, dusk = caption_vocabulary.SCENE["hour"]
    hours = torch.tensor([0.0, 6.0, 12.0, 18.0]) / 24
    assert [band.holds(hours).tolist().index(True) for band in (night, dawn, day, dusk)] == [0, 1, 2, 3]
    cube = caption_vocabulary.true_phrases(
        "isaac3d", {name: torch.tensor([0.0]) for name in caption_vocabulary.ISAAC3D}
    )[0]
    assert (
        cube[caption_vocabulary.phrases("isaac3d").index("cube")]
        and not cube[caption_vocabulary.phrases("isaac3d").index("ball")]
    )


def test_ranks_are_shares_and_leave_out_what_is_unknown():
    assert ranks(torch.tensor([3.0, math.nan, -1.0, 7.0])).nan_to_num(-1).tolist() == [0.5, -1, 0, 1]


def test_captions_say_what_is_true_once_an_attribute():
    owner, draws = phrase_attributes("face"), torch.Generator().manual_seed(0)
    true = torch.rand(200, owner.shape[1], generator=draws) < 0.3
    bags = compose_captions(true, owner, 0.5, draws)
    assert not (bags.bool() & ~true).any() and (bags @ owner.float().T).amax() == 1
    could = (true.float() @ owner.float().T > 0).float().sum()
    assert 0.4 < bags.sum() / could < 0.6
    everything = compose_captions(true, owner, 1.0, draws)
    assert torch.equal(everything @ owner.float().T > 0, true.float() @ owner.float().T > 0)


def planted(n: int, network: CaptionNetwork, seed: int) -> CaptionedPictures:
    """Features whose channels carry the levels of a scene, in some cells only, in noise."""
    draws = torch.Generator().manual_seed(seed)
    names = list(caption_vocabulary.SCENE)
    levels = torch.rand(n, len(names), generator=draws)
    maps = torch.randn(len(names) + 1, sum(CHANNELS.values()), generator=torch.Generator().manual_seed(9))
    angles = 2 * math.pi * levels[:, :1]
    signals = torch.cat([angles.sin(), angles.cos(), 2 * levels[:, 1:] - 1], 1) @ maps
    features = torch.randn(n, sum(CHANNELS.values()), 2, 2, generator=draws)
    features[:, :, 0, 1] += signals
    return CaptionedPictures(
        features, caption_vocabulary.true_phrases("scene", {name: levels[:, k] for k, name in enumerate(names)})
    )


@pytest.fixture(scope="module")
def taught():
    torch.manual_seed(0)
    settings = CaptionTrainingSettings(CaptionSettings("scene", grid=2), batch=64, steps=120)
    network = CaptionNetwork(settings.network)
    train_captions.fit_network(network, planted(1000, network, 0), settings)
    return network.eval().requires_grad_(False)


def test_the_network_learns_planted_attributes(taught):
    quality = train_captions.measure(taught, planted(300, taught, 1))
    assert min(quality.values()) > 0.85
    torch.manual_seed(1)
    chance = train_captions.measure(CaptionNetwork(taught.settings), planted(300, taught, 1))
    assert 0.2 < sum(chance.values()) / len(chance) < 0.8


def test_texts_are_bags_of_words_and_pictures_unit_vectors(taught):
    one, other, foggy = taught.texts(["a mountain at night", "at night: mountain", "a mountain in fog"])
    assert torch.allclose(one, other) and one @ foggy < 0.99
    images = torch.rand(2, 3, 64, 64).requires_grad_(True)
    embedded = taught.images(images)
    assert torch.allclose(embedded.norm(dim=1), torch.ones(2), atol=1e-5)
    embedded[:, 0].sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_saved_network_keeps_its_words_whatever_the_table_says_later(taught, tmp_path, monkeypatch):
    caption_network.save(taught, tmp_path / "c.safetensors", {"name": taught.name})
    monkeypatch.setitem(caption_vocabulary.VOCABULARIES, "scene", {"fog": (caption_vocabulary.more("fog"),)})
    back = caption_network.load(tmp_path / "c.safetensors")
    assert back.phrases == taught.phrases and caption_network.card(tmp_path / "c.safetensors") == {
        "name": "captions[alexnet]"
    }
    text = ["low hill at night"]
    assert torch.allclose(back.texts(text), taught.texts(text), atol=1e-2)


def test_samples_are_ranked_by_their_scores_and_the_last_tenth_is_held_out(monkeypatch):
    class Faces(CaptionNetwork):  # without its own AlexNet
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.settings = CaptionSettings("face")

        def features(self, images):
            return images[:, :, :1, :1]

    scores = torch.arange(20.0)[:, None].expand(-1, len(caption_vocabulary.FACE))
    names = tuple(caption_vocabulary.FACE)
    monkeypatch.setattr(train_captions.generators, "load", lambda *a: None)
    monkeypatch.setattr(
        train_captions.random_samples, "scored", lambda *a, **k: ScoredSamples(names, torch.zeros(20, 1), scores)
    )
    monkeypatch.setattr(train_captions.random_samples, "pictures", lambda *a: iter(torch.rand(2, 10, 3, 4, 4)))
    embedded, held_out = train_captions.sample_pictures(Faces(), 20)
    assert embedded.features.shape == (18, 3, 1, 1) and len(held_out.true) == 2
    smiles, serious = (caption_vocabulary.phrases("face").index(phrase) for phrase in ("smiling", "serious"))
    assert embedded.true[:6, serious].all() and not embedded.true[6:, serious].any() and held_out.true[:, smiles].all()


def test_telling_apart_is_counted_in_pairs():
    agrees = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.0, 0.0]])
    true = torch.tensor([[True, False], [False, True], [True, False], [False, False]])
    assert band_accuracy(agrees, true, [0, 1]) == pytest.approx(2 / 3)
    assert band_accuracy(agrees, true, [0]) == 1.0  # .9 and .3 are above .2 and 0


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """A CLIP of one layer a tower with random weights, and its archive."""
    open_clip = pytest.importorskip("open_clip", reason="the extra clip is not installed")
    torch.manual_seed(0)
    vision, text = {"layers": 1, "width": 64, "patch_size": 32}, {"layers": 1, "width": 64, "heads": 1}
    network = open_clip.CLIP(16, vision, text, quick_gelu=True).eval()
    path = tmp_path_factory.mktemp("clip") / "ViT-tiny.pt"
    shown = {"encode_image": torch.zeros(1, 3, 224, 224), "encode_text": torch.zeros(1, 77, dtype=torch.long)}
    torch.jit.trace_module(network, shown).save(path)
    return network, path


def test_clip_is_taken_from_the_users_file(tiny_clip, monkeypatch, tmp_path):
    network, path = tiny_clip
    part = CLIPModel(path)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, STD))
    with torch.no_grad():
        wanted = network.encode_image(((resized(images) + 1) / 2 - mean) / std)
    assert torch.allclose(part.images(images), F.normalize(wanted, dim=1), atol=1e-5)
    save_file(network.state_dict(), tmp_path / "same.safetensors")
    assert torch.equal(CLIPModel(tmp_path / "same.safetensors").images(images), part.images(images))
    monkeypatch.setenv("DYNODE_CLIP", str(path))
    assert image_text.load("face").name == "clip[ViT-tiny]"


def test_texts_are_those_of_clips_own_tokens(tiny_clip):
    network, path = tiny_clip
    part = CLIPModel(path)
    tokens = torch.zeros(1, 77, dtype=torch.long)
    tokens[0, :5] = torch.tensor([49406, 320, 1125, 539, 49407])  # a photo of: start, three words, end
    with torch.no_grad():
        wanted = F.normalize(network.encode_text(tokens), dim=1)
    assert torch.allclose(part.texts(["A  photo of"]), wanted, atol=1e-5)
    assert not torch.allclose(part.texts(["a photo"]), wanted, atol=1e-3)
    for text in (" ", "word " * 76):
        with pytest.raises(UserError, match="1 to 75 tokens, got"):
            part.texts(["a photo", text])


@pytest.mark.parametrize("prefix", ["", "visual."])
def test_a_network_has_the_depth_of_its_weights(prefix):
    state = {f"{prefix}transformer.resblocks.{k}.ln_1.bias": torch.zeros(1) for k in range(3)}
    assert clip_model.depth_of(state, f"{prefix}transformer") == 3


def test_without_open_clip_a_sentence_says_what_brings_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UserError, match=r"`pip install 'dynode\[clip\]'` brings it"):
        CLIPModel(tmp_path / "ViT-B-32.pt")


@pytest.mark.parametrize("size", [64, 96, 256])
def test_images_come_to_224_pixels_as_styleclip_brings_them_there(size):
    images = torch.randn(1, 3, size, size)
    literal = F.avg_pool2d(F.interpolate(images, scale_factor=7), size // 32)
    assert torch.allclose(resized(images), literal, atol=1e-5)


def test_what_is_no_clip_is_refused(tmp_path):
    pytest.importorskip("open_clip", reason="the extra clip is not installed")
    with pytest.raises(UserError, match="There is no file"):
        CLIPModel(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no archive")
    with pytest.raises(UserError, match="no TorchScript"):
        CLIPModel(tmp_path / "text.pt")
    torch.jit.trace(torch.nn.Linear(1, 1), torch.zeros(1, 1)).save(tmp_path / "other.pt")
    with pytest.raises(UserError, match="holds no CLIP"):
        CLIPModel(tmp_path / "other.pt")


def test_a_category_without_words_is_told(capsys):
    assert cli.main(["train", "captions", "fase"]) == 2
    assert "did you mean 'face'" in capsys.readouterr().err
    with pytest.raises(UserError, match="network of 'bird'"):
        image_text.load("bird")


def test_the_shipped_network_tells_scenes_apart():
    from dynode.worlds import world

    part, scene = image_text.load("scene"), world("scene")
    factors = scene.sample(1, seed=3).repeat(4, 1)
    named = {factor.name: k for k, factor in enumerate(scene.factors)}
    factors[:, named["hour"]] = torch.tensor([12.0, 0.0, 12.0, 12.0])
    factors[:, named["fog"]] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    factors[:, named["mountain"]] = torch.tensor([1.0, 1.0, 1.0, 0.0])
    embedded = part.images(scene.images(factors, 64))
    said = part.texts(
        [
            "by day, no fog, mountain",
            "at night, no fog, mountain",
            "by day in fog, mountain",
            "by day, no fog, low hill",
        ]
    )
    assert (embedded @ said.T).argmax(1).tolist() == [0, 1, 2, 3]
