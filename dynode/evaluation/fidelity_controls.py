"""Controls for tables of face fidelity: what each measure says where nothing was made, and where it is somebody else."""

import io

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import pad

from dynode.evaluation.face_fidelity import FaceFidelity, FaceNetworks, fidelity
from dynode.io.images import from_uint8, to_uint8

QUALITY = 75  # of JPEG, that of ordinary pictures on the web
PIXELS = 1  # at 256 pixels a side


def shifted(images: torch.Tensor, pixels: int = PIXELS, quality: int = QUALITY) -> torch.Tensor:
    """Images (T, 3, R, R) moved right and down by some pixels and recompressed as JPEG: what nobody would call another face."""
    moved = pad(images, [pixels, 0, pixels, 0], mode="replicate")[..., : images.shape[-2], : images.shape[-1]]
    return torch.stack([from_uint8(recompressed(picture, quality)) for picture in to_uint8(moved)])


def recompressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """A picture uint8 (H, W, 3) as JPEG of that quality shows it."""
    with io.BytesIO() as stored:
        Image.fromarray(picture).save(stored, "JPEG", quality=quality)
        return np.array(Image.open(stored))


def controls(
    source: torch.Tensor, others: torch.Tensor | None = None, networks: FaceNetworks | None = None
) -> dict[str, FaceFidelity]:
    """The same measures of source frames (T, 3, R, R), T >= 2, against themselves shifted, their neighbours and other people.

    others: aligned frames (n, 3, R, R) of somebody else, repeated to T.
    """
    networks = networks or FaceNetworks()
    compared = {
        "shifted by a pixel, JPEG 75": fidelity(source, shifted(source), networks=networks),
        "neighbouring frames": fidelity(source[:-1], source[1:], networks=networks),
    }
    if others is not None:
        somebody = others[torch.arange(len(source)) % len(others)]
        compared["another person"] = fidelity(source, somebody, networks=networks)
    return compared
