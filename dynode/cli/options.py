"""Options and arguments that commands share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from dynode.cli.help_pages import unbroken
from dynode.errors import UserError
from dynode.settings import closest

if TYPE_CHECKING:
    from dynode.clips import Clip
    from dynode.io.video import Stretch

ClipName = Positional[Annotated[str, arg(metavar="CLIP")]]
FitFile = Positional[Annotated[Path, arg(metavar="FIT")]]
VideoName = Positional[Annotated[str, arg(metavar="VIDEO")]]
GeneratorName = Positional[Annotated[str, arg(metavar="GENERATOR")]]
WorldName = Positional[Annotated[str, arg(metavar="WORLD")]]
KindName = Positional[Annotated[str, arg(metavar="KIND")]]
FactorName = Positional[Annotated[str, arg(metavar="FACTOR")]]
AttributeName = Positional[Annotated[str, arg(metavar="ATTRIBUTE")]]
Text = Positional[Annotated[str, arg(metavar="TEXT")]]
CategoryName = Positional[Annotated[str, arg(metavar="CATEGORY")]]
Output = Annotated[Path | None, arg(aliases=["-o"], metavar="PATH", help_behavior_hint="")]
OptionalPath = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]
Device = Annotated[str, arg(help="auto, cpu, cuda or cuda:N.")]
Deterministic = Annotated[bool, arg(help="The same bits each time on one device; slower on a GPU.")]
Protocol = Annotated[
    str,
    arg(
        help="What a frame's code may depend on: independent, on that frame alone; observed, on the observed frames; "
        "chain, on all frames.  By default chain, or independent with -p start=w_avg or start=encoder."
    ),
]
Tuning = Annotated[
    str,
    arg(
        metavar="FILE",
        help=unbroken(
            "A generator tuned by `dynode tune`, for the same codes; by default that of the clip, if it has one; none: the "
            "generator as it was."
        ),
    ),
]
Compiled = Annotated[bool, arg(help="Use torch.compile: minutes longer to start, then faster; needs a C++ compiler.")]


@dataclass(frozen=True)
class Excerpt:
    """Which frames of a video are taken, and whose face."""

    first: int = 0
    """The first frame to take, from 0."""
    frames: int = 0
    """How many frames to take, 0: all."""
    every: int = 1
    """Take every N-th frame."""
    face: str = "largest"
    """largest, or a number counted from the left, from 0."""

    @property
    def stretch(self) -> "Stretch":
        from dynode.io.video import Stretch

        return Stretch(self.first, self.frames, self.every)


WHOLE = Excerpt()


@dataclass(frozen=True)
class Observation:
    """Which frames of a clip are observed, among those that are."""

    stride: int = 1
    """Observe every N-th frame."""
    sampling: str = "regular"
    """How the observed frames are chosen: regular or irregular."""
    hidden_end: int = 0
    """Hold out the last N frames."""
    seed: int = 0
    """Seeds the irregular sampling."""

    def of(self, clip: "Clip") -> "Clip":
        """The clip with these frames observed.  Raises UserError as `Clip.sampled` does."""
        return clip.sampled(self.sampling, self.stride, self.seed, self.hidden_end)


ALL_OBSERVED = Observation()


def output_path(output: Path | None, name: str, *inputs: Path | str) -> Path:
    """The output that was named, else `name` in the current folder; both are one kind of file.

    Raises UserError where it cannot be written, or is one of the inputs.
    """
    from dynode.io import outputs

    return outputs.require_output(output or name, *inputs, suffixes=outputs.KINDS.get(Path(name).suffix, ()))


def require_different(kind: str, names: Iterable[Path | str]) -> None:
    """Raises UserError for a name that is given twice."""
    given = [str(name) for name in names]
    for name in given:
        if given.count(name) > 1:
            raise UserError(f"The {kind} {name} is named {given.count(name)} times: name it once.")


def require_likely(video: str, known: Iterable[str]) -> None:
    """Raises UserError for a video that is no file and nearly the name of a known one."""
    names = [*known]
    near = closest(video, names, cutoff=0.8)
    if near and video not in names and not Path(video).exists():
        raise UserError(
            f"There is no video {video!r}, did you mean {near!r}; `dynode fetch --list` shows those that ship."
        )


def stem(name: Path | str) -> str:
    """What outputs are named after: a file without its folder and suffix; any other name, such as single_face.1, as it is."""
    path = Path(name)
    return path.stem if path.is_file() else path.name


def slug(text: str) -> str:
    """A text as a part of a file's name: "Red lips!" -> "red-lips"."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")[:60] or "text"


def print_numbers(numbers: Mapping[str, float], digits: int = 3) -> None:
    """One line per name."""
    for name, value in numbers.items():
        print(f"{name}: {value:.{digits}f}")
