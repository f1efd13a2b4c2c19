"""How near what clips share comes to whole development episodes that taught nothing, beside linear interpolation."""

from collections.abc import Callable

import torch

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
        made, linear = predicted(shown), interpolated(states[:, shown], shown)
        errors = [(path - states)[:, hidden].square().sum() for path in (made, linear)]
        result[f"over_linear_stride_{stride}"] = round(float(errors[0] / errors[1]), 4)
    return result


def seconds(shown: list[int], episodes: int) -> torch.Tensor:
    """The times (N, n) of the observed frames of all episodes."""
    return (torch.tensor(shown) / FPS).expand(episodes, -1)


def interpolated(states: torch.Tensor, shown: list[int]) -> torch.Tensor:
    """States (B, FRAMES, K) by linear interpolation of those of the frames `shown`."""
    at, every = torch.tensor(shown), torch.arange(FRAMES)
    k = (torch.searchsorted(at, every, right=True) - 1).clamp(0, len(shown) - 2)
    weight = ((every - at[k]) / (at[k + 1] - at[k]))[:, None]
    return torch.lerp(states[:, k], states[:, k + 1], weight)
