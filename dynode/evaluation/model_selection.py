"""Choosing a setting without looking at what is to be predicted: half of the observed frames judge the other half."""

import dataclasses
from collections.abc import Iterable

from tqdm import tqdm

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation.records import Row, averaged
from dynode.metrics.latent import latent_mse, skill


def of_depths(
    footage: Iterable[Clip],
    depths: Iterable[int],
    settings,
    *,
    stride: int = 4,
    seeds: Iterable[int] = (0,),
    device="cpu",
    progress: bool = False,
) -> list[Row]:
    """Skill in codes over linear for every clip, DEPTH and seed, at observed frames that the fit was not shown.

    Of the frames that a regular sampling of `stride` observes, every second one is shown; the others judge.  Frames
    that the sampling hides are touched by nobody.  Raises UserError where nothing is left to judge.
    """
    found, jobs = [], [(clip, depth, seed) for clip in footage for depth in depths for seed in seeds]
    for clip, depth, seed in tqdm(jobs, desc="choose depth", unit="fit", disable=not progress):
        shown = clip.sampled("regular", stride).observations().sampled("regular", 2)
        judged = ~shown.observed
        if not judged.any():
            raise UserError(
                f"{clip.name} has {len(clip)} frames: too few to hide half of those that stride {stride} leaves."
            )
        chosen = dataclasses.replace(settings, field=dataclasses.replace(settings.field, depth=depth))
        path = methods.fit(shown, chosen, seed=seed, device=device)
        errors, linear = (latent_mse(each(shown.ts), shown.ws)[judged] for each in (path, methods.fit(shown, "linear")))
        named = {"clip": clip.name, "method": chosen.preset, "seed": seed, "sampling": "regular", "stride": stride}
        found.append(
            Row(
                "skill_latent",
                skill(errors, linear),
                variant=f"depth {depth}",
                split="unobserved",
                space="latent",
                **named,
            )
        )
    return found


def best(found: list[Row]) -> int:
    """The DEPTH whose skill, averaged over clips and seeds, is highest; the smaller of equals."""
    means = {}
    for row in averaged(found):
        means.setdefault(int(row.variant.removeprefix("depth ")), []).append(row.value)
    return max(sorted(means), key=lambda depth: sum(means[depth]) / len(means[depth]))
