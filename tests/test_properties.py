"""Properties that hold for every clip, sampling, interpolation and clock, searched by hypothesis."""

import dataclasses
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dynode.clips import SAMPLINGS, Clip
from dynode.dynamics import methods
from dynode.dynamics.neural_ode import CLOCKS, Clock
from dynode.errors import UserError

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEARN_NOTHING = tuple(methods.unlearned_names())
EXACT = tuple(name for name in LEARN_NOTHING if not name.startswith("gp"))  # a process smooths noise
SMOOTH = ("linear", "slerp", "cubic", "pchip")
LINEAR_EXACT = ("linear", "cubic", "pchip")


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@st.composite
def times(draw, smallest=2, most=20) -> torch.Tensor:
    """Increasing seconds, unevenly apart (by up to a thousand times), from any start."""
    gaps = draw(st.lists(st.sampled_from([0.002, 0.03, 0.04, 0.5, 2.0]), min_size=smallest - 1, max_size=most - 1))
    start = draw(st.sampled_from([0.0, -1.5, 1000.25]))
    return torch.tensor([start, *gaps], dtype=torch.float64).cumsum(0)


@st.composite
def masks(draw, frames: int) -> torch.Tensor:
    """(frames,) bool with at least two true."""
    mask = draw(st.lists(st.booleans(), min_size=frames, max_size=frames))
    for k in draw(st.lists(st.integers(0, frames - 1), min_size=2, max_size=2, unique=True)):
        mask[k] = True
    return torch.tensor(mask)


@st.composite
def shot_numbers(draw, frames: int) -> torch.Tensor:
    cuts = draw(st.sets(st.integers(1, frames - 1), max_size=3))
    return sum((torch.arange(frames) >= cut).long() for cut in cuts) + torch.zeros(frames, dtype=torch.long)


@st.composite
def clips(draw, most=20, shots=True) -> Clip:
    ts, seed = draw(times(most=most)), draw(st.integers(0, 99))
    frames = len(ts)
    return Clip(
        random(seed, frames, draw(st.integers(1, 3)), draw(st.integers(1, 4))),
        ts,
        draw(st.none() | masks(frames)),
        draw(st.sampled_from([None, random(seed + 1, frames, 4, 2).double()])),
        draw(st.none() | masks(frames)),
        draw(st.none() | shot_numbers(frames)) if shots else None,
        draw(st.sampled_from([{}, {"name": "a clip", "mse": [0.1, None], "settings": {"start": "w_avg"}}])),
    )


def same(a: Clip, b: Clip) -> bool:
    """Equal to the bit, in every field."""
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(Clip)]
    return all(
        torch.equal(x, y) and x.dtype == y.dtype if isinstance(x, torch.Tensor) else x is y or x == y for x, y in pairs
    )


@given(clip=clips())
@few
def test_a_clip_comes_back_from_its_file_as_it_was(clip):
    with tempfile.TemporaryDirectory() as folder:
        path = clip.save(Path(folder) / "clip.safetensors")
        assert same(Clip.load(path), clip)
        assert [p.name for p in Path(folder).iterdir()] == ["clip.safetensors"]


@given(clip=clips(), frames=st.integers(0, 25))
@few
def test_head_where_and_observations_agree(clip, frames):
    keep = torch.arange(len(clip)) < frames
    if (keep & clip.observed).sum() < 2:
        with pytest.raises(UserError, match="at least 2"):
            clip.head(frames)
    else:
        head = clip.head(frames)
        assert same(head, clip.where(keep)) and len(head) == min(frames, len(clip))
        assert torch.equal(head.ws, clip.ws[:frames]) and torch.equal(head.ts, clip.ts[:frames])
    observed = clip.observations()
    assert same(observed, clip.where(clip.observed)) and observed.observed.all()
    assert torch.equal(observed.ws, clip.ws[clip.observed]) and same(observed.observations(), observed)


@given(clip=clips())
@few
def test_the_parts_of_a_split_are_the_shots_with_a_motion(clip):
    numbers = torch.zeros(len(clip)) if clip.shots is None else clip.shots
    motions = [k for k in numbers.unique() if (clip.observed & (numbers == k)).sum() >= 2]
    if len(numbers.unique()) > 1 and not motions:
        with pytest.raises(UserError, match="2 observed"):
            clip.split()
        return
    parts = clip.split()
    assert [len(part) for part in parts] == [int((numbers == k).sum()) for k in motions]
    assert torch.equal(torch.cat([part.ts for part in parts]), clip.ts[torch.isin(numbers, torch.stack(motions))])


BROKEN = {
    "NaN in a code": lambda c: {"ws": poisoned(c.ws, torch.nan)},
    "an infinite code": lambda c: {"ws": poisoned(c.ws, -torch.inf)},
    "a code beyond float32": lambda c: {"ws": poisoned(c.ws.double(), 1e300)},
    "NaN in a time": lambda c: {"ts": poisoned(c.ts, torch.nan)},
    "an infinite time": lambda c: {"ts": torch.cat([c.ts[:-1], c.ts.new_tensor([torch.inf])])},
    "a time twice": lambda c: {"ts": torch.cat([c.ts[:1], c.ts[:-1]])},
    "times backwards": lambda c: {"ts": c.ts.flip(0)},
    "a time too many": lambda c: {"ts": torch.cat([c.ts, c.ts[-1:] + 1])},
    "times in a column": lambda c: {"ts": c.ts[:, None]},
    "one frame": lambda c: {"ws": c.ws[:1], "ts": c.ts[:1], "observed": None},
    "no frame": lambda c: {"ws": c.ws[:0], "ts": c.ts[:0], "observed": None},
    "codes without rows": lambda c: {"ws": c.ws[:, 0]},
    "codes of no row": lambda c: {"ws": c.ws[:, :0]},
    "codes of two layers": lambda c: {"ws": c.ws[:, None].expand(-1, 2, -1, -1)},
    "one number": lambda c: {"ws": torch.tensor(1.0)},
    "one observed frame": lambda c: {"observed": torch.arange(len(c)) == 0},
    "observed too short": lambda c: {"observed": c.observed[:-1]},
    "observed too wide": lambda c: {"observed": c.observed[:, None]},
    "detected too long": lambda c: {"detected": torch.ones(len(c) + 1, dtype=torch.bool)},
    "quads of three corners": lambda c: {"quads": torch.zeros(len(c), 3, 2)},
    "quads too short": lambda c: {"quads": torch.zeros(len(c) - 1, 4, 2)},
    "shots too long": lambda c: {"shots": torch.zeros(len(c) + 1, dtype=torch.long)},
    "shots that decrease": lambda c: {"shots": (torch.arange(len(c)) == 0).long()},
}


def poisoned(values: torch.Tensor, poison: float) -> torch.Tensor:
    values = values.clone()
    values[len(values) // 2] = poison
    return values


@pytest.mark.parametrize("how", BROKEN)
@given(clip=clips(most=6))
@settings(few, max_examples=5)
def test_a_broken_clip_is_refused_in_one_sentence(how, clip):
    with pytest.raises(UserError) as error:
        dataclasses.replace(clip, **BROKEN[how](clip))
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


@given(
    clip=clips(),
    sampling=st.sampled_from(SAMPLINGS),
    stride=st.integers(1, 25) | st.just(10**20),
    seed=st.integers(0, 2**63 - 1),
    hidden_end=st.integers(0, 21),
)
@settings(few, max_examples=150)
def test_sampling_removes_observed_frames_and_adds_none(clip, sampling, stride, seed, hidden_end):
    allowed = clip.observed & (torch.arange(len(clip)) < len(clip) - hidden_end)
    if allowed.sum() < 2:
        with pytest.raises(UserError, match="at least 2"):
            clip.sampled(sampling, stride, seed, hidden_end)
        return
    sparse = clip.sampled(sampling, stride, seed, hidden_end)
    assert not (sparse.observed & ~allowed).any()
    assert same(dataclasses.replace(sparse, observed=clip.observed), clip)
    assert same(sparse, clip.sampled(sampling, stride, seed, hidden_end))
    regular = clip.sampled("regular", stride, hidden_end=hidden_end).observed
    assert stride > 1 or torch.equal(sparse.observed, allowed)
    numbers = torch.zeros(len(clip)) if clip.shots is None else clip.shots
    for k in numbers[allowed].unique():
        known = (allowed & (numbers == k)).nonzero().flatten()
        assert sparse.observed[known[[0, -1]]].all()
        assert sparse.observed[known].sum() == regular[known].sum()
        expected = known[(known % min(stride, len(clip)) == 0) | (known == known[0]) | (known == known[-1])]
        assert torch.equal(regular[known].nonzero().flatten(), torch.searchsorted(known, expected))


@given(
    clip=clips(most=5), wrong=st.sampled_from([{"sampling": "odd"}, {"stride": 0}, {"stride": -3}, {"hidden_end": -1}])
)
@settings(few, max_examples=10)
def test_a_sampling_that_cannot_be_is_refused(clip, wrong):
    with pytest.raises(UserError):
        clip.sampled(**wrong)
    with pytest.raises(UserError, match="seed"):
        clip.sampled(seed=-1)
    with pytest.raises(UserError, match="seed"):
        clip.sampled(seed=2**63)


def shots_with_a_motion(clip: Clip) -> list[Clip]:
    try:
        return clip.split()
    except UserError:
        assume(False)


@given(clip=clips(), name=st.sampled_from(EXACT))
@settings(few, max_examples=100)
def test_interpolations_pass_through_the_observed_codes(clip, name):
    for shot in shots_with_a_motion(clip):
        observed = shot.observations()
        path = methods.fit(clip, name)
        torch.testing.assert_close(path(observed.ts), observed.ws, atol=1e-5, rtol=1e-5)


@given(clip=clips(), name=st.sampled_from(LEARN_NOTHING), seed=st.integers(0, 99))
@few
def test_times_may_come_in_any_order_number_and_form(clip, name, seed):
    shots_with_a_motion(clip)
    path = methods.fit(clip, name)
    queries = torch.cat([clip.ts, clip.ts[0] - 2 + (clip.ts[-1] - clip.ts[0] + 4) * random(seed, 9).double().sigmoid()])
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(seed))
    for evaluate in (path, path.derivative):
        codes = evaluate(queries)
        assert codes.shape == (len(queries), *clip.ws.shape[1:]) and codes.dtype == torch.float32
        torch.testing.assert_close(evaluate(queries[order]), codes[order], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(evaluate(queries.tolist()), codes, atol=1e-6, rtol=1e-6)
        assert evaluate(queries[:0]).shape == (0, *clip.ws.shape[1:])


@given(clip=clips(shots=False), name=st.sampled_from(SMOOTH), fraction=st.floats(0.1, 0.9))
@few
def test_derivatives_agree_with_finite_differences_inside_intervals(clip, name, fraction):
    observed, path = clip.observations(), methods.fit(clip, name)
    lengths = observed.ts.diff()
    at, h = observed.ts[:-1] + fraction * lengths, 0.02 * lengths
    numeric = (path(at + h) - path(at - h)) / (2 * h)[:, None, None]
    # What float32 codes leave of a difference, what h leaves of a cubic, and the path's own scale in each interval.
    scale = (path(at).abs() + path(at + h).abs() + path.derivative(at).abs() * lengths[:, None, None] + 1).amax((1, 2))
    error = (path.derivative(at) - numeric).abs().amax((1, 2)) * lengths
    assert (error <= 0.02 * scale).all()


@given(ts=times(most=10), row=st.integers(-9, 9), slope=st.integers(-9, 9), name=st.sampled_from(LINEAR_EXACT))
@few
def test_linear_motion_is_exact_everywhere(ts, row, slope, name):
    ts = (ts * 512).round() / 512  # binary fractions: the codes are on the line to the last bit
    line = lambda t: torch.stack([row + slope * t, row - 2 * slope * t], -1)[:, None].float()  # noqa: E731
    path = methods.fit(Clip(line(ts), ts), name)
    queries = torch.linspace(float(ts[0]) - 3, float(ts[-1]) + 3, 50, dtype=torch.float64)
    torch.testing.assert_close(path(queries), line(queries), atol=1e-4, rtol=1e-5)
    velocity = torch.tensor([[slope, -2.0 * slope]]).expand(50, 1, 2)
    torch.testing.assert_close(path.derivative(queries), velocity, atol=1e-3, rtol=1e-4)


@given(
    ts=times(most=6),
    factors=st.lists(st.sampled_from([1.0, -1.0, 2.0, -2.0, 0.0, 1 + 1e-7, -1 + 1e-7, 1e-6]), min_size=6, max_size=6),
    tilt=st.sampled_from([0.0, 1e-7, 1e-5, 1e-3]),
    name=st.sampled_from(LEARN_NOTHING),
    seed=st.integers(0, 9),
)
@settings(few, max_examples=100)
def test_paths_stay_finite_through_equal_opposite_and_vanishing_rows(ts, factors, tilt, name, seed):
    base, aside = random(seed, 2, 2, 4)
    ws = torch.stack([factor * base + k * tilt * aside for k, factor in enumerate(factors[: len(ts)])])
    path = methods.fit(Clip(ws, ts[: len(ws)]), name)
    queries = torch.linspace(float(ts[0]) - 1, float(ts[-1]) + 1, 60, dtype=torch.float64)
    assert torch.isfinite(path(queries)).all() and torch.isfinite(path.derivative(queries)).all()
    if name in EXACT:
        torch.testing.assert_close(path(ts[: len(ws)]), ws, atol=1e-4, rtol=1e-4)


@given(clip=clips(shots=False), kind=st.sampled_from(CLOCKS))
@few
def test_clocks_run_forward_and_keep_their_marks(clip, kind):
    clock, observed = Clock.of(kind, clip), clip.ts[clip.observed]
    queries = torch.linspace(float(clip.ts[0]) - 1, float(clip.ts[-1]) + 1, 200, dtype=torch.float64)
    assert (clock(queries).diff() > 0).all() and (clock.rate(queries) > 0).all()
    if kind == "unit":
        torch.testing.assert_close(clock(observed[[0, -1]]), torch.tensor([0.0, 1.0], dtype=torch.float64))
    if kind == "frame":
        rate = 1 / clip.ts.diff().median() if len(clip) % 2 == 0 else None  # the median of an odd number is one of them
        torch.testing.assert_close(clock(observed[:1]), torch.zeros(1, dtype=torch.float64))
        if rate is not None:
            torch.testing.assert_close(clock(observed[-1:]), (observed[-1:] - observed[0]) * rate)
    if kind == "index":
        torch.testing.assert_close(clock(clip.ts), torch.arange(len(clip), dtype=torch.float64))
    inside = clip.ts[:-1] + 0.5 * clip.ts.diff()
    h = 0.1 * clip.ts.diff()
    numeric = (clock(inside + h) - clock(inside - h)) / (2 * h)
    torch.testing.assert_close(clock.rate(inside), numeric, rtol=1e-6, atol=1e-9)
