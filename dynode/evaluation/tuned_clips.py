"""Clips that name the tuning of their generator, by which everything renders them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.evaluation.compare_fits import SAME_TIME, tuned_times
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.generators.registry import name_for
from dynode.settings import choose


def with_tuning(clip: Clip, tuning: str | Path) -> Clip:
    """A clip that names a tuning, a file, or none for "none"; as it is for "".  Raises what `tuned.of_clip` raises."""
    if not tuning:
        return clip
    chosen = tuned.of_clip(clip.meta, f"The clip {clip.name}", tuning)
    meta = {key: value for key, value in clip.meta.items() if key != "tuning"}
    return dataclasses.replace(clip, meta=meta | tuned.marked(chosen))


def with_tunings(footage: Mapping[str, Clip], tunings: Mapping[str, str | Path]) -> dict[str, Clip]:
    """Clips by name, each with its tuning where one is given, which its protocol then says, and on which of its frames it was made.

    Raises UserError for a tuning of a clip that is not among them.
    """
    for name in tunings:
        choose("clip with a tuning", name, footage)
    named = {name: with_tuning(clip, tunings.get(name, "")) for name, clip in footage.items()}
    return {name: said(clip) if tunings.get(name) else clip for name, clip in named.items()}


def said(clip: Clip) -> Clip:
    """A clip whose protocol says by what tuning it is rendered."""
    tuning = tuned.of_clip(clip.meta, f"The clip {clip.name}")
    if tuning is None:
        return clip
    made_from = torch.tensor(tuned_times(clip, tuning), dtype=torch.float64)
    count = int(((clip.ts[:, None] - made_from).abs() < SAME_TIME).any(1).sum())
    words = f"tuned on {count} of {len(clip)} frames" if count else "tuned"
    return dataclasses.replace(clip, meta=clip.meta | {"protocol": "; ".join(filter(None, (clip.protocol, words)))})


def generators_of(footage: Mapping[str, Clip], device: torch.device | str = "cpu") -> dict[str, Generator]:
    """The generators that render clips, by the names of these, each loaded once, and tuned where the clip names a tuning.

    Raises what `name_for` raises.
    """
    names = {name: name_for(clip.meta, f"The clip {clip.name}") for name, clip in footage.items()}
    loaded = {each: generators.load(each, device) for each in dict.fromkeys(names.values())}
    return {name: loaded[each] for name, each in names.items()}
