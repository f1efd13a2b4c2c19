"""What tables call the measures of `evaluation.face_fidelity`, of made faces against their source; fine structure."""

import torch
from torchvision.transforms.functional import gaussian_blur

from dynode.metrics.registry import quantity

FINE, COARSE = 1.0, 4.0  # standard deviations in pixels: what lies between them is detail, below FINE mostly noise
SHIFT = 4  # pixels, two of a face at 256: eyes moved by as much are not another structure
FACES = ("face",)

quantity("eye_opening", better="lower", space="image", label="eye opening", categories=FACES)
quantity("gaze", unit="eye widths", better="lower", space="image", label="gaze", categories=FACES)
quantity("mouth_opening", unit="face heights", better="lower", space="image", label="mouth opening", categories=FACES)
quantity("lpips_vgg_eyes", better="lower", space="image", label="LPIPS-VGG eyes", categories=FACES)
quantity("lpips_vgg_mouth", better="lower", space="image", label="LPIPS-VGG mouth", categories=FACES)
quantity("lpips_alex_eyes", better="lower", space="image", label="LPIPS-Alex eyes", categories=FACES)
quantity("lpips_alex_mouth", better="lower", space="image", label="LPIPS-Alex mouth", categories=FACES)
quantity("detail_eyes", better="higher", space="image", label="detail eyes %", scale=100, digits=0, categories=FACES)
quantity("detail_mouth", better="higher", space="image", label="detail mouth %", scale=100, digits=0, categories=FACES)
quantity("contrast_eyes", unit="ratio", space="image", label="contrast eyes %", scale=100, digits=0, categories=FACES)
quantity("contrast_mouth", unit="ratio", space="image", label="contrast mouth %", scale=100, digits=0, categories=FACES)
quantity("dlib_distance", better="lower", space="image", label="dlib distance", categories=FACES)
quantity("blinks", space="image", digits=0, categories=FACES)
quantity("blinks_missing", better="lower", space="image", label="blinks missing", digits=0, categories=FACES)
quantity("blinks_extra", better="lower", space="image", label="blinks extra", digits=0, categories=FACES)


def fine_structure(images: torch.Tensor) -> torch.Tensor:
    """Grey (B, R, R) of images (B, 3, R, R) between two blurs: edges of lids, irises and teeth, neither light nor grain."""
    grey = images.mean(1, keepdim=True)
    fine, coarse = (gaussian_blur(grey, [2 * round(3 * sigma) + 1] * 2, [sigma] * 2) for sigma in (FINE, COARSE))
    return (fine - coarse)[:, 0]


def contrast(structure: torch.Tensor) -> torch.Tensor:
    """The standard deviation (B,) of fine structure (B, R, R)."""
    return structure.flatten(1).std(1)


def agreement(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Correlation (B,) of two fine structures (B, R, R) at the best shift of at most SHIFT pixels either way.

    A smear as rich in contrast as the eye that it replaces keeps the contrast, not this.
    """
    size = true.shape[-1] - 2 * SHIFT
    middle = standardised(true[:, SHIFT : SHIFT + size, SHIFT : SHIFT + size])
    shifts = [(y, x) for y in range(2 * SHIFT + 1) for x in range(2 * SHIFT + 1)]
    products = [(middle * standardised(made[:, y : y + size, x : x + size])).sum(1) for y, x in shifts]
    return torch.stack(products).amax(0)


def standardised(structure: torch.Tensor) -> torch.Tensor:
    """Structure (B, r, r) as vectors (B, r * r) of mean 0 and length 1; of what is flat, 0."""
    flat = structure.flatten(1)
    return torch.nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1, eps=1e-6)
