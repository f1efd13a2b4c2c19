"""Observation conditions of an ablation: which codes of a clip are observed, how noisy they are, which are evaluated."""

from dataclasses import dataclass, replace

import torch

from dynode import runtime
from dynode.clips import Clip
from dynode.errors import UserError


@dataclass(frozen=True)
class Condition:
    """One way to observe a clip.

    gap: number of neighbouring frames in the middle that are held out; they alone are evaluated.
    noise: standard deviation of the noise on the observed codes, as a fraction of the codes' own.
    hidden_end: number of last frames that are held out; horizon: only the first that many of them are evaluated.
    """

    sampling: str = "regular"
    stride: int = 4
    gap: int = 0
    noise: float = 0.0
    hidden_end: int = 0
    horizon: int = 0

    @property
    def random(self) -> bool:
        """Whether another seed gives other observations."""
        return self.sampling == "irregular" or self.noise > 0

    def observe(self, clip: Clip, seed: int) -> Clip:
        """The clip as a method observes it: fewer observed frames, and perhaps noise on their codes.

        Raises UserError where the gap leaves less than two frames on either side of it.
        """
        observed = clip.sampled(self.sampling, self.stride, seed, self.hidden_end)
        if self.gap:
            observed = replace(observed, observed=around_gap(observed.observed, middle(len(clip), self.gap)))
        return with_noise(observed, self.noise, seed) if self.noise else observed

    def evaluated(self, clip: Clip) -> torch.Tensor:
        """Which frames (T,) bool of an observed clip are evaluated: those in the gap, those up to `horizon` after the last
        observed one, or all unobserved ones between observed ones."""
        frames, last = torch.arange(len(clip)), int(clip.observed.nonzero().max())
        if self.horizon:
            return (frames > last) & (frames <= last + self.horizon)
        inside = middle(len(clip), self.gap) if self.gap else frames < last
        return inside & ~clip.observed


def middle(frames: int, gap: int) -> torch.Tensor:
    """The `gap` frames in the middle of `frames`, (T,) bool.  Raises UserError where less than two remain on a side."""
    if not 0 < gap <= frames - 4:
        raise UserError(f"A gap of {gap} frames does not fit into {frames}: two must remain on either side.")
    first, at = (frames - gap) // 2, torch.arange(frames)
    return (at >= first) & (at < first + gap)


def around_gap(observed: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
    """Observed frames (T,) with none in the gap (T,) and one at either edge of it."""
    inside = gap.nonzero().flatten()
    observed = observed & ~gap
    observed[[int(inside[0]) - 1, int(inside[-1]) + 1]] = True
    return observed


def with_noise(clip: Clip, level: float, seed: int) -> Clip:
    """White noise on the observed codes, `level` times their standard deviation; unobserved codes stay as they are."""
    rng = torch.Generator().manual_seed(runtime.legal_seed(seed))
    noise = level * code_std(clip.ws) * torch.randn(clip.ws.shape, generator=rng)
    return replace(clip, ws=clip.ws + noise * clip.observed[:, None, None])


def code_std(ws: torch.Tensor) -> float:
    """Standard deviation of codes (T, L, D) about their mean code, over all numbers."""
    return float((ws - ws.mean(0)).double().square().mean().sqrt())
