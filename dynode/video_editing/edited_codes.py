"""The plan of an edited video, pure data: the codes of its frames before and after the edit, shot by shot."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from dynode.evaluation.inversion_quality import InversionQuality


@dataclass(frozen=True, repr=False)
class EditedShot:
    """Codes ws and edited (T, L, D) of one shot's frames, before and after the edit.

    observed: frames that dynamics were fitted to; None where every frame was inverted.
    drift: distance of the last offset from the first edit, relative to that edit's length; None where it was not measured.
    weights: differences of the generator's weights that render it, by name, where a system tuned them.  measured: numbers of
    that tuning and of the stitching of its frames, which are added once they are rendered.
    """

    ws: torch.Tensor
    edited: torch.Tensor
    observed: int | None = None
    drift: float | None = None
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    def __repr__(self):
        return f"<EditedShot: {len(self.ws)} codes, {self.observed or 'all'} observed>"

    @property
    def metadata(self) -> dict:
        """The numbers that are known, for records."""
        numbers = {"observed": self.observed, "drift": self.drift}
        return {name: value for name, value in numbers.items() if value is not None} | self.measured


@dataclass(frozen=True, repr=False)
class EditedCodes:
    """The codes of all followed frames, by shots.

    text: the edits in words.  inverted: frames whose codes were inverted for this, `inverted_before` where they came with
    the footage; projection: the settings of that inversion.  missing: followed frames in which the face was not found.
    quality: what is known of the inverted frames.  kept: the file that keeps codes which were inverted for it, else "".
    """

    shots: tuple[EditedShot, ...]
    text: str
    inverted: int
    inverted_before: bool
    projection: dict = field(default_factory=dict)
    missing: tuple[int, ...] = ()
    quality: InversionQuality = InversionQuality()
    kept: str = ""

    def __repr__(self):
        return (
            f"<EditedCodes {self.text}: {len(self)} codes in {len(self.shots)} shots, {self.inverted} frames inverted>"
        )

    def __len__(self):
        return len(self.ws)

    @cached_property
    def ws(self) -> torch.Tensor:
        """Codes (T, L, D) before the edit."""
        return torch.cat([shot.ws for shot in self.shots])

    @cached_property
    def edited(self) -> torch.Tensor:
        """Codes (T, L, D) after the edit."""
        return torch.cat([shot.edited for shot in self.shots])

    @property
    def title(self) -> str:
        """What a video of them says of itself in its metadata."""
        return f"edited with dynode: {self.text}"

    @property
    def drift(self) -> float:
        """The largest drift of a shot; 0 where none was measured."""
        return max((shot.drift for shot in self.shots if shot.drift is not None), default=0.0)

    @property
    def metadata(self) -> dict:
        """What records hold of them."""
        return {
            "shots": [shot.metadata for shot in self.shots],
            "inverted": self.inverted,
            "of": len(self),
            "inverted_before": self.inverted_before,
            "projection": self.projection,
            "missing": list(self.missing),
        }
