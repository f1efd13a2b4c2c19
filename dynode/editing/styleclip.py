"""StyleCLIP (Patashnik et al. 2021): edits by a text.

Two of its three variants are here: optimisation of one code (Sec. 4), and a mapper, a network trained for one text
(Sec. 5; trained by `dynode.training.train_mapper`).  The third, global directions, is in `styleclip_direction`.
The image-text network that scores the agreement is part of every name: `styleclip[clip[ViT-B/32]]`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import nn
from tqdm import tqdm

from dynode.border import ordinary_numbers
from dynode.editing.editor_files import FORMATS, EditorFormat
from dynode.editing.editors import Strength, editing_method, first_rows, per_code
from dynode.editing.listing import attribute_file
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.generators.stylegan2 import GAIN, EqualLinear
from dynode.io.tensor_files import half_precision, undamaged
from dynode.perception.image_text import ImageText
from dynode.settings import require_positive

FILES = FORMATS.add("styleclip", EditorFormat("mapper", "dynode-mapper-1", "mappers", "train mapper"))
STEP = 0.1  # scale of a mapper's output: w' = w + 0.1 M(w)
SCORING_RESOLUTION = 256  # pixels of the images that image-text and identity networks score, at most

Embedding = Callable[[torch.Tensor], torch.Tensor]  # images (B, 3, R, R) -> unit vectors (B, K)


@dataclass(frozen=True)
class OptimisationSettings:
    """Optimisation of one code towards a text; the published numbers."""

    steps: int = 300
    lr: float = 0.1
    ramp_up: float = 0.05  # fraction of the steps in which the rate rises
    ramp_down: float = 0.25  # fraction of the steps in which it falls, along a cosine
    stay: float = 0.008  # weight of the squared distance from the initial code
    identity: float = 0.0  # weight of 1 - cosine of the identities, for faces

    def __post_init__(self):
        require_positive(self, "steps", "lr", "ramp_up", "ramp_down")

    def rate(self, step: int) -> float:
        """The learning rate at a step (as in the projector of StyleGAN2)."""
        t = step / self.steps
        down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / self.ramp_down))
        return self.lr * down * min(1.0, t / self.ramp_up)


def scoring_resolution(generator: Generator) -> int:
    """Pixels a side at which images are synthesized for scoring."""
    return min(SCORING_RESOLUTION, generator.resolution)


def optimise(
    ws: torch.Tensor,
    text: str,
    generator: Generator,
    image_text: ImageText,
    settings: OptimisationSettings = OptimisationSettings(),
    identity: Embedding | None = None,
    progress: bool = False,
) -> torch.Tensor:
    """Codes (B, L, D) near `ws` whose images agree with a text (StyleCLIP Eq. 1).

    identity: images -> unit vectors; its term is left out without one.
    Raises UserError for a text that the image-text network cannot read.
    """
    target, size = image_text.texts([text]), scoring_resolution(generator)
    edited = ws.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([edited], lr=settings.lr)
    identity = identity if settings.identity else None
    with torch.no_grad():
        before = identity(generator.synthesis(ws, size)) if identity else None
    for step in tqdm(range(settings.steps), desc=text, disable=not progress, mininterval=2):
        optimiser.param_groups[0]["lr"] = settings.rate(step)
        images = generator.synthesis(edited, size)
        loss = (1 - image_text.images(images) @ target.T).sum() + settings.stay * (edited - ws).square().sum()
        if identity is not None and before is not None:
            loss = loss + settings.identity * (1 - (identity(images) * before).sum(1)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return edited.detach()


@dataclass(frozen=True)
class MapperSettings:
    """The text and the shape of its mapper; `coarse`, `medium`, `fine`: whether that group of rows has a network."""

    text: str = ""
    width: int = 32  # of the hidden layers; the published one is as wide as W
    depth: int = 4
    coarse: bool = True
    medium: bool = True
    fine: bool = True

    def __post_init__(self):
        require_positive(self, "width", "depth")


def row_groups(num_ws: int) -> dict[str, slice]:
    """Which rows are coarse, medium and fine: those of the published 18, of the face generator's 23, else thirds."""
    known = {18: (4, 8), 23: (5, 11)}
    a, b = known.get(num_ws, (-(-num_ws // 3), -(-2 * num_ws // 3)))
    return {"coarse": slice(0, a), "medium": slice(a, b), "fine": slice(b, num_ws)}


def mlp(w_dim: int, width: int, depth: int) -> nn.Sequential:
    """Equalised linear layers with leaky ReLU; the last starts at zero, so an untrained mapper changes nothing."""
    widths = [w_dim, *[width] * (depth - 1), w_dim]
    layers: list[nn.Module] = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [EqualLinear(a, b, lr_multiplier=0.01), nn.LeakyReLU(0.2)]
    nn.init.zeros_(cast(torch.Tensor, layers[-2].weight))
    return nn.Sequential(*layers)


class Mapper(nn.Module):
    """An editor for one text: each group of rows is shifted by its own network's output (StyleCLIP Eq. 4)."""

    space = "w+"

    def __init__(self, settings: MapperSettings, num_ws: int, w_dim: int, name: str = ""):
        super().__init__()
        self.settings, self.name, self.rows = settings, name or f"styleclip:{settings.text}", row_groups(num_ws)
        groups = [group for group in self.rows if getattr(settings, group)]
        if not groups:
            raise UserError("A mapper wants at least one of coarse, medium and fine to be true.")
        self.networks = nn.ModuleDict({group: mlp(w_dim, settings.width, settings.depth) for group in groups})

    def offset(self, ws: torch.Tensor) -> torch.Tensor:
        """0.1 M(w) (B, L, D); 0 in rows without a network."""
        normalised = ws * torch.rsqrt(ws.square().mean(-1, keepdim=True) + 1e-8)
        offset = torch.zeros_like(ws)
        for group, network in self.networks.items():
            offset[:, self.rows[group]] = STEP * GAIN * network(normalised[:, self.rows[group]])
        return offset

    @ordinary_numbers
    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) edited in their first `rows` rows only (0: all); strength 1 is the edit trained for."""
        return first_rows(ws + per_code(strength, ws) * self.offset(ws), ws, rows)


def save(mapper: Mapper, path: Path, generator: Generator, card: dict) -> None:
    """Write a mapper in half precision; card["teacher"] names the image-text network."""
    FILES.save(half_precision(mapper), path, generator, card, mapper.settings)


def load(name_or_path: Path | str, generator: Generator) -> Mapper:
    """A mapper, frozen, of a loaded generator.

    Raises UserError for an unknown name and for the mapper of another generator.
    """
    path = FILES.locate(name_or_path)
    tensors, settings, card = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        name = f"styleclip[{card['teacher']}]:{path.stem.rpartition('.')[2]}"
        mapper = Mapper(MapperSettings(**settings), generator.num_ws, generator.w_dim, name)
        mapper.load_state_dict(tensors)
    return mapper.to(generator.w_avg.device).eval().requires_grad_(False)


@editing_method("styleclip")
def load_attribute(attribute: str, generator: Generator) -> Mapper:
    """The shipped mapper of an attribute, or a file of the user's."""
    return load(attribute_file(FILES, attribute, generator), generator)
