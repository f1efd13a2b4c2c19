"""What a method gets to see of a clip: how many codes, which ones and how noisy; and where it is judged."""

from dataclasses import dataclass, replace

import torch

from dynode import runtime
from dynode.clips import Clip
from dynode.errors import UserError


@dataclass(frozen=True)
class Condition:
    """One way to observe a clip.

    gap: so many neighbouring frames in the middle are observed by nobody, and they alone are judged.
    noise: standard deviation added to every number of the observed codes, as a share of the codes' own.
    hidden_end: the last so many frames are observed by nobody; ahead: judged are only the first so many of them.
    """

    sampling: str = "regular"
    stride: int = 4
    gap: int = 0
    noise: float = 0.0
    hidden_end: int = 0
    ahead: int = 0

    @property
    def drawn(self) -> bool:
        """Whether another seed shows other codes."""
        return self.sampling == "irregular" or self.noise > 0

    def shown(self, clip: Clip, seed: int) -> Clip:
        """The clip as a method sees it: fewer observed frames, and perhaps noise on their codes.

        Raises UserError where the gap leaves less than two frames on either side of it.
        """
        shown = clip.sampled(self.sampling, self.stride, seed, self.hidden_end)
        if self.gap:
            shown = replace(shown, observed=around(shown.observed, middle(len(clip), self.gap)))
        return noisy(shown, self.noise, seed) if self.noise else shown

    def judged(self, shown: Clip) -> torch.Tensor:
        """Which frames (T,) bool are judged: hidden ones in the gap, at most `ahead` after the last observed, or all
        between observed ones."""
        frames, last = torch.arange(len(shown)), int(shown.observed.nonzero().max())
        if self.ahead:
            return (frames > last) & (frames <= last + self.ahead)
        inside = middle(len(shown), self.gap) if self.gap else frames < last
        return inside & ~shown.observed


def middle(frames: int, gap: int) -> torch.Tensor:
    """The `gap` frames in the middle of so many, (T,) bool."""
    if not 0 < gap <= frames - 4:
        raise UserError(f"A gap of {gap} frames does not fit into {frames}: two must remain on either side.")
    first, at = (frames - gap) // 2, torch.arange(frames)
    return (at >= first) & (at < first + gap)


def around(observed: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
    """Observed frames (T,) with none in the gap and one at either edge of it."""
    inside = gap.nonzero().flatten()
    observed = observed & ~gap
    observed[[int(inside[0]) - 1, int(inside[-1]) + 1]] = True
    return observed


def noisy(clip: Clip, share: float, seed: int) -> Clip:
    """White noise on the observed codes; what is hidden stays as it is."""
    draws = torch.Generator().manual_seed(runtime.legal_seed(seed))
    noise = share * spread(clip.ws) * torch.randn(clip.ws.shape, generator=draws)
    return replace(clip, ws=clip.ws + noise * clip.observed[:, None, None])


def spread(ws: torch.Tensor) -> float:
    """Standard deviation of codes (T, L, D) about their mean code, over all numbers."""
    return float((ws - ws.mean(0)).double().square().mean().sqrt())
