"""An edited video: the codes of its frames, what making it cost, and the frames, one after the other."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from dynode import generators
from dynode.clips import frame_rate
from dynode.io import images, video
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.footage import Footage


@dataclass
class EditedVideo:
    """Codes ws and edited (T, L, D) of the frames that show the face; `frames` decodes and pastes them.

    counters: complete once the frames have run to their end.  settings: all that was chosen.  told: what the system tells.
    stand_ins: every part that is not the real one.  text: the edits in words.
    """

    footage: Footage
    ws: torch.Tensor
    edited: torch.Tensor
    counters: Counters
    settings: dict
    told: dict
    stand_ins: tuple[str, ...]
    text: str
    show: Callable[[], Iterator[np.ndarray]] = field(repr=False)

    def frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """(seconds, frame uint8 (H, W, 3)) in order; frames that do not show the face are the footage's own.

        Where crops are not pasted the frames are the crops (S, S, 3), and only of frames that show the face.
        """
        with closing(self.show()) as shown:
            for time, frame in self.footage.all_frames():
                if frame is None:
                    yield time, next(shown)
                elif self.settings["paste"]["way"] != "none":
                    yield time, frame

    @property
    def title(self) -> str:
        """What a file says of itself."""
        return f"edited with dynode: {self.text}"

    def write(self, path: Path | str, also: Callable[[float, np.ndarray], None] | None = None) -> int:
        """Write an .mp4 whose frames keep the footage's times, with its sound, and whose title says that it is edited.

        Returns the number of frames.
        also: is given every time and frame.
        """
        times: list[float] = []

        def passed():
            for time, frame in self.frames():
                times.append(time)
                if also is not None:
                    also(time, frame)
                yield time, frame

        rate = frame_rate(torch.from_numpy(self.footage.track.ts))
        video.write_timed(path, passed(), rate, title=self.title, heard=self.footage.path)
        return len(times)


def fitting(width: float, resolution: int) -> int:
    """The power of two that a face of so many pixels is decoded at: the next that holds it, at most the generator's own."""
    return min(resolution, 2 ** max(4, int(np.ceil(np.log2(max(width, 1))))))


def decoded(generator, codes: torch.Tensor, resolution: int, width: float) -> Iterator[torch.Tensor]:
    """Images (3, S, S) of codes (T, L, D), one at a time: decoded at `resolution`, reduced to the face's width in the footage.

    Without that a crop holds finer detail than its frame, which would come and go from frame to frame.
    """
    for part in codes.split(1):
        image = generators.render(generator, part, resolution)
        yield images.area_resize(image, min(resolution, round(width)))[0]
