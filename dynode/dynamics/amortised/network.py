"""The field and the context encoder that clips of a category share: du/dt = f(u, t, c), c from all observed codes of a clip.

States u (K,) are visible coordinates of codes (`axes`); times are seconds since the first observed frame.  The encoder is a
transformer over the observed states, in any number and at any times, as in neural processes (Kim et al. 2019); that a network
infers from a clip what a fit would search for is called amortised inference (Gershman & Goodman 2014).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.settings import choose, require_positive

WAVES_PER_SPAN = 0.375  # frequency of the slowest wave, in periods over the span that clips have


@dataclass(frozen=True)
class AmortisedNetworkSettings:
    """The shape of both networks.  context: numbers that say which clip this is.  seconds: the span of the clips they learn from.

    state: how the field looks at the state: "mlp", as all its inputs | "linear", by a matrix alone, A u + b(t, c) | "none", so that
    it is a curve in time.
    model: what clips share: the "field" with its encoder | "gru" | "latent_ode" (`sequence_network`), as controls, of layers as wide and
    as many, which depart from linear interpolation (`straight`), or from the first state | "prior", the kernel of `prior`, no network.
    noise: standard deviation of a coordinate of an observed state, of models with a likelihood.
    """

    coordinates: int = 48
    context: int = 96
    hidden: int = 192
    layers: int = 2
    heads: int = 4
    frequencies: int = 32
    seconds: float = 2.0
    state: str = "mlp"
    model: str = "field"
    straight: bool = True
    noise: float = 0.01

    def __post_init__(self):
        choose("field", self.state, ["mlp", "linear", "none"])
        choose("shared model", self.model, ["field", "gru", "latent_ode", "prior"])
        require_positive(self, "coordinates", "context", "hidden", "layers", "heads", "frequencies", "seconds", "noise")


class Waves(nn.Module):
    """Times (...) in seconds -> features (..., 1 + 2 F): the time, and waves from slow to fast."""

    def __init__(self, settings: AmortisedNetworkSettings):
        super().__init__()
        self.frequencies, self.seconds = settings.frequencies, settings.seconds
        self.width = 1 + 2 * settings.frequencies

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        angle = torch.arange(1, self.frequencies + 1).to(t) * (2 * math.pi * WAVES_PER_SPAN / self.seconds)
        waves = t[..., None] * angle
        return torch.cat([t[..., None] - self.seconds / 2, waves.sin(), waves.cos()], -1)


class ContextEncoder(nn.Module):
    """Observed states (B, n, K) at times (B, n) -> contexts (B, C)."""

    def __init__(self, settings: AmortisedNetworkSettings):
        super().__init__()
        self.waves, width = Waves(settings), settings.context
        self.read = nn.Linear(2 * settings.coordinates + self.waves.width, width)
        layer = nn.TransformerEncoderLayer(
            width, settings.heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.summary = nn.Parameter(torch.zeros(1, 1, width))
        self.write = nn.Linear(width, width)

    def forward(self, u: torch.Tensor, ts: torch.Tensor, observed: torch.Tensor | None = None) -> torch.Tensor:
        """observed (B, n) bool: which of the states count; the first one always does."""
        tokens = self.read(torch.cat([u, u - u[:, :1], self.waves(ts)], -1))
        tokens = torch.cat([self.summary.expand(len(u), -1, -1), tokens], 1)
        hidden = None if observed is None else ~torch.cat([observed.new_ones(len(u), 1), observed], 1)
        return self.write(self.layers(tokens, src_key_padding_mask=hidden)[:, 0])


class AmortisedField(nn.Module):
    """The velocity (..., K) per second of states u (..., K) at times t of clips with the contexts c.

    The first layer's part that does not depend on the state, `driven`, needs no solve and is made for all times at once.
    The last layer starts at zero: an untrained field stands still.
    """

    def __init__(self, settings: AmortisedNetworkSettings):
        super().__init__()
        self.waves, width = Waves(settings), settings.hidden
        self.of_time = nn.Linear(self.waves.width, width)
        self.gain, self.of_context = nn.Linear(settings.context, width), nn.Linear(settings.context, width)
        inputs, self.linear = settings.coordinates, settings.state == "linear"
        outputs = {"mlp": width, "linear": settings.coordinates, "none": 0}[settings.state]
        self.of_state = nn.Linear(inputs, outputs, bias=False) if outputs else None
        self.inner, self.last = nn.Linear(width, width), nn.Linear(width, settings.coordinates)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        if self.linear and self.of_state is not None:
            nn.init.zeros_(self.of_state.weight)

    def driven(self, t: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """What time and context bring to the first layer, (..., H), for times t (...) and contexts c (..., C)."""
        return self.of_time(self.waves(t)) * (1 + self.gain(c)) + self.of_context(c)

    def velocity(self, driven: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        of_state = 0 if self.of_state is None else self.of_state(u)
        x = F.silu(driven if self.linear else driven + of_state)
        velocity = self.last(x + F.silu(self.inner(x)))
        return velocity + of_state if self.linear else velocity

    def forward(self, t: torch.Tensor, u: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.velocity(self.driven(t, c), u)


class FieldOfClip(nn.Module):
    """The field of one clip, f(t, u) with its context c (C,), as solvers take it; t a number or one (T,) for each state (T, K)."""

    def __init__(self, field: AmortisedField, context: torch.Tensor):
        super().__init__()
        self.field = field
        self.register_buffer("context", context)

    def forward(self, t: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return self.field(t, u, self.context.to(u))
