"""Vector fields f(t, u): the paper's MLP, with options for time features, layout, normalisation and a trend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dynode.dynamics.trend import SCALES, Trend, slope
from dynode.settings import choose, require_positive

ACTIVATIONS = {
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}
TIME_FEATURES = ("none", "raw", "fourier", "waves")
HARMONICS = 4  # of a period, among the waves
LAYOUTS = ("shared", "shared+row-embedding", "joint")
DRIFTS = ("none", "trend")
NORMALISATIONS = {"none": None, "feature": -1, "layer": -2, "global": (-2, -1)}  # the axes of (R, K) that are normed


@dataclass(frozen=True)
class FieldSettings:
    """depth: how often the paper's block (activation, linear) is repeated after the first linear layer (paper's DEPTH).

    0 stands for the one that every fit chooses by observed frames that it leaves out, see
    `dynode.dynamics.fitting.depth_choice`; the settings of the trajectory then have the chosen one.
    """

    depth: int = 3
    hidden: int = 512
    activation: str = "leaky_relu"
    time_features: str = "raw"  # "none" makes the field autonomous
    frequencies: int = 4  # of "fourier": sin and cos of pi k t, k = 1..frequencies, beside t itself
    # of "waves": as many k for each observed interval, and harmonics of a period, all with amplitudes
    waves: float = 1.5
    layout: str = "shared"  # one MLP for every row | with a learned row embedding | all rows at once
    row_embedding: int = 16
    zero_init: bool = False  # the field is zero before training: a constant path
    normalise: str = "none"  # divide by the norm over "feature" (each row), "layer" (each channel) or "global"
    learned_speed: bool = False  # a normalised field times one learned number
    drift: str = "none"  # "trend": the velocity of a Gaussian process through the observed states is added to the MLP
    trend_noise: bool = True  # the trend estimates the noise of the observed states; else it interpolates them
    recurring: bool = False  # the trend, or without one the waves, may have a period, by a log-evidence margin of 10
    sees_state: bool = True  # False: the MLP gets zeros for the state, so that the path is a curve in time alone
    # standard deviation of what waves add to a unit of the first layer; 0: the initialisation of PyTorch
    spread: float = 0.0
    state_spread: float = 0.0  # the same for states of RMS 1, with `spread`
    scaled: bool = False  # the velocity is multiplied by the standard deviation of the observed states, by coordinate

    def __post_init__(self):
        require_positive(self, "hidden")


class MLPField(nn.Module):
    """du/dt = MLP(u, time features), for states u (..., R, K): R rows of K numbers (paper Eq. 4, Sec. B.3).

    With settings.drift "trend" the velocity of a trend through `knots` observed states is added, after `trend.fit`.
    Raises ValueError for a depth of 0, which is no depth yet.
    """

    amplitudes: torch.Tensor  # (F,), of waves
    period: torch.Tensor  # of waves, in the field's time; 0: none
    scales: torch.Tensor  # (R, K), of a scaled velocity

    def __init__(self, state_shape: tuple[int, int], settings: FieldSettings, knots: int = 0):
        super().__init__()
        if not settings.depth:
            raise ValueError("a field wants a depth of 1 or more: one of 0 is chosen by the fit")
        choose("drift", settings.drift, DRIFTS)
        choose("layout", settings.layout, LAYOUTS)
        choose("kind of time features", settings.time_features, TIME_FEATURES)
        self.axes = choose("normalisation", settings.normalise, NORMALISATIONS)
        self.settings = settings
        rows, width = state_shape
        out = rows * width if settings.layout == "joint" else width
        extra = time_width(settings, knots)
        if settings.layout == "shared+row-embedding":
            self.rows = nn.Parameter(0.1 * torch.randn(rows, settings.row_embedding))
            extra += settings.row_embedding
        self.net = build_mlp(out + extra, out, settings)
        if settings.spread:
            spread_out(self.net, out, settings)
        if settings.time_features == "waves":
            self.register_buffer("amplitudes", torch.ones(time_width(settings, knots)))
            self.register_buffer("period", torch.zeros(()))  # 0: none
        if settings.scaled:
            self.register_buffer("scales", torch.ones(state_shape))
        self.speed = nn.Parameter(torch.ones(())) if settings.learned_speed else None
        trend = Trend(state_shape, knots, settings.trend_noise, settings.recurring)
        self.trend = trend if settings.drift == "trend" else None

    def forward(self, t: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        velocity = normalised(self.net(self.inputs(t, u)).reshape(u.shape), self.axes, self.speed)
        if self.settings.scaled:
            velocity = velocity * self.scales
        return velocity if self.trend is None else velocity + self.trend(torch.as_tensor(t).to(u))

    def inputs(self, t: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """What the MLP gets (..., width): state, time features, row embeddings."""
        flat = u.flatten(-2) if self.settings.layout == "joint" else u
        parts = [flat if self.settings.sees_state else 0 * flat, *self.time_parts(t, flat)]
        if self.settings.layout == "shared+row-embedding":
            parts.append(self.rows.expand(*flat.shape[:-1], -1))
        return torch.cat(parts, dim=-1)

    def hidden(self, t: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """What the last layer gets, and a 1 for its bias (..., hidden + 1)."""
        activations = self.net[:-1](self.inputs(t, u))
        return torch.cat([activations, torch.ones_like(activations[..., :1])], -1)

    def wave_features(self, t: torch.Tensor) -> torch.Tensor:
        """t (...) -> sin and cos of pi k t, then of the harmonics of a period (..., F), times their amplitudes."""
        count = (len(self.amplitudes) - 2 * HARMONICS) // 2
        turns = 2 * math.pi / self.period if self.period else torch.zeros_like(self.period)
        angles = [math.pi * t[..., None] * torch.arange(1, count + 1).to(t)]
        angles.append(turns.to(t) * t[..., None] * torch.arange(1, HARMONICS + 1).to(t))
        return torch.cat([part for each in angles for part in (each.sin(), each.cos())], -1) * self.amplitudes

    def time_parts(self, t: torch.Tensor, flat: torch.Tensor) -> list[torch.Tensor]:
        """Time features broadcast to the state; t is a scalar, or has the leading shape of the state.  [] for "none"."""
        t = torch.as_tensor(t, dtype=flat.dtype, device=flat.device)
        features = self.wave_features(t) if self.settings.time_features == "waves" else time_features(t, self.settings)
        if not features.shape[-1]:
            return []
        while features.dim() < flat.dim():
            features = features.unsqueeze(-2)
        return [features.expand(*flat.shape[:-1], -1)]


class StackedFields(nn.Module):
    """B fields of equal settings and shape as one, their layers as batched products: du/dt (B, m, R, K).

    Times are (B, m), states (B, m, R, K).  `can_stack` says for which settings.
    """

    def __init__(self, fields: Sequence[MLPField]):
        super().__init__()
        self.settings, self.activation, self.axes = fields[0].settings, fields[0].net[1], fields[0].axes
        layers = [[layer for layer in field.net if isinstance(layer, nn.Linear)] for field in fields]
        stacked = list(zip(*layers, strict=True))
        self.weights = nn.ParameterList(torch.stack([one.weight.T for one in each]).detach() for each in stacked)
        self.biases = nn.ParameterList(torch.stack([one.bias for one in each])[:, None].detach() for each in stacked)
        speeds = [field.speed.detach().view(1, 1, 1) for field in fields if field.speed is not None]
        self.speeds = nn.Parameter(torch.stack(speeds)) if speeds else None
        self.trends = [field.trend for field in fields]
        if self.trends[0] is not None:
            parts = ("weights", "knots", "heights", *SCALES)
            stacked_parts = [torch.stack([getattr(trend, name) for trend in self.trends]) for name in parts]
            self.trend_weights, *self.kernels = stacked_parts

    def forward(self, t: torch.Tensor, u: torch.Tensor, drift: torch.Tensor | None = None) -> torch.Tensor:
        """drift (B, m, R, K): `trend_velocity` at these times, computed here by default."""
        x = torch.cat([u.flatten(-2), time_features(t, self.settings)], -1)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, self.activation(x) if k else x, weight)
        velocity = normalised(x.view_as(u), self.axes, self.speeds)
        return velocity + (self.trend_velocity(t) if drift is None else drift)

    def trend_velocity(self, t: torch.Tensor) -> torch.Tensor:
        """The trends' velocities (..., B, m, R, K) at times (..., B, m); zeros (..., B, m, 1, 1) without trends."""
        if self.trends[0] is None:
            return torch.zeros_like(t)[..., None, None]
        weights = self.trend_weights
        return torch.matmul(slope(t, *self.kernels), weights.flatten(2)).unflatten(-1, weights.shape[2:])

    @torch.no_grad()
    def unstack(self, fields: Sequence[MLPField]) -> None:
        """Copy the weights back into each field."""
        for k, field in enumerate(fields):
            layers = [layer for layer in field.net if isinstance(layer, nn.Linear)]
            for layer, weight, bias in zip(layers, self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[k].T)
                layer.bias.copy_(bias[k, 0])
            if self.speeds is not None and field.speed is not None:
                field.speed.copy_(self.speeds[k].squeeze())


def can_stack(settings: FieldSettings) -> bool:
    """Whether `StackedFields` has these settings: those of the layout "joint" and a plain field."""
    return settings.layout == "joint" and is_plain(settings)


def is_plain(settings: FieldSettings) -> bool:
    """Whether the MLP gets its state and `time_features`, and its output is not scaled."""
    return settings.time_features != "waves" and settings.sees_state and not settings.scaled


def normalised(velocity: torch.Tensor, axes: int | tuple[int, int] | None, speed: torch.Tensor | None) -> torch.Tensor:
    """Velocities divided by their norm over `axes`, unless None (1e-6 as in Khrulkov et al. and the demo), times `speed`."""
    if axes is not None:
        velocity = velocity / (torch.linalg.vector_norm(velocity, dim=axes, keepdim=True) + 1e-6)
    return velocity if speed is None else velocity * speed


def time_width(settings: FieldSettings, knots: int = 0) -> int:
    """How many time features there are, for a clip of `knots` observed frames."""
    if settings.time_features == "waves":
        return 2 * (max(1, round(settings.waves * (knots - 1))) + HARMONICS)
    return {"none": 0, "raw": 1, "fourier": 1 + 2 * settings.frequencies}[settings.time_features]


def time_features(t: torch.Tensor, settings: FieldSettings) -> torch.Tensor:
    """t (...) -> features (..., F)."""
    if settings.time_features == "none":
        return t[..., None][..., :0]
    if settings.time_features == "raw":
        return t[..., None]
    angles = math.pi * t[..., None] * torch.arange(1, settings.frequencies + 1).to(t)
    return torch.cat([t[..., None], angles.sin(), angles.cos()], dim=-1)


def spread_out(net: nn.Sequential, states: int, settings: FieldSettings) -> None:
    """Draw the weights of all layers but the last so that units differ over the range of times and states.

    states: how many of the inputs are the state's, the first ones; all others are waves, whose squares sum to 1.
    """
    layers = [layer for layer in net if isinstance(layer, nn.Linear)][:-1]
    for layer in layers:
        nn.init.normal_(layer.weight, std=settings.spread / math.sqrt(layer.in_features))
        nn.init.normal_(layer.bias, std=settings.spread / 2)
    with torch.no_grad():
        first = layers[0].weight
        first[:, :states] = settings.state_spread / math.sqrt(states) * torch.randn_like(first[:, :states])
        first[:, states:] = settings.spread * torch.randn_like(first[:, states:])


def build_mlp(width_in: int, width_out: int, settings: FieldSettings) -> nn.Sequential:
    """A first linear layer, then `depth` times (activation, linear); the last linear layer gives the output."""
    layers: list[nn.Module] = [nn.Linear(width_in, settings.hidden)]
    for block in range(settings.depth):
        last = block == settings.depth - 1
        layers.append(choose("activation", settings.activation, ACTIVATIONS)())
        layers.append(nn.Linear(settings.hidden, width_out if last else settings.hidden))
    if settings.zero_init:
        for parameter in layers[-1].parameters():
            nn.init.zeros_(parameter)
    return nn.Sequential(*layers)
