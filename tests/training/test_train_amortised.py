"""Training of a field across clips: episodes of development seeds alone, simulated ones like encoded ones, roll-outs that learn."""

import dataclasses

import pytest
import torch

from dynode import generators, worlds
from dynode.clips import Clip
from dynode.dynamics.amortised import axes, field_files, prior_files
from dynode.dynamics.amortised.network import AmortisedField, AmortisedNetworkSettings, FieldOfClip
from dynode.dynamics.solvers.rollout import SolverSettings, rollout
from dynode.errors import UserError
from dynode.experiments import test_set
from dynode.inversion.encoder import Encoder
from dynode.training.amortised import encoded_episodes, train_amortised
from dynode.training.amortised.encoded_episodes import FIRST, FPS, FRAMES, LAST, SECONDS, EncodedEpisodes
from dynode.training.amortised.simulated_episodes import Episodes
from dynode.training.amortised.train_amortised import AmortisedTrainingSettings
from dynode.worlds.factors import from_normal, to_normal

SMALL = AmortisedNetworkSettings(coordinates=6, context=8, hidden=16, layers=1, heads=2, frequencies=4)


@pytest.fixture(scope="module")
def scene():
    return worlds.world("scene"), generators.load("stylegan2-scene-factors")


@pytest.fixture
def mapped_codes(monkeypatch):
    """In place of an encoder: the generator's own codes of the factors, with an offset for each seed and jitter."""

    def encode(world, seeds, generator, *, whole=False, folder=None, progress=False):
        kept = []
        for seed in seeds:
            rng = torch.Generator().manual_seed(seed)
            index = torch.arange(FRAMES) if whole else encoded_episodes.drawn_frames(seed)
            factors = encoded_episodes.factors_of(world, seed, index)
            ws = generator.mapping(to_normal(world.factors, factors)).detach()
            offset = 0.1 * torch.randn(1, *ws.shape[1:], generator=rng)
            kept.append((index, ws + offset + 0.02 * torch.randn(ws.shape, generator=rng), factors))
        return encoded_episodes.gathered(kept)

    monkeypatch.setattr(train_amortised, "encode_episodes", encode)
    monkeypatch.setattr(axes, "PROBES", 4)
    monkeypatch.setattr(axes, "AXES", 24)
    return encode


def test_episodes_are_those_of_development_and_none_of_the_test_set():
    bounds = test_set.declared()["development"]
    assert (bounds["first"], bounds["last"]) == (FIRST, LAST)
    for chosen in test_set.episode_sets().values():
        assert (chosen.seconds, chosen.fps) == (SECONDS, FPS)
        assert not set(chosen.seeds) & set(AmortisedTrainingSettings().seeds)
    drawn = test_set.development_episodes("scene", 7)
    ours = [encoded_episodes.episode_of(worlds.world("scene"), FIRST + k) for k in range(7)]
    assert [(each.kind, each.seed) for each in ours] == [(each.kind, each.seed) for each in drawn]


def test_frames_are_drawn_once_and_for_all():
    index = encoded_episodes.drawn_frames(105)
    assert torch.equal(index, encoded_episodes.drawn_frames(105))
    assert index[0] == 0
    assert len(index.unique()) == len(index) == encoded_episodes.COUNTS[0]
    assert int(index.max()) < FRAMES


def test_codes_are_encoded_once(tmp_path, monkeypatch):
    world, generator = worlds.world("isaac3d"), generators.load("stylegan2-isaac3d-factors")
    made = encoded_episodes.encode_episodes(world, [110], generator, folder=tmp_path)
    assert made.ws.shape == (1, 8, generator.num_ws, generator.w_dim)
    monkeypatch.setattr(Encoder, "forward", None)  # nothing is encoded again
    again = encoded_episodes.encode_episodes(world, [110], generator, folder=tmp_path)
    assert torch.equal(made.ws, again.ws)


@pytest.mark.parametrize("name", ["scene", "bird", "isaac3d"])
def test_normal_numbers_lead_back_to_the_factors(name):
    described = worlds.world(name).factors
    values = torch.stack([f.at(torch.linspace(0.01, 0.99, 9)) for f in described], 1)
    torch.testing.assert_close(from_normal(described, to_normal(described, values)), values, atol=1e-4, rtol=1e-4)


def test_simulated_episodes_have_offsets_and_jitter_of_encoded_ones(scene, mapped_codes):
    world, generator = scene
    encoded = mapped_codes(world, range(105, 125), generator)
    visible = train_amortised.axes_of(encoded, generator, 6)
    episodes = Episodes(world, generator, encoded, visible, range(105, 135), jitter_share=1.0)
    rng = torch.Generator().manual_seed(0)
    batch = episodes.draw_simulated(64, rng)
    assert batch.index.shape == (64, max(encoded_episodes.COUNTS))
    assert (batch.index[:, 0] == 0).all()
    assert (batch.index.diff() > 0).all()
    jitter = (batch.given - batch.wanted).square().sum(2).mean()
    assert float(jitter) == pytest.approx(float(episodes.jitter.square().sum(1).mean()), rel=0.2)
    quiet = Episodes(world, generator, encoded, visible, range(105, 135), jitter_share=0.0).draw_simulated(8, rng)
    assert torch.equal(quiet.given, quiet.wanted)
    real = episodes.draw_encoded(8, rng)
    assert torch.equal(real.given, real.wanted)
    assert not real.valid.all()  # episodes have different numbers of frames


def test_samplings_have_the_first_frame_and_some_end_early():
    index = torch.arange(-1, FRAMES, 3).clamp(min=0).expand(200, -1)  # both ends among them
    valid = torch.ones(index.shape, dtype=torch.bool)
    rng = torch.Generator().manual_seed(0)
    for beyond, most in ((0.0, 1.0), (1.0, 0.0)):
        observed = train_amortised.samplings(index, valid, beyond, rng)
        assert observed[:, 0].all()
        assert 0.3 < float(observed.float().mean()) < 0.8
        assert float(observed[:, -1].float().mean()) <= most
    assert not train_amortised.samplings(index, index < 30, 0.0, rng)[:, 11:].any()


def test_roll_outs_of_the_training_are_those_of_the_solver():
    torch.manual_seed(0)
    field, context, start = AmortisedField(SMALL), torch.randn(2, 8), torch.randn(2, 6)
    torch.nn.init.normal_(field.last.weight, std=0.3)
    made = train_amortised.rolled_out(field, context, start).detach()
    ts = torch.arange(FRAMES) / FPS
    for k in range(2):
        solver = SolverSettings(rtol=1e-7, atol=1e-8)
        with torch.no_grad():
            exact = rollout(FieldOfClip(field, context[k]), start[k], ts, solver).states
        torch.testing.assert_close(made[k], exact, atol=2e-3, rtol=2e-3)


def test_training_learns_resumes_and_writes_what_a_fit_reads(scene, mapped_codes, tmp_path):
    world, output = scene[0], tmp_path / "scene.dynamics.safetensors"
    settings = AmortisedTrainingSettings(SMALL, encoded=10, held_out=2900 - 60, total=6400, batch=32, lr=5e-3)
    untrained = dataclasses.replace(settings, total=32)
    before = train_amortised.train_amortised(world, tmp_path / "none.safetensors", untrained)["quality"]
    card = train_amortised.train_amortised(world, output, settings)
    assert card["episodes_shown"] == 6400
    assert card["quality"]["over_linear_stride_16"] < 0.8 * before["over_linear_stride_16"]
    assert field_files.card(output) == card
    assert field_files.load(output).settings == SMALL
    assert not output.with_suffix(".safetensors.checkpoint").exists()


@pytest.mark.parametrize("model", ["gru", "latent_ode"])
def test_sequence_models_learn_from_as_many_episodes_of_the_same_seeds(scene, mapped_codes, tmp_path, model):
    world, output = scene[0], tmp_path / "scene.model.safetensors"
    network = dataclasses.replace(SMALL, model=model, straight=False)
    settings = AmortisedTrainingSettings(network, encoded=10, held_out=2900 - 60, total=6400, batch=32, lr=5e-3)
    before = train_amortised.train_amortised(
        world, tmp_path / "none.safetensors", dataclasses.replace(settings, total=32)
    )
    card = train_amortised.train_amortised(world, output, settings)
    field = dataclasses.replace(settings, network=SMALL)
    assert (card["episodes_shown"], settings.seeds) == (field.total, field.seeds)
    assert sum(card["losses"][-10:]) / 10 < 0.95 * before["losses"][0]
    assert card["quality"]["over_linear_stride_16"] < 0.95 * before["quality"]["over_linear_stride_16"]
    assert field_files.card(output) == card
    assert field_files.load(output).settings == network


def test_batches_and_samplings_are_those_of_the_field(scene, mapped_codes):
    world, generator = scene
    settings = AmortisedTrainingSettings(SMALL, encoded=4, held_out=2980, total=256, batch=32)
    encoded: EncodedEpisodes = mapped_codes(world, settings.seeds[:4], generator)
    episodes = Episodes(world, generator, encoded, train_amortised.axes_of(encoded, generator, 6), settings.seeds)
    first = {}
    for model in ("field", "gru", "latent_ode"):
        chosen = dataclasses.replace(settings, network=dataclasses.replace(SMALL, model=model))
        training = train_amortised.AmortisedTraining(chosen, episodes, {"name": "", "hash": ""})
        training.loop()
        first[model] = training.rng.get_state(), training.batches
    for draws, batches in first.values():
        assert torch.equal(draws, first["field"][0])  # to the last one
        assert batches == 8


def test_the_kernel_of_a_prior_is_learned_from_the_encoded_episodes(scene, mapped_codes, tmp_path):
    world, output = scene[0], tmp_path / "scene.prior.safetensors"
    network = dataclasses.replace(SMALL, model="prior")
    settings = AmortisedTrainingSettings(network, encoded=10, held_out=2980)
    card = train_amortised.train_amortised(world, output, settings)
    assert card["episodes_shown"] == 10
    assert all(0 < value < 3 for value in card["quality"].values())
    clip = Clip(torch.zeros(3, 2, 4), torch.arange(3).double(), meta={"generator_hash": scene[1].hash})
    assert prior_files.load(output, clip).theta.shape == (4,)
    assert output.stat().st_size < 4096


def test_a_stopped_training_goes_on(scene, mapped_codes, tmp_path):
    world, generator = scene
    settings = AmortisedTrainingSettings(SMALL, encoded=4, held_out=2980, total=256, batch=32)
    encoded: EncodedEpisodes = mapped_codes(world, settings.seeds[:4], generator)
    visible = train_amortised.axes_of(encoded, generator, 6)
    owner = {"name": "stylegan2-scene-factors", "hash": generator.hash}

    def training():
        return train_amortised.AmortisedTraining(
            settings, Episodes(world, generator, encoded, visible, settings.seeds), owner
        )

    straight, first, second = training(), training(), training()
    straight.loop()
    first.total = 128
    first.loop(tmp_path / "state")
    second.resume(tmp_path / "state")
    assert second.shown == 128
    for name, weights in second.networks()["field"].state_dict().items():
        assert torch.equal(weights, first.networks()["field"].state_dict()[name])
    second.loop()
    assert second.shown == straight.shown == 256


def test_too_many_episodes_are_refused():
    with pytest.raises(UserError, match="There are 2995 development episodes: hold out and encode fewer"):
        AmortisedTrainingSettings(held_out=2900, encoded=100)
