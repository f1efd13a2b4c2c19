"""Reconstruction error of inversion: how near codes render to the frames they were made from."""

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.inversion import encoder_files as encoders
from dynode.inversion import frame_sources
from dynode.metrics import METRICS
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS


def face_width(clip: Clip) -> float:
    """Mean side of the alignment square in source pixels: the resolution of the face in the footage."""
    if clip.quads is None:
        raise UserError(f"The clip {clip.name} has no alignment: it was not made from a video of a face.")
    return float((clip.quads[:, 3] - clip.quads[:, 0]).norm(dim=1).mean())


def reconstruction(
    images: torch.Tensor, source: torch.Tensor, perceptual: LPIPS, identity: Identity
) -> dict[str, torch.Tensor]:
    """MSE, LPIPS (of the net given) and identity cosine of images (T, 3, R, R) against source frames, each (T,)."""
    with torch.no_grad():
        lpips = torch.cat([perceptual(a[None], b[None]) for a, b in zip(images, source, strict=True)])
    values = {"mse": METRICS["mse"](images, source), f"lpips_{perceptual.net}": lpips.double()}
    return values | {"identity": METRICS["identity"](images, source, identity)}


def against(clip: Clip, other: Clip) -> dict[str, float]:
    """What an inversion costs beside another one of the same frames: ratios of mean squared error and of seconds."""
    mse = [sum(each.meta["mse"]) / len(each) for each in (clip, other)]
    seconds = [each.meta["provenance"]["seconds_last_run"] for each in (clip, other)]
    return {"mse_ratio": mse[0] / mse[1], "seconds_ratio": seconds[0] / seconds[1]}


def encoder_rows(footage: list[Clip], device: torch.device | str = "cpu") -> list[Row]:
    """Cost of an encoder's codes beside projected ones, of every clip that comes with a clip `<name>.encoder` of them.

    Ratios of mean squared error and of seconds, and the ratio of mean squared error of the encoder's passes alone.
    """
    encoded = {clip.name.removesuffix(".encoder"): clip for clip in footage if clip.name.endswith(".encoder")}
    rows = []
    for clip in (clip for clip in footage if clip.name in encoded):
        ratios = against(encoded[clip.name], clip) | {"passes_mse_ratio": passes_mse_ratio(clip, device)}
        category = generators.category_of(clip.meta["generator"])
        for key, ratio in ratios.items():
            rows.append(Row(f"encoder_{key}", ratio, category, f"{clip.name}.encoder", reference="truth"))
    return rows


def passes_mse_ratio(clip: Clip, device: torch.device | str) -> float:
    """Mean squared error of the encoder's passes, without refinement, over that of the clip's projected codes."""
    generator = generators.load(clip.meta["generator"], device)
    encoder = encoders.load(encoders.shipped_for(generator), generator)
    images = frame_sources.reference_images(clip, generator.resolution)["truth"]
    codes = torch.cat([encoder(part.to(device)).cpu() for part in images.split(8)])
    made = generators.render(generator, codes, generator.resolution)
    return float(METRICS["mse"](made, images).mean()) / (sum(clip.meta["mse"]) / len(clip))
