"""The pictures a generator learns from: drawn once, in small files, so that drawing can stop and go on."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from dynode.io import files
from dynode.io.images import to_levels
from dynode.worlds import World, factors

CHUNK = 256  # pictures a file
PROBES, PROBE_SEED = 32, 99  # pictures that tell one renderer from another


def renderer_hash(world: World) -> str:
    """Eight hex digits of what the renderer draws: pictures of another renderer are not found again.

    A few small pictures are drawn on the CPU, and their levels count.
    """
    images = world.images(factors.from_normal(world.factors, normal_latents(world, PROBES, PROBE_SEED)), 16, samples=1)
    return hashlib.sha256(to_levels(images).numpy().tobytes()).hexdigest()[:8]


def normal_latents(world: World, n: int, seed: int) -> torch.Tensor:
    """Standard normal numbers (n, Z) that decide n pictures."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, factors.normal_dim(world.factors), generator=generator)


def pictures(
    world: World,
    n: int,
    resolution: int,
    *,
    folder: Path,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normal numbers z (n, Z) and the pictures uint8 (n, 3, R, R) of the factors they map to.

    n is rounded up to whole files of 256. Finished files in `folder` are read, the others drawn.
    """
    n = -(-n // CHUNK) * CHUNK
    z, images = normal_latents(world, n, seed), torch.empty(n, 3, resolution, resolution, dtype=torch.uint8)
    place = Path(folder) / f"{world.name}.{resolution}.{seed}.{renderer_hash(world)}"
    with tqdm(total=n, desc=f"draw {world.name}", unit="picture", disable=not progress, mininterval=2) as bar:
        for k in range(0, n, CHUNK):
            path = place / f"{k:06d}.safetensors"
            if not path.is_file():
                save(
                    path, world.images(factors.from_normal(world.factors, z[k : k + CHUNK]), resolution, device=device)
                )
            images[k : k + CHUNK] = load_file(path)["images"]
            bar.update(CHUNK)
    return z, images


def save(path: Path, images: torch.Tensor) -> None:
    """Pictures (n, 3, R, R) in [-1, 1] as uint8."""
    with files.written_whole(path) as scratch:
        save_file({"images": to_levels(images)}, scratch)
