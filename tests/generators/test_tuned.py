"""Tuned generators: a file that names its base, whose codes, editors, encoders and fits stay valid on it."""

import dataclasses

import pytest
import torch
from conftest import tiny_weights

import dynode
from dynode import generators
from dynode.editing import latent_transformer
from dynode.editing.latent_transformer import LatentTransformer, TransformerSettings
from dynode.errors import UserError
from dynode.generators import registry, tuned
from dynode.inversion import encoder_files as encoders
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.io.tensor_files import LOST, write_safetensors


@pytest.fixture
def tuning(tiny_clip, tmp_path):
    """A tuning of the small generator by random differences, those of convolutions as products."""
    generator, rng = generators.load(tiny_clip.meta["generator"]), torch.Generator().manual_seed(0)
    differences = {}
    for name, weight in tuned.weights_of(generator).items():
        if weight.dim() == 4:
            differences[name + tuned.LEFT] = 0.1 * torch.randn(len(weight), 1, generator=rng)
            differences[name + tuned.RIGHT] = torch.randn(1, weight[0].numel(), generator=rng)
        else:
            differences[name] = 0.1 * torch.randn(weight.shape, generator=rng)
    path = tmp_path / "t.tuning.safetensors"
    tuned.write(path, differences, generator.name, generator.hash, {"clip": {"name": "tiny"}})
    return tuned.read(path)


def test_a_tuned_generator_has_all_but_its_images_from_its_base(tiny_clip, tuning):
    name, path = tiny_clip.meta["generator"], str(tuning.path)
    base, changed = generators.load(name), generators.load(path)
    assert (changed.name, changed.hash) == (base.name, base.hash) and generators.hash_of(path) == generators.hash_of(
        name
    )
    assert tuned.hash_of(changed) == tuning.hash and tuned.hash_of(base) == ""
    assert generators.category_of(path) == "scene" and generators.resolution_of(path) == 16
    assert registry.code_shape_of(path) == (6, 12)
    z = torch.randn(2, 9)
    assert torch.equal(base.mapping(z), changed.mapping(z))
    moved = (base.synthesis(tiny_clip.ws) - changed.synthesis(tiny_clip.ws)).abs().mean()
    assert moved > 0.01 and not any(p.requires_grad for p in tuned.whole(changed).parameters())
    one_row = generators.load(f"{path}@w")
    assert torch.equal(one_row.synthesis(base.mapping(z)[:, :1]), changed.synthesis(base.mapping(z)))


def test_differences_come_back_within_the_bound_and_files_of_16_bits_are_read(tiny_clip, tmp_path):
    generator, rng = generators.load(tiny_clip.meta["generator"]), torch.Generator().manual_seed(0)
    named = {
        name: 0.1 * torch.randn(weight.shape, generator=rng) for name, weight in tuned.weights_of(generator).items()
    }
    tuned.write(tmp_path / "t.safetensors", named, generator.name, generator.hash, {})
    half = {name: value.half() for name, value in named.items()}
    whole = {"name": generator.name, "hash": generator.hash}
    write_safetensors(tmp_path / "half.safetensors", half, tuned.FORMAT, generator=whole, card={})
    before, stored, older = (tuned.weights_of(generators.load(each)) for each in paths_of(tiny_clip, tmp_path))
    for name, value in named.items():
        assert (stored[name] - before[name] - value).norm() < LOST * value.norm()
        assert torch.allclose(older[name] - before[name], value, atol=1e-3)


def paths_of(clip, folder):
    return clip.meta["generator"], f"{folder}/t.safetensors", f"{folder}/half.safetensors"


def test_codes_editors_encoders_and_fits_of_the_base_are_valid_on_it(tiny_clip, tuning, tmp_path):
    base, changed = generators.load(tiny_clip.meta["generator"]), generators.load(str(tuning.path))
    generators.require_same(str(tuning.path), tiny_clip.meta["generator_hash"], "The clip")
    editor = LatentTransformer(TransformerSettings("smile", 2), base.w_avg, base.w_std.mean(), 6)
    latent_transformer.save(editor, tmp_path / "smile.safetensors", base, {})
    assert latent_transformer.load(tmp_path / "smile.safetensors", changed) is not None
    encoder = Encoder(EncoderSettings(64, 8, 8), base)
    encoders.save(encoder, tmp_path / "e.safetensors", base.name, {})
    assert encoders.load(tmp_path / "e.safetensors", changed).generator[0] is changed
    fit = dynode.fit(tiny_clip, "linear")
    assert registry.name_for(fit.meta["clip"], "The fit", str(tuning.path)) == str(tuning.path)


def test_a_clip_names_its_tuning_and_a_choice_comes_first(tiny_clip, tuning, monkeypatch, tmp_path):
    meta = tiny_clip.meta | {"tuning": tuning.mark}
    name = tiny_clip.meta["generator"]
    assert registry.name_for(tiny_clip.meta, "The clip") == name
    assert registry.name_for(meta, "The clip") == str(tuning.path)
    assert registry.name_for(meta, "The clip", "none") == name
    assert registry.name_for(tiny_clip.meta, "The clip", tuning.path) == str(tuning.path)
    assert tuned.hash_of(registry.of_clip(meta, "The clip")) == tuning.hash
    moved = meta | {"tuning": tuning.mark | {"file": f"elsewhere/{tuning.path.name}"}}
    with pytest.raises(UserError, match="The clip was tuned by elsewhere"):
        registry.name_for(moved, "The clip")
    monkeypatch.chdir(tmp_path)
    assert registry.name_for(moved, "The clip") == tuning.path.name
    changed = meta | {"tuning": tuning.mark | {"hash": "0" * 12}}
    with pytest.raises(UserError, match="another file by now"):
        registry.name_for(changed, "The clip")


def test_a_tuning_of_another_base_is_refused(tiny_clip, tuning, tmp_path):
    (tmp_path / "other").mkdir()
    other = tiny_weights(tmp_path / "other", "bird", z_dim=8)
    meta = {"generator": other, "generator_hash": generators.hash_of(other)}
    with pytest.raises(UserError, match="the clip has codes of weights .*: tune that generator") as caught:
        registry.name_for(meta, "The clip", tuning.path)
    assert str(caught.value).count(". ") == 0
    tiny_weights(tmp_path, "scene", z_dim=7)  # other weights under the base's own name
    with pytest.raises(UserError, match="the ones installed are"):
        generators.load(str(tuning.path))


@pytest.mark.parametrize("content", ["missing", "text", "weights"])
def test_what_is_no_tuning(tiny_clip, tmp_path, content):
    path = tmp_path / "x.safetensors"
    if content == "text":
        path.write_text("x")
    if content == "weights":
        path = tmp_path / "tiny.safetensors"
    with pytest.raises(UserError, match="a tuning .as `dynode tune` writes it. was wanted"):
        registry.name_for(tiny_clip.meta, "The clip", path)


def test_a_tuning_that_does_not_fit_its_base_is_damaged(tiny_clip, tuning):
    generator = generators.load(tiny_clip.meta["generator"])
    tuned.write(tuning.path, {"constant": torch.zeros(3)}, generator.name, generator.hash, {})
    with pytest.raises(UserError, match="is damaged"):
        generators.load(str(tuning.path))


def test_a_clip_with_a_tuning_survives_its_file(tiny_clip, tuning, tmp_path):
    dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"tuning": tuning.mark}).save(tmp_path / "c.safetensors")
    assert dynode.load_clip(tmp_path / "c.safetensors").meta["tuning"] == tuning.mark
