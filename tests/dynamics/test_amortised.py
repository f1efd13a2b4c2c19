"""A field shared by clips: its path solves it from the first code, its context comes from observed codes alone, files keep it."""

import dataclasses

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.amortised import field_files
from dynode.dynamics.amortised.amortised_path import NAME, AmortisedPath, AmortisedSettings, inputs_of
from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.dynamics.amortised.field_files import SharedField, SharedModel
from dynode.dynamics.amortised.network import AmortisedField, AmortisedNetworkSettings, ContextEncoder
from dynode.dynamics.amortised.sequence_network import MODELS
from dynode.dynamics.baselines.sequence_models import linear_interpolation
from dynode.errors import UserError

SMALL = AmortisedNetworkSettings(coordinates=5, context=8, hidden=12, layers=1, heads=2, frequencies=4)
OWNER = {"name": "tiny", "hash": "0123"}
SHAPE = (3, 7)


def shared_field(settings: AmortisedNetworkSettings = SMALL) -> SharedField:
    """Untrained networks whose field moves, and axes of random codes whose image is the code itself."""
    torch.manual_seed(1)
    encoder, field = ContextEncoder(settings), AmortisedField(settings)
    torch.nn.init.normal_(field.last.weight, std=0.3)
    ws = torch.randn(60, *SHAPE)
    axes = VisibleAxes.fit(ws, lambda codes: codes[:, None], settings.coordinates)
    return SharedField(settings, encoder.eval(), field.eval(), axes, OWNER)


@pytest.fixture
def file(tmp_path) -> str:
    path = tmp_path / "tiny.dynamics.safetensors"
    field_files.save(shared_field(), path, {"hours": 0})
    return str(path)


def clip_of(seconds: float = 1.0, frames: int = 13) -> Clip:
    ts = torch.linspace(2, 2 + seconds, frames, dtype=torch.float64)
    torch.manual_seed(2)
    first, last = torch.randn(2, *SHAPE)
    ws = torch.stack([torch.lerp(first, last, t).sin() for t in torch.linspace(0, 1, frames)])
    return Clip(ws, ts, meta={"name": "made", "generator": "tiny", "generator_hash": "0123"}).sampled("regular", 3)


def alone(file: str) -> AmortisedSettings:
    return AmortisedSettings(file=file, fits_rest=False)


def fitted(clip: Clip, settings: AmortisedSettings) -> AmortisedPath:
    path = methods.fit(clip, settings)
    assert isinstance(path, AmortisedPath)
    return path


def test_coordinates_are_read_back_and_their_distances_are_those_of_images():
    torch.manual_seed(0)
    ws = torch.randn(400, *SHAPE) * torch.linspace(0.2, 2, 21).view(SHAPE)
    axes = VisibleAxes.fit(ws, lambda codes: codes[:, None], 21)
    states = axes.encode(ws)
    torch.testing.assert_close(axes.mean + axes.change(states), ws, atol=1e-3, rtol=1e-3)
    images = (ws[:200] - ws[200:]).square().mean((1, 2))
    apart = (states[:200] - states[200:]).square().sum(1)
    ratio = apart / images
    assert float(ratio.std() / ratio.mean()) < 1e-2
    assert float(states.var(0, unbiased=False).sum()) == pytest.approx(1, abs=1e-3)


def test_what_changes_no_image_is_no_axis():
    torch.manual_seed(0)
    ws = torch.randn(100, *SHAPE)
    axes = VisibleAxes.fit(ws, lambda codes: codes[:, None, :1], 7)  # of three rows one is seen
    hidden = torch.zeros(SHAPE)
    hidden[1:] = 1
    assert float((axes.encode(ws + hidden) - axes.encode(ws)).abs().max()) < 1e-2


@pytest.mark.parametrize("fits_rest", [False, True])
def test_the_path_starts_at_the_first_code_and_its_velocity_is_that_of_the_fields(file, fits_rest):
    clip = clip_of()
    path = fitted(clip, dataclasses.replace(alone(file), fits_rest=fits_rest))
    torch.testing.assert_close(path(clip.ts[:1]), clip.ws[:1])
    ts, half = torch.linspace(1.9, 3.2, 100).double(), 2e-3
    numeric = (path(ts + half) - path(ts - half)) / (2 * half)
    velocity = path.derivative(ts)
    assert float((velocity - numeric).abs().max()) < 2e-2 * float(velocity.abs().max())


def test_neither_hidden_codes_nor_the_order_of_times_matter(file):
    clip, settings = clip_of(), AmortisedSettings(file=file)
    path = fitted(clip, settings)
    other = clip.ws.clone()
    other[~clip.observed] += 5
    torch.testing.assert_close(fitted(dataclasses.replace(clip, ws=other), settings)(clip.ts), path(clip.ts))
    torch.testing.assert_close(path(clip.ts.flip(0)).flip(0), path(clip.ts))


def test_the_context_is_inferred_from_all_observed_codes(file):
    clip = clip_of()
    changed = clip.ws.clone()
    changed[-1] += 0.5  # of the last observed frame
    paths = [fitted(dataclasses.replace(clip, ws=ws), alone(file)) for ws in (clip.ws, changed)]
    assert not torch.allclose(paths[0](clip.ts)[1:3], paths[1](clip.ts)[1:3], atol=1e-4)


def test_what_the_shared_field_leaves_is_fitted(file):
    clip = clip_of()
    whole, part = (fitted(clip, dataclasses.replace(alone(file), fits_rest=rest)) for rest in (True, False))
    assert whole.log["observed_error"] < 0.1 * part.log["observed_error"] == 0.1 * whole.log["shared_error"]
    assert (whole.label, part.label) == (NAME[:-1] + ",changed]", NAME[:-1] + ",changed]")
    assert AmortisedSettings().label == NAME
    assert AmortisedSettings(fits_rest=False).label == "dynode[amortised,shared alone]"


def test_a_fit_is_stored_whole(file, tmp_path):
    clip = clip_of()
    for settings in (alone(file), AmortisedSettings(file=file)):
        path = fitted(clip, settings)
        loaded = fit_files.load(path.save(tmp_path / "made.fit"))
        torch.testing.assert_close(loaded(clip.ts), path(clip.ts), atol=3e-4, rtol=1e-3)  # the solver's tolerance
        assert loaded.log == path.log
    assert inputs_of(clip, settings) == field_files.hash_of(file)


def test_a_field_of_other_codes_or_shorter_clips_is_refused(file):
    clip = clip_of()
    with pytest.raises(UserError, match="is observed over 3 s, .* learned from clips of 2 s: fit a part of it"):
        methods.fit(clip_of(seconds=3.0), alone(file))
    strange = dataclasses.replace(clip, meta=clip.meta | {"generator_hash": "4567"})
    with pytest.raises(UserError, match="is of codes of tiny 0123, made has those of tiny 4567: fit dynode"):
        methods.fit(strange, alone(file))
    with pytest.raises(UserError, match="No field learned across clips comes with the package for codes of tiny"):
        methods.fit(clip, AmortisedSettings())


def test_a_field_looks_at_the_state_as_its_settings_say():
    states, context, t = torch.randn(3, 4, 5), torch.randn(8), torch.tensor(0.3)
    states[2] = 2 * states[1] - states[0]
    velocities = {}
    for state in ("mlp", "linear", "none"):
        field = shared_field(dataclasses.replace(SMALL, state=state)).field
        if field.linear and field.of_state is not None:
            torch.nn.init.normal_(field.of_state.weight)
        velocities[state] = [field(t, each, context) for each in states]
    same = {name: torch.allclose(v[0], v[1], atol=1e-5) for name, v in velocities.items()}
    straight = {name: torch.allclose(2 * v[1] - v[0], v[2], atol=1e-4) for name, v in velocities.items()}
    assert same == {"mlp": False, "linear": False, "none": True}
    assert straight == {"mlp": False, "linear": True, "none": True}


@pytest.fixture(params=["gru", "latent_ode"])
def sequence(request) -> SharedModel:
    """A model whose last layer is not zero, and the axes of `shared_field`."""
    settings = dataclasses.replace(SMALL, model=request.param)
    shared = field_files.untrained(settings, shared_field().axes, OWNER)
    assert isinstance(shared, SharedModel)
    for parameter in shared.model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return shared


def test_a_sequence_model_reads_observed_states_alone_in_any_batch(sequence):
    torch.manual_seed(0)
    u, ts, times = torch.randn(3, 6, 5), torch.rand(3, 6).sort(1).values * 2, torch.linspace(-0.1, 2, 9)
    ts[:, 0] = 0
    observed = torch.rand(3, 6) < 0.5
    observed[:, 0], observed[2, 1:] = True, False
    with torch.no_grad():
        states = sequence.model(u, ts, times, observed)
        hidden = torch.where(observed[..., None], u, u + 9)
        torch.testing.assert_close(sequence.model(hidden, ts, times, observed), states)
        for k in range(3):
            alone = sequence.model(u[k : k + 1, observed[k]], ts[k : k + 1, observed[k]], times)[0]
            torch.testing.assert_close(alone, states[k], atol=1e-4, rtol=1e-4)
    assert torch.isfinite(states).all()


def test_an_untrained_sequence_model_is_the_path_that_it_departs_from():
    u, ts, times = torch.randn(1, 4, 5), torch.tensor([[0.0, 0.5, 1.2, 2.0]]), torch.linspace(0, 2.5, 26)
    inner = times <= 2
    for straight in (True, False):
        model = MODELS["gru"](dataclasses.replace(SMALL, model="gru", straight=straight))
        with torch.no_grad():
            states = model(u, ts, times)[0]
        line = linear_interpolation(ts[0], u[0], times[inner])
        torch.testing.assert_close(states[inner], line if straight else u[0, :1].expand_as(line))
        torch.testing.assert_close(states[~inner], u[0, -1:].expand_as(states[~inner])) if straight else None


def test_a_sequence_model_stands_in_for_the_field_with_all_else_alike(sequence, tmp_path):
    file, clip = str(tmp_path / "tiny.model.safetensors"), clip_of()
    field_files.save(sequence, tmp_path / "tiny.model.safetensors", {"hours": 0})
    for settings in (alone(file), AmortisedSettings(file=file)):
        path = fitted(clip, settings)
        assert torch.isfinite(path(clip.ts)).all() and torch.isfinite(path.derivative(clip.ts)).all()
        torch.testing.assert_close(path(clip.ts.flip(0)).flip(0), path(clip.ts))
        loaded = fit_files.load(path.save(tmp_path / "made.fit"))
        torch.testing.assert_close(loaded(clip.ts), path(clip.ts), atol=3e-4, rtol=1e-3)
    whole, part = (fitted(clip, each) for each in (AmortisedSettings(file=file), alone(file)))
    assert whole.log["observed_error"] < 0.2 * part.log["observed_error"]


def test_axes_are_stored_within_a_hundredth(file):
    stored, made = field_files.load(file).axes, shared_field().axes
    for name, tensor in made.tensors().items():
        assert float((stored.tensors()[name] - tensor).norm() / tensor.norm()) < 1e-2
