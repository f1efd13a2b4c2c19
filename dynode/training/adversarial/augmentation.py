"""Differentiable augmentation (Zhao et al. 2020): of real and generated images alike, so that the discriminator of a GAN
cannot learn its few pictures by heart, and gradients reach the generator through it."""

from collections.abc import Callable

import torch

from dynode.settings import choose

SHIFT, HOLE = 1 / 8, 1 / 2  # of a side: the furthest translation, the side of what is cut out


def colour(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Brightness by up to 0.5, saturation from 0 to 2 times, contrast from 0.5 to 1.5 times."""
    brightness, saturation, contrast = uniform(images, rng, 3)
    images = images + (brightness - 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Shifts by up to an eighth of a side, by whole pixels; what comes in is mid-grey."""
    side = images.shape[-1]
    furthest = round(side * SHIFT)
    down, right = ((2 * furthest + 1) * uniform(images, rng, 2)).floor() - furthest
    along = torch.arange(side, device=images.device)
    rows, columns = along[:, None] + down.long(), along + right.long()  # (B, 1, R, 1) and (B, 1, 1, R)
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    moved = images.gather(2, rows.clamp(0, side - 1).expand_as(images))
    return moved.gather(3, columns.clamp(0, side - 1).expand_as(images)) * inside


def cutout(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A square of half a side is mid-grey, anywhere, also in part beyond the edge."""
    side = images.shape[-1]
    half = side * HOLE / 2
    down, right = (side * uniform(images, rng, 2)).floor()
    along = torch.arange(side, device=images.device)
    outside = ((along[:, None] - down).abs() >= half) | ((along - right).abs() >= half)
    return images * outside


AUGMENTATIONS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}


def require_augmentations(names: str) -> None:
    """Raises UserError for an augmentation that there is not."""
    for name in split(names):
        choose("augmentation", name, AUGMENTATIONS)


def split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def augmented(images: torch.Tensor, names: str, rng: torch.Generator) -> torch.Tensor:
    """Images (B, 3, R, R) in [-1, 1], every one changed by draws of its own, differentiable.

    names: of AUGMENTATIONS, between commas, applied in their order there.  rng: on the device of the images.
    """
    chosen = split(names)
    for name, augmentation in AUGMENTATIONS.items():
        if name in chosen:
            images = augmentation(images, rng)
    return images


def uniform(images: torch.Tensor, rng: torch.Generator, n: int) -> torch.Tensor:
    """n numbers in [0, 1) for every image (n, B, 1, 1, 1)."""
    return torch.rand(n, len(images), 1, 1, 1, generator=rng, device=images.device)
