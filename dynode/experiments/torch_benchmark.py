"""This package beside what torch brings itself: compiled fields, ensembles by `torch.func`, and convolutions alone.

The same numbers are computed by both, in turn.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
import torchdiffeq
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from dynode import clips, generators, runtime
from dynode.dynamics.fields import MLPField, StackedFields, time_features
from dynode.dynamics.fitting import single
from dynode.dynamics.fitting.batched import BatchedTrainer
from dynode.dynamics.presets import DynamicsSettings, latent_only, preset
from dynode.dynamics.solvers.rollout import Field, rollout
from dynode.errors import UserError
from dynode.experiments.comparison import Comparison, in_turn, timed
from dynode.generators.stylegan2 import Modulated, ModulatedConv, StyleGAN2, StyleGAN2Settings
from dynode.settings import changed

WORLD, FACE = "scene.day", "single_face.warm"
FRAMES = 36  # observed, of the clip
SMALL = changed(preset("paper_scaled"), {"field.depth": 3})
SOLVES = {  # name -> settings, clip, number of times
    "10": (SMALL, WORLD, 10),
    "100": (SMALL, WORLD, 100),
    "_paper": (preset("paper"), FACE, 10),
    "_robust": (preset("robust"), FACE, 10),
}
FITS = 64
STRIDE = 4
STEPS = 20  # of a fit's 100
PUBLISHED = StyleGAN2Settings(
    resolution=1024, z_dim=512, w_dim=512, depth=8, channel_base=32768, channel_max=512
)  # faces of 1024 pixels (Karras et al. 2020, configuration F)
BACKEND = "inductor"

Solution = tuple[torch.Tensor, list[torch.Tensor]]  # states (T, R, K), gradients of the field's parameters


class Solve:
    """A roll-out from the first of observed states through `times` of a clip's span, and the gradient of its mean square.

    The field has its first weights, also where the settings begin with a field of zero: that would be solved in no time.
    """

    def __init__(self, settings: DynamicsSettings, clip: str, times: int):
        self.settings = changed(latent_only(settings), {"field.zero_init": False})
        fit = single.PreparedFit.of(clips.load(clip).head(FRAMES), self.settings, 0).trainer
        self.field, self.u0 = fit.field, fit.u[0]
        self.taus = torch.linspace(float(fit.taus[0]), float(fit.taus[-1]), times)

    def ours(self) -> Solution:
        """By this package's solver."""
        return self.with_gradients(rollout(self.field, self.u0, self.taus, self.settings.solver).states)

    def theirs(self, field: Field) -> Solution:
        """By torchdiffeq's `dopri5`.  field: our own, or what was compiled of it."""
        solver = self.settings.solver
        tolerances = {"rtol": solver.rtol, "atol": solver.atol}
        states: Any = torchdiffeq.odeint(field, self.u0, self.taus, method="dopri5", **tolerances)
        return self.with_gradients(states)

    def with_gradients(self, states: torch.Tensor) -> Solution:
        return states.detach(), list(torch.autograd.grad(states.square().mean(), list(self.field.parameters())))


def solves(repeats: int, case: str, compiles: bool = False) -> Comparison:
    """A roll-out and its gradient beside torchdiffeq's, of the field as it is or compiled; compiling is not timed."""
    settings, clip, times = SOLVES[case]
    solve = Solve(settings, clip, times)
    with compiled(solve) if compiles else contextlib.nullcontext(solve.field) as field:
        ours, other, (own, _), (states, _) = in_turn(solve.ours, lambda: solve.theirs(field), repeats)
    difference = float((own - states).abs().max() / states.abs().max())
    name = f"roll-out and gradient, {solve.settings.preset}, {times} times{', compiled' * compiles}"
    other_name = f"torchdiffeq{', compiled field' * compiles}"
    return Comparison(name, ours, other, other_name, difference, "share of the largest state", repeats=repeats)


@contextlib.contextmanager
def compiled(solve: Solve) -> Iterator[Field]:
    """The field by torch.compile, after a first solve with it.  Raises UserError where it cannot be compiled."""
    field = torch.compile(solve.field, dynamic=False, backend=BACKEND)
    try:
        try:
            solve.theirs(field)
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise UserError(f"torch.compile failed ({reason}): install a C++ compiler, such as g++.") from None
        yield field
    finally:
        torch.compiler.reset()


class Ensemble(StackedFields):
    """The same plain fields, their networks by `torch.func`: one network, called under `vmap` with the weights of each."""

    def __init__(self, fields: Sequence[MLPField]):
        super().__init__(fields)
        weights, _ = stack_module_state([field.net for field in fields])
        self.net = functools.partial(functional_call, fields[0].net)
        self.names, self.stacked = list(weights), nn.ParameterList(weights.values())
        del self.weights, self.biases

    def forward(self, t: torch.Tensor, u: torch.Tensor, drift: torch.Tensor | None = None) -> torch.Tensor:
        x = torch.cat([u.flatten(-2), time_features(t, self.settings)], -1)
        velocity = vmap(self.net)(dict(zip(self.names, self.stacked, strict=True)), x).view_as(u)
        return velocity + (self.trend_velocity(t) if drift is None else drift)


def ensembles(repeats: int) -> Comparison:
    """Steps of stacked fits, beside those of an `Ensemble`.  Both fits go on with every call."""
    own, others = trainers(FITS), trainers(FITS)
    use_ensemble(others)
    ours, other, states, same = in_turn(lambda: advance(own, STEPS), lambda: advance(others, STEPS), repeats)
    difference = float((states - same).abs().max() / same.abs().max())
    name = f"{STEPS} of 100 steps of {FITS} fits"
    return Comparison(name, ours, other, "torch.func, vmap", difference, "share of the largest state", repeats=repeats)


def trainers(count: int) -> BatchedTrainer:
    """Fits of one clip, each of other frames, before their first step."""
    settings, clip = preset("trend+mlp"), clips.load(WORLD)
    observed = [clip.sampled("irregular", STRIDE, seed, 2) for seed in range(count)]
    prepared = [single.PreparedFit.of(each, settings, seed).trainer for seed, each in enumerate(observed)]
    return BatchedTrainer(prepared, settings)


def use_ensemble(fits: BatchedTrainer) -> None:
    """Compute the fields by an `Ensemble` from now on."""
    fits.fields = Ensemble([each.field for each in fits.trainers])
    t = fits.settings.training
    fits.optimiser = torch.optim.Adam(fits.fields.parameters(), lr=t.lr, betas=t.betas, eps=t.eps, fused=True)


def advance(fits: BatchedTrainer, steps: int) -> torch.Tensor:
    """The states at the ends of all intervals, after some steps."""
    for _ in range(steps):
        fits.step([each.subset() for each in fits.trainers])
    with torch.no_grad():
        return fits.segments(torch.arange(fits.u.shape[1]).expand(len(fits.u), -1))[0]


def decoded(repeats: int) -> Comparison:
    """An image of 1024 pixels beside the published form, which modulates the weights; floor: the convolutions alone.

    The weights are random, which costs what trained ones cost.
    """
    runtime.keep_freed_memory()
    generator = stylegan2(PUBLISHED)
    ws = generator.mapping(torch.randn(1, PUBLISHED.z_dim, generator=torch.Generator().manual_seed(0)))

    def published() -> torch.Tensor:
        with weights_modulated(generator):
            return generators.render(generator, ws, PUBLISHED.resolution)

    ours, other, own, same = in_turn(lambda: generators.render(generator, ws, PUBLISHED.resolution), published, repeats)
    difference, name = float((own - same).abs().max()), f"StyleGAN2 of random weights, {PUBLISHED.resolution} px"
    floor = seconds_of_convolutions(generator, repeats)
    return Comparison(name, ours, other, "weights modulated", difference, "[-1,1]", floor, repeats)


def stylegan2(settings: StyleGAN2Settings) -> StyleGAN2:
    """A generator of random weights, frozen."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        generator = StyleGAN2(settings)
    return generator.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@contextlib.contextmanager
def weights_modulated(generator: StyleGAN2) -> Iterator[None]:
    """Within, the style of an image scales the weights of its convolutions (Karras et al. 2020, Eqs. 1 and 3)."""
    convolutions = [each.conv for each in generator.modulated]
    for conv in convolutions:
        conv.forward = functools.partial(modulated, conv)
    try:
        yield
    finally:
        for conv in convolutions:
            del conv.forward


def modulated(conv: ModulatedConv, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """`conv` of one image x (1, C, H, W) with its style (1, C), by weights of its own."""
    weight = conv.weight * conv.scale * style[0, :, None, None]
    if conv.demodulate:
        weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
    x = convolved(conv, x, weight)
    return F.conv2d(x, conv.blur, padding=1, groups=x.shape[1]) if conv.up else x


def convolved(conv: ModulatedConv, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The convolution alone of images x (B, C, H, W), upsampling where `conv` does."""
    if conv.up:
        return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return F.conv2d(x, weight, padding=weight.shape[2] // 2)


@torch.no_grad()
def seconds_of_convolutions(generator: StyleGAN2, repeats: int) -> float:
    """Seconds of all convolutions of one image without their filters after upsampling, each at its best of several."""
    return sum(
        min(timed(lambda each=each, x=x: convolved(each.conv, x, each.conv.weight)) for _ in range(repeats + 1))
        for each, x in ((each, input_of(each)) for each in generator.modulated)
    )


def input_of(each: Modulated) -> torch.Tensor:
    """Random features (1, C, H, W), as the convolution gets them."""
    size = each.resolution // (1 + each.conv.up)
    return torch.randn(1, each.conv.weight.shape[1], size, size).to(memory_format=torch.channels_last)


COMPARISONS: dict[str, Callable[[int], Comparison]] = {
    **{f"solve{case}": functools.partial(solves, case=case) for case in SOLVES},
    **{f"compiled{case}": functools.partial(solves, case=case, compiles=True) for case in SOLVES},
    "vmap": ensembles,
    "stylegan2": decoded,
}
