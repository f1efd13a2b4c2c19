"""StyleCLIP (Patashnik et al. 2021): edits that a text asks for.

Two of its three ways are here: optimisation of one code (Sec. 4), and a mapper, a network that was taught one text
(Sec. 5; `editing/train_mapper.py` teaches it).  The third, a global direction, is in `editing/global_direction.py`.
Which network tells how well image and text agree is part of every name: `styleclip[clip[ViT-B/32]]`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from dynode.editing.editor_files import Kind
from dynode.errors import UserError
from dynode.generators.stylegan2 import GAIN, EqualLinear
from dynode.io.tensor_files import half_precision, undamaged
from dynode.perception.image_text import ImageText
from dynode.settings import require_positive

FILES = Kind("mapper", "dynode-mapper-1", "mappers", "train-mapper")
STEP = 0.1  # of what a mapper says: w' = w + 0.1 M(w)
SEEN = 256  # pixels that image-text networks and identity are shown, at most


@dataclass(frozen=True)
class OptimisationSettings:
    """How one code is moved towards a text; the published numbers."""

    steps: int = 300
    lr: float = 0.1
    ramp_up: float = 0.05  # share of the steps in which the rate rises
    ramp_down: float = 0.25  # share of the steps in which it falls, along a cosine
    stay: float = 0.008  # weight of the squared distance from the code it began with
    identity: float = 0.0  # weight of 1 - cosine of the identities, for faces

    def __post_init__(self):
        require_positive(self, "steps", "lr", "ramp_up", "ramp_down")

    def rate(self, step: int) -> float:
        """The learning rate at a step (that of the projector of StyleGAN2)."""
        t = step / self.steps
        down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / self.ramp_down))
        return self.lr * down * min(1.0, t / self.ramp_up)


def seen_at(generator) -> int:
    """Pixels that images are made at to be judged."""
    return min(SEEN, generator.resolution)


def optimised(
    ws: torch.Tensor,
    text: str,
    generator,
    image_text: ImageText,
    settings: OptimisationSettings = OptimisationSettings(),
    identity: Callable | None = None,
    progress: bool = False,
) -> torch.Tensor:
    """Codes (B, L, D) whose images agree with a text, near those that were given (StyleCLIP Eq. 1).

    identity: images -> unit vectors, wanted where settings.identity is above 0.
    Raises UserError for a text that the image-text part cannot read.
    """
    wanted, size = image_text.texts([text]), seen_at(generator)
    moved = ws.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([moved], lr=settings.lr)
    with torch.no_grad():
        who = identity(generator.synthesis(ws, size)) if settings.identity else None
    for step in tqdm(range(settings.steps), desc=text, disable=not progress, mininterval=2):
        optimiser.param_groups[0]["lr"] = settings.rate(step)
        images = generator.synthesis(moved, size)
        loss = (1 - image_text.images(images) @ wanted.T).sum() + settings.stay * (moved - ws).square().sum()
        if who is not None:
            loss = loss + settings.identity * (1 - (identity(images) * who).sum(1)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return moved.detach()


@dataclass(frozen=True)
class MapperSettings:
    """The text and the shape of its mapper; `coarse`, `medium` and `fine` say which rows have a network at all."""

    text: str = ""
    width: int = 32  # of the hidden layers; the published one is as wide as W
    depth: int = 4
    coarse: bool = True
    medium: bool = True
    fine: bool = True

    def __post_init__(self):
        require_positive(self, "width", "depth")


def groups_of(num_ws: int) -> dict[str, slice]:
    """Which rows are coarse, medium and fine: those of the published 18, of the face generator's 23, else thirds."""
    known = {18: (4, 8), 23: (5, 11)}
    a, b = known.get(num_ws, (-(-num_ws // 3), -(-2 * num_ws // 3)))
    return {"coarse": slice(0, a), "medium": slice(a, b), "fine": slice(b, num_ws)}


def mlp(w_dim: int, width: int, depth: int) -> nn.Sequential:
    """Equalised linear layers with leaky ReLU; the last begins at zero: an untaught mapper changes nothing."""
    widths = [w_dim, *[width] * (depth - 1), w_dim]
    layers: list[nn.Module] = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [EqualLinear(a, b, lr_multiplier=0.01), nn.LeakyReLU(0.2)]
    nn.init.zeros_(layers[-2].weight)
    return nn.Sequential(*layers)


class Mapper(nn.Module):
    """An editor for one text: rows (B, L, D) -> rows moved by what their group's network says (StyleCLIP Eq. 4)."""

    space = "w+"

    def __init__(self, settings: MapperSettings, num_ws: int, w_dim: int, name: str = ""):
        super().__init__()
        self.settings, self.name, self.rows = settings, name or f"styleclip:{settings.text}", groups_of(num_ws)
        taught = {group: getattr(settings, group) for group in self.rows}
        if not any(taught.values()):
            raise UserError("A mapper wants at least one of coarse, medium and fine to be true.")
        shape = (w_dim, settings.width, settings.depth)
        self.networks = nn.ModuleDict({group: mlp(*shape) for group, wanted in taught.items() if wanted})

    def offset(self, ws: torch.Tensor) -> torch.Tensor:
        """0.1 M(w) (B, L, D); rows without a network stay."""
        even = ws * torch.rsqrt(ws.square().mean(-1, keepdim=True) + 1e-8)
        moved = torch.zeros_like(ws)
        for group, network in self.networks.items():
            moved[:, self.rows[group]] = STEP * GAIN * network(even[:, self.rows[group]])
        return moved

    def edit(self, ws: torch.Tensor, strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) edited; strength 1 is what the mapper was taught, the first `rows` rows only (0: all)."""
        share = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)
        moved = ws + share * self.offset(ws)
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)


def save(mapper: Mapper, path: Path, generator, card: dict) -> None:
    """Write a mapper in half precision; card["teacher"] names the image-text network."""
    FILES.save(half_precision(mapper), path, generator, card, mapper.settings)


def load(name_or_path: Path | str, generator) -> Mapper:
    """A mapper, frozen, of a loaded generator.  Raises UserError for an unknown one and for that of another generator."""
    path = FILES.found(name_or_path)
    tensors, settings, card = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        name = f"styleclip[{card['teacher']}]:{path.stem.rpartition('.')[2]}"
        mapper = Mapper(MapperSettings(**settings), generator.num_ws, generator.w_dim, name)
        mapper.load_state_dict(tensors)
    return mapper.to(generator.w_avg.device).eval().requires_grad_(False)
