"""Training images of a world: rendered once, into small files, so that rendering can be interrupted and resumed; or on a
GPU, where they are drawn anew as training goes on."""

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
TIMES_SHOWN = 24  # how often a fresh image is shown before another takes its place
SAMPLES = 2  # rays per pixel side
RAYS = 2**22  # drawn at once: fills a GPU, and takes about 2 GB of it


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
    folder = folder_of(world, resolution, seed, folder)
    with tqdm(total=n, desc=f"draw {world.name}", unit="picture", disable=not progress, mininterval=2) as bar:
        for k in range(0, n, CHUNK):
            path, chunk = folder / f"{k:06d}.safetensors", factors.from_normal(world.factors, z[k : k + CHUNK])
            if not path.is_file():
                save(path, world.images(chunk, resolution, device=device))
            images[k : k + CHUNK] = load_file(path)["images"]
            bar.update(CHUNK)
    return z, images


def folder_of(world: World, resolution: int, seed: int, folder: Path | None = None) -> Path:
    """Where the files of a world's images lie, in `folder` or the user's cache."""
    name = f"{world.name}.{resolution}.{seed}.{renderer_hash(world)}"
    return Path(folder or assets.own_dir() / "pictures") / name


def pictures_there(world: World, resolution: int, seed: int = TRAINING_SEED) -> int:
    """How many images of a world the user's cache has."""
    return CHUNK * len([*folder_of(world, resolution, seed).glob("[0-9]*.safetensors")])


def save(path: Path, images: torch.Tensor) -> None:
    """Write images (n, 3, R, R) in [-1, 1] as uint8."""
    with files.written_whole(path, keep=False) as scratch:
        save_file({"images": to_levels(images)}, scratch)


class FreshPictures:
    """Images of a world on a device, the oldest of which are drawn anew as training goes on.

    z (n, Z), levels uint8 (n, 3, R, R): as `pictures` has them; both are renewed in place.  seed: of the factors.
    times_shown: how often a training shows an image before another takes its place.
    """

    def __init__(
        self,
        world: World,
        n: int,
        resolution: int,
        device: torch.device | str,
        seed: int = TRAINING_SEED,
        times_shown: int = TIMES_SHOWN,
    ):
        require_some(n)
        self.world, self.oldest, self.due, self.times_shown = world, 0, 0.0, times_shown
        self.rng = torch.Generator(device).manual_seed(seed)
        self.z = torch.empty(n, factors.normal_dim(world.factors), device=device)
        self.levels = torch.empty(n, 3, resolution, resolution, dtype=torch.uint8, device=device)
        self.chunk = max(1, min(n, RAYS // (resolution * SAMPLES) ** 2))
        for _ in range(-(-n // self.chunk)):
            self.renew()

    def renew_after(self, shown: int) -> None:
        """Count images that a batch shows, and renew a chunk once as many are due."""
        self.due += shown / self.times_shown
        if self.due >= self.chunk:
            self.due -= self.chunk
            self.renew()

    @torch.no_grad()
    def renew(self) -> None:
        """Draw new images over the oldest ones."""
        chosen = slice(self.oldest, self.oldest + self.chunk)
        z, levels = self.z[chosen], self.levels[chosen]
        z.normal_(generator=self.rng)
        drawn = factors.from_normal(self.world.factors, z)
        levels.copy_(to_levels(self.world.render(drawn, self.levels.shape[-1], SAMPLES)))
        self.oldest = chosen.stop if chosen.stop < len(self.z) else 0
