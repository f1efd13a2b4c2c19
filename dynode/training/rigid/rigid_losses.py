"""The losses of a window of RIGID (Xu et al. 2023): reconstruction, short-term, in-between.

    reconstruction:  |r_t - c_t|^2 + 0.8 LPIPS(r_t, c_t)
    short-term:      2 |warp_t(r_(t-1)) - warp_t(c_(t-1))|_1
    in-between:      5 |e_t - m_t warp_t(e_(t-1)) - (1 - m_t) warp_t(e_(t+1))|_1

c: source frames, r: reconstructions, e: edited frames, as they are pasted; warp_t samples a neighbour along the source's flow
from frame t.  m_t: 1 where the frame before shows what frame t shows and the next does not, 0 the other way round, else a half.
"""

from dataclasses import dataclass

import torch

from dynode.inversion.joint.image_flow import flow_between, visibility
from dynode.metrics.warping import warped
from dynode.perception.lpips import LPIPS
from dynode.training.rigid.rigid_settings import RIGIDTrainingSettings

TERMS = ("reconstruction", "short_term", "in_between")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Flows of a shot's T frames and what is visible along them, in pixels of the frames.

    before, after: flows (T - 1, 2, R, R) from each later frame to the one before it, and from each earlier frame to the next.
    visible_before, visible_after (T - 1, R, R): which pixels of the frame that a flow starts from are visible where it leads.
    """

    before: torch.Tensor
    after: torch.Tensor
    visible_before: torch.Tensor
    visible_after: torch.Tensor

    def part(self, first: int, frames: int) -> "Neighbours":
        """Those within a window of that many frames, from frame `first` on."""
        inside = slice(first, first + frames - 1)
        return Neighbours(
            self.before[inside], self.after[inside], self.visible_before[inside], self.visible_after[inside]
        )

    def share(self, t: int) -> torch.Tensor:
        """m_t (R, R) of an inner frame t: how much of it the frame before is to show."""
        before, after = self.visible_before[t - 1], self.visible_after[t]
        return 0.5 + 0.5 * (before - after)


def neighbours(frames: torch.Tensor, longest: int) -> Neighbours:
    """The flows of a shot's frames (T, 3, R, R), estimated at `longest` pixels a side at most."""
    after, before = [], []
    for one, other in zip(frames, frames[1:], strict=False):
        there, back = flow_between(one, other, longest)
        after.append(there)
        before.append(back)
    pairs = list(zip(before, after, strict=True))
    visible_before = torch.stack([visibility(back, there) for back, there in pairs])
    visible_after = torch.stack([visibility(there, back) for back, there in pairs])
    return Neighbours(torch.stack(before), torch.stack(after), visible_before, visible_after)


@dataclass(frozen=True)
class WindowLosses:
    """The weighted terms of a window, by TERMS."""

    settings: RIGIDTrainingSettings
    perceptual: LPIPS

    def __call__(
        self, sources: torch.Tensor, made: torch.Tensor, edited: torch.Tensor, flows: Neighbours
    ) -> dict[str, torch.Tensor]:
        """sources, made, edited: (n, 3, R, R) in [-1, 1], the source frames, their reconstructions and the edited ones."""
        return {
            "reconstruction": self.reconstruction(sources, made),
            "short_term": self.short_term(sources, made, flows),
            "in_between": self.in_between(edited, flows),
        }

    def reconstruction(self, sources: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        s, loss = self.settings, made.new_zeros(())
        if s.mse:
            loss = loss + s.mse * (made - sources).square().mean()
        if s.lpips:
            loss = loss + s.lpips * self.perceptual(made.clamp(-1.9, 1.9), sources).mean()
        return loss

    def short_term(self, sources: torch.Tensor, made: torch.Tensor, flows: Neighbours) -> torch.Tensor:
        if len(made) < 2 or not self.settings.short_term:
            return made.new_zeros(())
        error = warped(made[:-1] - sources[:-1], flows.before)
        return self.settings.short_term * error.abs().mean()

    def in_between(self, edited: torch.Tensor, flows: Neighbours) -> torch.Tensor:
        if len(edited) < 3 or not self.settings.in_between:
            return edited.new_zeros(())
        inner = range(1, len(edited) - 1)
        share = torch.stack([flows.share(t) for t in inner])[:, None]
        from_before, from_after = warped(edited[:-2], flows.before[:-1]), warped(edited[2:], flows.after[1:])
        wanted = share * from_before + (1 - share) * from_after
        return self.settings.in_between * (edited[1:-1] - wanted).abs().mean()
