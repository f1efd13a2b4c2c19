"""How clips of the test set are observed."""

from collections.abc import Sequence
from dataclasses import dataclass

from dynode.clips import Clip


@dataclass(frozen=True)
class Sampling:
    """How a clip is observed: one of the conditions of the test set.  hidden_end: of the last frames, which are scored then."""

    sampling: str
    stride: int
    draw: int = 0
    hidden_end: int = 0

    @property
    def split(self) -> str:
        return "extrapolated" if self.hidden_end else "unobserved"

    @property
    def variant(self) -> str:
        """As in rows: how far beyond the last observed frame."""
        return f"{self.hidden_end} frames beyond" if self.hidden_end else ""

    def observe(self, clip: Clip) -> Clip:
        return clip.sampled(self.sampling, self.stride, 0, self.hidden_end, self.draw)


def samplings(
    strides: Sequence[int], draws: Sequence[int], hidden_ends: Sequence[int], extrapolated_at: int
) -> list[Sampling]:
    """Regular and irregular samplings of every stride, these for each draw; then the horizons beyond the last observed frame."""
    inside = [Sampling("regular", stride) for stride in strides]
    inside += [Sampling("irregular", stride, draw) for stride in strides for draw in draws]
    return inside + [Sampling("regular", extrapolated_at, hidden_end=end) for end in hidden_ends]
