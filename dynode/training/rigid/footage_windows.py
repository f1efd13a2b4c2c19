"""What RIGID's training draws: windows of neighbouring frames of clips with their base codes and flows, and random edits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.editing import editors
from dynode.editing.editors import Editor
from dynode.editing.strength_ranges import SHIPPED, StrengthRange
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion.encoder_files import AnyEncoder
from dynode.inversion.frame_sources import reference_frames
from dynode.training.rigid.rigid_losses import Neighbours, neighbours


@dataclass(frozen=True, eq=False)
class Shot:
    """Frames (T, 3, R, R) of one shot, the encoder's codes of them (T, L, D), and flows between neighbours."""

    frames: torch.Tensor
    encoded: torch.Tensor
    flows: Neighbours

    def window(self, first: int, frames: int) -> "Shot":
        part = slice(first, first + frames)
        return Shot(self.frames[part], self.encoded[part], self.flows.part(first, frames))


def shots_of(clip: Clip, encoder: AnyEncoder, size: int, longest: int, shortest: int, footage: str = "") -> list[Shot]:
    """The shots of a clip that have `shortest` detected frames or more, one after the other; longest: of `neighbours`.

    Frames without the face end a shot.  Raises UserError for a clip whose frames are not there.
    """
    frames = reference_frames(clip, size, footage)
    shots = torch.zeros(len(clip), dtype=torch.long) if clip.shots is None else clip.shots
    detected = torch.ones(len(clip), dtype=torch.bool) if clip.detected is None else clip.detected
    parts = runs(shots, detected)
    device = next(encoder.parameters()).device
    made = []
    for part in parts:
        if len(part) < shortest:
            continue
        images = frames[part].to(device)
        encoded = torch.cat([encoder(image) for image in images.split(1)])
        made.append(Shot(images, encoded, neighbours(images, longest)))
    return made


def runs(shots: torch.Tensor, detected: torch.Tensor) -> list[list[int]]:
    """The frames of each stretch that has the face and no cut in it."""
    parts: list[list[int]] = []
    for k in detected.nonzero().flatten().tolist():
        goes_on = parts and parts[-1][-1] == k - 1 and shots[k] == shots[k - 1]
        if goes_on:
            parts[-1].append(k)
        else:
            parts.append([k])
    return parts


def random_window(shots: Sequence[Shot], frames: int, rng: torch.Generator) -> Shot:
    """A window of neighbouring frames, each as probable as any other."""
    starts = torch.tensor([len(shot.frames) - frames + 1 for shot in shots])
    at = int(torch.randint(int(starts.sum()), (), generator=rng, device=rng.device))
    for shot, count in zip(shots, starts.tolist(), strict=True):
        if at < count:
            return shot.window(at, frames)
        at -= count
    raise AssertionError("one of the shots has the window")


@dataclass(frozen=True)
class RandomEdits:
    """The shipped editors of a method with the strengths that they are meant for."""

    editors: tuple[Editor, ...]
    ranges: tuple[StrengthRange, ...]
    reach: float

    def draw(self, rng: torch.Generator) -> tuple[Editor, float]:
        """An editor and a strength, uniform in `reach` of its range."""
        k = int(torch.randint(len(self.editors), (), generator=rng, device=rng.device))
        low, high = self.ranges[k].low, self.ranges[k].high
        at = float(torch.rand((), generator=rng, device=rng.device))
        return self.editors[k], self.reach * (low + at * (high - low))


def random_edits(method: str, generator: Generator, reach: float) -> RandomEdits:
    """Raises UserError for a method of which no editor ships for the generator."""
    category = generators.category_of(generator.name)
    known = {name: each for name, each in SHIPPED.get(category, {}).items() if name.startswith(f"{method}:")}
    if not known:
        methods = sorted({name.partition(":")[0] for name in SHIPPED.get(category, {})})
        raise UserError(
            f"No editor of {method} ships for {generator.name}, and rigid is trained with random edits: choose another by "
            f"-p editor=NAME, of {', '.join(methods) or 'none'}."
        )
    return RandomEdits(tuple(editors.load(name, generator) for name in known), tuple(known.values()), reach)
