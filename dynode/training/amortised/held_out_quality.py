"""How near what clips share comes to whole development episodes that taught nothing, beside linear interpolation."""

from collections.abc import Callable

import torch

from dynode.dynamics.amortised.sequence_network import ObservedStates
from dynode.training.amortised.encoded_episodes import FPS, FRAMES

HELD_OUT = 8  # whole episodes that the quality is measured on
STRIDES = (2, 4, 8, 16)


@torch.no_grad()
def quality(states: torch.Tensor, predicted: Callable[[list[int]], torch.Tensor]) -> dict[str, float]:
    """Summed squared errors over those of linear interpolation, at regular strides of whole episodes, states (N, FRAMES, K).

    predicted: of the indices of the observed frames, states (N, FRAMES, K).
    """
    result = {}
    for stride in STRIDES:
        shown = sorted({*range(0, FRAMES, stride), FRAMES - 1})
        hidden = [k for k in range(FRAMES) if k not in shown]
        known = ObservedStates.of(states[:, shown], seconds(shown, len(states)), None)
        made, linear = predicted(shown), known.interpolated(torch.arange(FRAMES) / FPS)
        errors = [(path - states)[:, hidden].square().sum() for path in (made, linear)]
        result[f"over_linear_stride_{stride}"] = round(float(errors[0] / errors[1]), 4)
    return result


def seconds(shown: list[int], episodes: int) -> torch.Tensor:
    """The times (N, n) of the observed frames of all episodes."""
    return (torch.tensor(shown) / FPS).expand(episodes, -1)
