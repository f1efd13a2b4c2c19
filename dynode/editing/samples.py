"""Random pictures of a generator: what editors learn their attributes from.

They are drawn once, in small files of the user's cache, so that drawing can stop and go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from dynode import assets, generators, runtime
from dynode.gan.pictures import as_images, levels
from dynode.settings import require_positive

CHUNK = 50  # samples a file
RESOLUTION = 256  # pixels at most: all that look at the pictures want no more


@dataclass(frozen=True)
class SampleSettings:
    """How many samples, from which seed, and how near the mean code (psi 1: as the mapping gives them)."""

    count: int = 3000
    seed: int = 0
    truncation_psi: float = 0.7

    def __post_init__(self):
        require_positive(self, "count", "truncation_psi")


@torch.no_grad()
def codes(generator, settings: SampleSettings) -> torch.Tensor:
    """Codes (N, D) of W; the first of them are the same for any count."""
    draws = torch.Generator().manual_seed(runtime.legal_seed(settings.seed))
    z = torch.cat([torch.randn(CHUNK, generator.z_dim, generator=draws) for _ in range(-(-settings.count // CHUNK))])
    parts = [generator.mapping(part.to(generator.w_avg), settings.truncation_psi)[:, 0].cpu() for part in z.split(500)]
    return torch.cat(parts)[: settings.count]


def everywhere(w: torch.Tensor, generator) -> torch.Tensor:
    """Codes (B, D) of W in all rows, (B, L, D)."""
    return w[:, None].expand(-1, generator.num_ws, -1)


def place_of(generator, settings: SampleSettings) -> Path:
    """The folder of the user's cache that holds these samples' pictures."""
    return assets.cache_dir() / "samples" / f"{generator.hash}.{settings.truncation_psi:g}.{settings.seed}"


def pictures(generator, settings: SampleSettings, progress: bool = False) -> Iterator[torch.Tensor]:
    """Images (B, 3, R, R) in [-1, 1] of the codes, in their order, in parts of 50; read where they were drawn before."""
    ws = everywhere(codes(generator, settings), generator)
    yield from drawn(generator, ws, place_of(generator, settings), progress)


def drawn(generator, ws: torch.Tensor, folder: Path, progress: bool = False) -> Iterator[torch.Tensor]:
    """Images of codes (N, L, D) in parts of 50, kept in `folder`, which must belong to these codes alone."""
    resolution = min(RESOLUTION, generator.resolution)
    with tqdm(total=len(ws), desc=f"samples of {generator.name}", disable=not progress, mininterval=2) as bar:
        for k in range(0, len(ws), CHUNK):
            part, path = ws[k : k + CHUNK], folder / f"{k:06d}.safetensors"
            held = load_file(path)["images"] if path.is_file() else None
            if held is None or len(held) < len(part):
                held = levels(generators.render(generator, part, resolution)).contiguous()
                with runtime.written_whole(path) as scratch:
                    save_file({"images": held}, scratch)
            bar.update(len(part))
            yield as_images(held[: len(part)])
