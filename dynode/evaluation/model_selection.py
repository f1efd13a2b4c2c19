"""Choosing DEPTH without the frames that are to be predicted: half of the observed frames validate fits to the other half."""

import dataclasses
from collections.abc import Collection

import torch
from tqdm import tqdm

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.presets import DynamicsSettings
from dynode.errors import UserError
from dynode.evaluation.records import Row, averaged
from dynode.metrics.latent import latent_mse, skill


def of_depths(
    footage: Collection[Clip],
    depths: Collection[int],
    settings: DynamicsSettings,
    *,
    stride: int = 4,
    seeds: Collection[int] = (0,),
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> list[Row]:
    """Skill in codes over linear interpolation for every clip, DEPTH and seed, at held-out observed frames.

    Of the frames that a regular sampling of `stride` observes, every second one is fitted; the others validate.  Frames
    that the sampling leaves out are not used.  Raises UserError without clips, depths or seeds, and where no frame
    is left to validate.
    """
    if not footage:
        raise UserError("There is no clip to choose DEPTH for: name at least one.")
    require_choices("depths", depths, 1)
    require_choices("seeds", seeds, 0)
    jobs = [(clip, depth, seed) for clip in footage for depth in depths for seed in seeds]
    bar = tqdm(jobs, desc="choose depth", unit="fit", disable=not progress, delay=0.1)
    return [depth_row(clip, depth, seed, settings, stride, device) for clip, depth, seed in bar]


def require_choices(name: str, values: Collection[int], lowest: int) -> None:
    """Raises UserError for none, for one below `lowest`, and for the same one twice."""
    if not values or min(values) < lowest or len(set(values)) < len(values):
        given = " ".join(map(str, values)) or "none"
        raise UserError(f"The {name} must be different whole numbers of {lowest} or more, such as 1 2 3, got {given}.")


def depth_row(
    clip: Clip, depth: int, seed: int, settings: DynamicsSettings, stride: int, device: torch.device | str
) -> Row:
    """The skill of one fit, in codes, on the half of the observed frames that it was not fitted to."""
    observed = clip.sampled("regular", stride).observations().sampled("regular", 2)
    held_out = ~observed.observed
    if not held_out.any():
        raise UserError(
            f"{clip.name} has {len(clip)} frames: too few to hold out half of those that stride {stride} leaves; "
            "take a smaller stride or a longer excerpt."
        )
    chosen = dataclasses.replace(settings, field=dataclasses.replace(settings.field, depth=depth))
    paths = methods.fit(observed, chosen, seed=seed, device=device), methods.fit(observed, "linear")
    errors, linear = (latent_mse(path(observed.ts), observed.ws)[held_out] for path in paths)
    return Row(
        "skill_latent",
        skill(errors, linear),
        clip=clip.name,
        protocol=clip.protocol,
        method=chosen.preset,
        sampling="regular",
        stride=stride,
        split="unobserved",
        space="latent",
        variant=f"depth {depth}",
        seed=seed,
    )


def best(rows: list[Row]) -> int:
    """The DEPTH whose skill, averaged over clips and seeds, is highest; the smaller of equals."""
    means: dict[int, list[float]] = {}
    for row in averaged(rows):
        means.setdefault(int(row.variant.removeprefix("depth ")), []).append(row.value)
    return max(sorted(means), key=lambda depth: sum(means[depth]) / len(means[depth]))
