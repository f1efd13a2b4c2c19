"""Training images of a world: rendered once, into small files, so that rendering can be interrupted and resumed."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from dynode.errors import UserError
from dynode.io import assets, files
from dynode.io.images import to_levels
from dynode.worlds import World, factors

TRAINING_SEED, HELD_OUT_SEED = 0, 1  # of the images that are trained on, and of those that quality is measured on
CHUNK = 256  # images in a file
PROBES, PROBE_SEED = 32, 99  # images that identify a renderer


def require_some(n: int) -> None:
    """Raises UserError for less than one picture."""
    if n < 1:
        raise UserError(f"At least one picture of a world is wanted to learn from, got {n}.")


def renderer_hash(world: World) -> str:
    """Eight hex digits that identify a renderer by the levels of a few small images, rendered on the CPU.

    Images in the cache that another renderer made are not used.
    """
    images = world.images(factors.from_normal(world.factors, normal_latents(world, PROBES, PROBE_SEED)), 16, samples=1)
    return hashlib.sha256(to_levels(images).numpy().tobytes()).hexdigest()[:8]


def normal_latents(world: World, n: int, seed: int) -> torch.Tensor:
    """Standard normal numbers (n, Z) that determine the factors of n images."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, factors.normal_dim(world.factors), generator=rng)


def pictures(
    world: World,
    n: int,
    resolution: int,
    *,
    folder: Path | None = None,
    seed: int = TRAINING_SEED,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normal numbers z (n, Z) and the images uint8 (n, 3, R, R) of the factors they map to.

    n is rounded up to whole files of 256.  Finished files in `folder`, by default of the user's cache, are read, the others
    rendered.  Raises UserError for less than one image.
    """
    require_some(n)
    n = -(-n // CHUNK) * CHUNK
    z, images = normal_latents(world, n, seed), torch.empty(n, 3, resolution, resolution, dtype=torch.uint8)
    folder = Path(folder or assets.own_dir() / "pictures") / f"{world.name}.{resolution}.{seed}.{renderer_hash(world)}"
    with tqdm(total=n, desc=f"draw {world.name}", unit="picture", disable=not progress, mininterval=2) as bar:
        for k in range(0, n, CHUNK):
            path, chunk = folder / f"{k:06d}.safetensors", factors.from_normal(world.factors, z[k : k + CHUNK])
            if not path.is_file():
                save(path, world.images(chunk, resolution, device=device))
            images[k : k + CHUNK] = load_file(path)["images"]
            bar.update(CHUNK)
    return z, images


def save(path: Path, images: torch.Tensor) -> None:
    """Write images (n, 3, R, R) in [-1, 1] as uint8."""
    with files.written_whole(path, keep=False) as scratch:
        save_file({"images": to_levels(images)}, scratch)
