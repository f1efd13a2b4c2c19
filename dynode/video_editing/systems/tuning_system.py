"""What a system has that tunes the generator and stitches its frames, beside what every system has."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch

from dynode.clips import Clip
from dynode.inversion.invert_frames import CPU_SECONDS_PER_STEP, computed_in, duration
from dynode.inversion.observer import Observer
from dynode.video_editing.edited_codes import EditedShot
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.registry import System
from dynode.video_editing.systems.fidelity import Part
from dynode.video_editing.systems.scene import Scene
from dynode.video_editing.systems.stitching import Stitched

PIVOTS = "pivots[not of e4e]"  # a stand-in: the codes of an encoder of our own, or those that came with a clip


@runtime_checkable
class TuningSystem(System, Protocol):
    """A system that changes the generator's weights with a shot's frames, and each frame's weights once more."""

    @property
    def fidelity(self) -> tuple[Part, ...]:
        """What of the published system is kept and what is not."""
        ...

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Parts that are not the published ones, as outputs name them."""
        ...

    @property
    def resolution(self) -> int:
        """Pixels a side, at most, at which it tunes and renders."""
        ...

    @property
    def precision(self) -> str:
        """In which the generator is tuned."""
        ...

    def passes(self, inverted: int, frames: int) -> float:
        """Passes of the generator, forward and backward, at most."""
        ...

    @property
    def outer(self) -> float:
        """Width of the ring in which a stitched frame passes into its source, in sides of the square."""
        ...

    def tuned_shot(
        self, scene: Scene, clip: Clip, ts: torch.Tensor, edit: Edit, start: float, observer: Observer
    ) -> EditedShot:
        """Tune on a scene and edit it: codes at all of its times ts (T,), and the weights that render them."""
        ...

    def stitched(self, scene: Scene, shot: EditedShot, observer: Observer) -> Iterator[Stitched]:
        """The frames of an edited shot, each rendered by weights of its own."""
        ...


def print_estimate(
    system: TuningSystem,
    frames: tuple[int, int],
    resolution: int,
    device: torch.device | str,
    inverts: bool,
    keeps: bool,
) -> None:
    """Print how long an edit takes at most, before anything is computed.

    frames: how many are inverted, and how many there are.  inverts: whether codes are still to be found.  keeps: whether what
    is finished is kept.
    """
    inverted, whole = frames
    passes, kind = system.passes(*frames), torch.device(device).type
    seconds = (
        CPU_SECONDS_PER_STEP[computed_in(system.precision, torch.device(device))] * (resolution / 256) ** 2 * passes
    )
    amount = f"{system.name}: {whole} frames, at most {passes:.0f} passes of the generator that is tuned"
    if kind == "cpu":
        amount += f": about {duration(seconds)} on a CPU, less on a GPU"
    first = f" Before, {inverted} of them are inverted." if inverts else ""
    kept = " Finished stages and frames are kept, and the same command goes on from there." if keeps else ""
    print(f"{amount}.{first}{kept}")
