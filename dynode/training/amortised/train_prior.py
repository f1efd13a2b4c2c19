"""The kernel of `prior` of the development episodes of a world: by marginal likelihood of all encoded frames, to convergence."""

import time
from pathlib import Path
from typing import Any

import torch

from dynode import runtime
from dynode.clips import Clip
from dynode.dynamics.amortised import prior_files
from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.dynamics.baselines import motion_prior
from dynode.training.amortised.encoded_episodes import FPS, FRAMES, EncodedEpisodes
from dynode.training.amortised.held_out_quality import quality


def train_prior(
    output: Path, encoded: EncodedEpisodes, whole: EncodedEpisodes, axes: VisibleAxes, owner: dict[str, str], job: str
) -> dict[str, Any]:
    """Learn the kernel, write the file, and return its card.  whole: held out.  job: the settings, as JSON."""
    started = time.time()
    kernel = motion_prior.learn(clips_of(encoded))
    card = {
        "settings": job,
        "episodes_shown": len(encoded),
        "hours": (time.time() - started) / 3600,
        "quality": prior_quality(kernel, whole, axes),
        "provenance": runtime.provenance(torch.device("cpu")),
    }
    prior_files.save(kernel, output, owner, card)
    return card


def clips_of(episodes: EncodedEpisodes) -> list[Clip]:
    """Every episode as a clip of its encoded frames."""
    frames = zip(episodes.ws, episodes.index, episodes.valid, strict=True)
    return [Clip(ws[valid], index[valid].double() / FPS, meta={"name": "episode"}) for ws, index, valid in frames]


def prior_quality(kernel: motion_prior.Kernel, whole: EncodedEpisodes, axes: VisibleAxes) -> dict[str, float]:
    """`quality` of the posterior means of whole episodes, under the kernel adapted to each."""
    every = torch.arange(FRAMES).double() / FPS

    def predicted(shown: list[int]) -> torch.Tensor:
        parts = [Clip(ws[shown], every[shown], meta={"name": "episode"}) for ws in whole.ws]
        with torch.enable_grad():
            paths = [motion_prior.conditioned(kernel, part) for part in parts]
        return torch.stack([axes.encode(path(every)) for path in paths])

    return quality(axes.encode(whole.ws), predicted)
