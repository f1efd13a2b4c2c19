"""Known paths: small curves in a plane of W+ that show what an autonomous field cannot represent.

Solutions of du/dt = f(u) never meet: a path that returns to a state must continue as it did before, for ever, and a path
that stands still stays.  The curves need no generator.
"""

import math

import torch

from dynode.clips import Clip
from dynode.settings import choose

SHAPE = (10, 128)  # rows and width of the codes, those of the generators of the worlds
RADIUS = 3.0
REST = (0.4, 0.6)  # when the pausing path stands still, as fractions of its duration


def loop(s: torch.Tensor) -> torch.Tensor:
    """Twice round a circle."""
    return torch.stack([(4 * math.pi * s).cos(), (4 * math.pi * s).sin()], -1)


def crossing(s: torch.Tensor) -> torch.Tensor:
    """A figure of eight from one end of it, which passes its middle in two directions."""
    return torch.stack([(2 * math.pi * s).cos(), -(4 * math.pi * s).sin()], -1)


def pause(s: torch.Tensor) -> torch.Tensor:
    """Along an arc, at rest in its middle, and on."""
    before, after = s / REST[0], (s - REST[1]) / (1 - REST[1])
    position = torch.where(s < REST[0], (math.pi / 2 * before).sin(), 2 - (math.pi / 2 * after.clamp(min=0)).cos())
    position = torch.where((s >= REST[0]) & (s <= REST[1]), 1.0, position) / 2
    return torch.stack([position, (math.pi * position).sin()], -1)


def return_trip(s: torch.Tensor) -> torch.Tensor:
    """Along an arc and back the same way."""
    return torch.stack([(math.pi * s).sin(), (math.pi * s).sin().square()], -1)


CURVES = {"loop": loop, "crossing": crossing, "pause": pause, "return": return_trip}


def plane(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A code (L, D) and two orthonormal directions (2, L, D) from it."""
    rng = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(math.prod(SHAPE), 2, generator=rng, dtype=torch.float64))[0]
    return torch.randn(SHAPE, generator=rng, dtype=torch.float64), directions.T.reshape(2, *SHAPE)


def clip_of(name: str, frames: int = 49, seconds: float = 2.0) -> Clip:
    """The known path of that name as a clip of `frames` frames.  Raises UserError for other names."""
    ts = torch.linspace(0, seconds, frames, dtype=torch.float64)
    centre, directions = plane()
    points = RADIUS * choose("known path", name, CURVES)(ts / seconds)
    return Clip(centre + torch.einsum("tk,kld->tld", points, directions), ts, meta={"name": name})


def on_plane(ws: torch.Tensor) -> torch.Tensor:
    """Coordinates (T, 2) of codes (T, L, D) in the plane of the known paths."""
    centre, directions = plane()
    return torch.einsum("tld,kld->tk", ws.double() - centre, directions)
