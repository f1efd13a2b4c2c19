"""Latent transformers: the row-wise map, the classifier that teaches it, and what their loss keeps."""

import dataclasses

import pytest
import torch
from conftest import tiny_weights

from dynode import cli, generators
from dynode.editing import editors, latent_transformer, random_samples, style_mixing
from dynode.editing.latent_transformer import LatentTransformer, TransformerSettings
from dynode.editing.random_samples import SampleSettings
from dynode.errors import UserError
from dynode.generators.stylegan2 import StyleGAN2
from dynode.training import latent_classifier, train_transformer
from dynode.training.latent_classifier import ClassifierSettings, Labelled
from dynode.training.train_transformer import TransformerTrainingSettings


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"), "isaac3d")


@pytest.fixture(scope="module")
def generator(path):
    return generators.load(path)


def editor_of(rank: int, rows: int = 3, width: int = 6, apart: bool = True) -> LatentTransformer:
    torch.manual_seed(1)
    editor = LatentTransformer(TransformerSettings("smile", rank, apart), torch.randn(width), torch.tensor(2.0), rows)
    for parameter in editor.parameters():
        torch.nn.init.normal_(parameter)
    return editor.requires_grad_(False)


@pytest.mark.parametrize("rank", [0, 2, 6])
def test_the_map_is_linear_in_strength_and_each_row_is_its_own(rank):
    editor, ws = editor_of(rank), torch.randn(4, 3, 6)
    step = editor.edit(ws, 1.0) - ws
    assert torch.allclose(editor.edit(ws, torch.tensor([0.0, -1.0, 2.0, 1.0])) - ws, torch.tensor([0.0, -1, 2, 1])[:, None, None] * step, atol=1e-5)  # fmt: skip
    other = ws.clone()
    other[:, 1] += 1
    moved = (editor.edit(other, 1.0) - other - step).abs().amax((0, 2))
    assert moved[0] == moved[2] == 0 and (moved[1] > 1e-3) == bool(rank)
    assert torch.equal(editor.edit(ws, 1.0, rows=2)[:, 2:], ws[:, 2:])


def test_a_low_rank_is_a_full_matrix_of_that_rank():
    low, full, ws = editor_of(2), editor_of(6), torch.randn(4, 3, 6)
    full.load_state_dict({**full.state_dict(), "bias": low.bias, "matrix": low.right @ low.left})
    assert torch.allclose(low.edit(ws, 0.7), full.edit(ws, 0.7), atol=1e-5)
    a, b = full.scale * full.matrix / (full.scale * 6**0.5), full.scale * full.bias
    plain = torch.einsum("bld,lde->ble", ws - full.mean, a) + b  # the paper's A w + b, its bias less A times the mean
    assert torch.allclose(full.edit(ws, 0.7), ws + 0.7 * plain, atol=1e-5)


@pytest.mark.parametrize("rank", [0, 2, 6])
def test_one_map_may_serve_all_rows(rank):
    shared, ws = editor_of(rank, apart=False), torch.randn(2, 1, 6).expand(2, 3, 6)
    moved = shared.edit(ws, 1.0) - ws
    assert torch.allclose(moved[:, :1].expand_as(moved), moved, atol=1e-6) and moved.abs().max() > 0.1
    assert len(shared.bias) == 1


def test_what_correlates_may_change():
    a = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1])
    half = torch.tensor([0.0, 0, 0, 1, 0, 1, 1, 1])  # correlates by 1/2
    apart = torch.tensor([0.0, 0, 1, 1, 0, 0, 1, 1])
    unknown = torch.where(torch.arange(8) == 2, torch.nan, 1 - a)
    known = Labelled(
        ("own", "half", "apart", "less", "same"), None, torch.stack([a, half, apart, 1 - half, unknown], 1)
    )
    assert torch.allclose(known.correlation("own"), torch.tensor([1, 0.5, 0, -0.5, -1]))
    others = train_transformer.weights_of_others
    assert torch.allclose(others(known, "own"), torch.tensor([0, 0.5, 1, 0.5, 0]), atol=1e-6)
    assert torch.allclose(others(known, "own", same=0.4), torch.tensor([0.0, 0, 1, 0, 0]))


def test_labels_and_their_weights():
    scores = torch.tensor([[1.0, 5], [2, 6], [3, torch.nan], [4, 7]])
    assert torch.equal(train_transformer.labels_of(scores, 0.25)[:, 0], torch.tensor([0.0, 0, 0, 1]))
    assert train_transformer.labels_of(scores, 0.5)[:, 1].isnan().tolist() == [False, False, True, False]
    assert torch.equal(train_transformer.balanced(torch.tensor([1.0, 0, 0, 0])), torch.tensor([4, 4 / 3, 4 / 3, 4 / 3]))
    assert torch.equal(train_transformer.balanced(torch.zeros(3)), torch.ones(3))


def test_mixtures_are_made_of_samples_and_begin_alike(generator):
    few, more = style_mixing.codes(generator, 20), style_mixing.codes(generator, 60)
    assert torch.equal(few, more[:20])
    parents = random_samples.codes(generator, SampleSettings(80, style_mixing.SEED))
    for ws, four in zip(few, parents.view(20, 4, -1), strict=True):
        of = (ws[:, None] - four[None]).abs().amax(2)
        assert (of.amin(1) < 1e-6).all() and (of.argmin(1).diff() >= 0).all() and 2 <= len(of.argmin(1).unique()) <= 4


def planted(generator, plain: int = 400, mixed: int = 2000) -> Labelled:
    """Codes with three attributes: one that row 0 shows, one of row 0 in another direction, one that goes with the first."""
    torch.manual_seed(0)
    same = random_samples.all_rows(random_samples.codes(generator, SampleSettings(plain)), generator)
    ws = torch.cat([same, style_mixing.codes(generator, mixed)])
    axes = torch.linalg.svd(ws[:, 0] - ws[:, 0].mean(0), full_matrices=False).Vh
    measured = (ws[:, 0] - ws.mean((0, 1))) @ axes.T
    measured = measured / measured.std(0)
    scores = torch.stack([measured[:, 0], measured[:, 1], measured[:, 0] + 0.5 * measured[:, 2]], 1)
    return Labelled(("own", "other", "near"), ws, train_transformer.labels_of(scores, 0.5))


@pytest.fixture(scope="module")
def taught(generator):
    known = planted(generator)
    settings = ClassifierSettings("rows", (64, 32), epochs=30, lr=3e-3)
    return known, latent_classifier.fit_classifier(known.where(slice(0, None, 2)), settings), settings


SHORT = TransformerTrainingSettings(TransformerSettings("own", 2, apart=True), steps=500, lr=1e-2, noise=0.0, stay=1.0)


def logits_moved(editor, classifier, ws) -> torch.Tensor:
    return (classifier(editor.edit(ws, 1.0)) - classifier(editor.edit(ws, -1.0))).mean(0) / 2


def test_a_classifier_finds_the_row_where_rows_differ(taught):
    known, classifier, _ = taught
    held_out = known.where(slice(1, None, 2))
    accuracy = latent_classifier.accuracy(classifier, held_out)
    assert min(accuracy.values()) > 0.9
    elsewhere = held_out.ws.clone()
    elsewhere[:, 1:] = elsewhere[:, 1:].flip(0)  # rows that show nothing
    assert min(latent_classifier.accuracy(classifier, dataclasses.replace(held_out, ws=elsewhere)).values()) > 0.85
    same = slice(0, 400)  # the same in all rows: what is learned from them alone goes by all
    blind = latent_classifier.fit_classifier(
        known.where(same), ClassifierSettings("rows", (64, 32), epochs=30, lr=3e-3)
    )
    fooled = latent_classifier.accuracy(blind, dataclasses.replace(held_out, ws=elsewhere))
    assert fooled["own"] < latent_classifier.accuracy(classifier, dataclasses.replace(held_out, ws=elsewhere))["own"]


def test_an_editor_learns_to_move_its_attribute_in_its_row_and_little_else(taught, generator):
    known, classifier, _ = taught
    ws = known.ws[1::2]
    editor = train_transformer.fit_transformer(generator, classifier, known, SHORT)
    assert train_transformer.crossing_rate(editor, classifier, ws, 0) > 0.95
    own, other, near = logits_moved(editor, classifier, ws).tolist()
    assert own > 3 and abs(other) < own / 10 and 0 < near < own / 2
    moved = (editor.edit(ws, 1.0) - ws).norm(dim=2).mean(0)
    assert moved[0] > 1.2 * moved[1:].max()
    free = train_transformer.fit_transformer(generator, classifier, known, dataclasses.replace(SHORT, keep=0.0))
    strict = train_transformer.fit_transformer(generator, classifier, known, dataclasses.replace(SHORT, keep=10.0))
    assert abs(logits_moved(strict, classifier, ws)[2]) < abs(logits_moved(free, classifier, ws)[2])
    still = train_transformer.fit_transformer(generator, classifier, known, dataclasses.replace(SHORT, stay=1000.0))
    assert (still.edit(ws, 1.0) - ws).norm() < (editor.edit(ws, 1.0) - ws).norm()


def test_a_file_keeps_an_editor_for_its_generator(generator, tmp_path):
    editor, file = editor_of(2, generator.num_ws, generator.w_dim), tmp_path / "smile.safetensors"
    latent_transformer.save(editor, file, generator, {"quality": {"crossed": 1.0}})
    loaded, ws = (
        editors.load(f"latent-transformer:{file}", generator),
        torch.randn(2, generator.num_ws, generator.w_dim),
    )
    assert (
        torch.allclose(loaded.edit(ws, 1.0), editor.edit(ws, 1.0), atol=0.02)
        and loaded.name == "latent-transformer smile"
    )
    assert latent_transformer.FILES.card(file) == {"quality": {"crossed": 1.0}}
    stranger = StyleGAN2(generator.settings)
    stranger.hash = "another"
    with pytest.raises(UserError, match="is made for codes of .* train it anew by `dynode train transformer`"):
        latent_transformer.load(file, stranger)
    with pytest.raises(UserError, match="There is no latent transformer 'smil'"):
        editors.load("latent-transformer:smil", generator)
    with pytest.raises(UserError, match="There is no view of the classifier 'row', did you mean 'rows'"):
        ClassifierSettings(view="row")


def test_an_editor_is_trained_from_the_command_line(path, generator, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "wall.safetensors"
    arguments = ["train", "transformer", path, "wall_color", "-o", str(file), "--device", "cpu"]
    for change in (
        "samples.count=50",
        "mixtures=50",
        "classifier.view=rows",
        "steps=2",
        "measured=2",
        "transformer.rank=3",
    ):
        arguments += ["-p", change]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert "accuracy of the classifier" in output and "leakage:" in output
    editor, card = latent_transformer.load(file, generator), latent_transformer.FILES.card(file)
    assert editor.settings == TransformerSettings("wall_color", 3) and editor.left.shape == (1, 3, 12)
    assert set(card["quality"]) == {"crossed", "change", "leakage"} and "wall_color" in card["classifier"]
    assert cli.main([*arguments[:3], "wall_colour", *arguments[4:]]) == 2
    assert "did you mean 'wall_color'" in capsys.readouterr().err
    assert cli.main([*arguments, "-p", "transformer.rnk=3"]) == 2


@pytest.mark.parametrize("name", sorted(latent_transformer.FILES.shipped()))
def test_shipped_editors_lead_from_those_who_lack_the_attribute_to_those_who_have_it(name):
    category, attribute = name.split(".")
    if category != "face":
        pytest.skip("no scores of this world's samples ship")
    face = generators.load()
    known, editor = random_samples.scored(face), editors.load(f"latent-transformer:{attribute}", face)
    has = train_transformer.labels_of(known.scores, 0.5)[:, known.names.index(attribute)] > 0.5
    step = editor.offset(random_samples.all_rows(known.w, face)).mean((0, 1))
    apart = known.w[has].mean(0) - known.w[~has].mean(0)
    assert torch.cosine_similarity(step, apart, dim=0) > 0.2  # a random one: 0.04
    assert latent_transformer.FILES.card(latent_transformer.FILES.locate(name))["quality"]["change"] > 0.5


def test_what_is_less_than_the_published_maps_is_named():
    assert editor_of(2).stand_in == "latent-transformer[rank 2]" and editor_of(6).stand_in == ""
    assert editor_of(2, apart=False).stand_in == "latent-transformer[rank 2, one map for all rows]"
