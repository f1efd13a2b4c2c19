"""Quality against minutes of tuning a generator to a person: each kind of update, observed and held-out frames apart, controls.

Each length is a tuning of its own, whose learning rate falls to 0 by then; none is stopped early.  Controls are of the footage
alone: its neighbouring frames, its frames shifted by a pixel and recompressed, and frames of other people.
"""

import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dynode import clips, generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.fidelity_controls import shifted
from dynode.evaluation.records import Row, select
from dynode.evaluation.tuning_quality import (
    BEFORE,
    MINUTES,
    NEIGHBOURS,
    SPLITS,
    Measures,
    TuningJudge,
    joined,
    path_of,
    rows_of,
    tuning_curve,
    variant_of,
)
from dynode.generators import tuned
from dynode.inversion.frame_sources import reference_frames
from dynode.inversion.tuning import loaded, usual_settings
from dynode.inversion.tuning_settings import TuningSettings
from dynode.inversion.tuning_updates import UPDATES
from dynode.io import files
from dynode.settings import choose

CLIPS = ("single_face.1.observed", "pexels.1.observed", "webcam.1.observed")  # one window each of three people
OTHERS = ("single_face.1", "pexels.1", "webcam.1")  # compared with where only one person is measured
STRIDE = 4  # every fourth frame is observed, and the last
SHIFTED, OTHER = "shifted by a pixel, JPEG 75", "another person"
SHIPPED = Path(__file__).parents[1] / "weights" / "tunings"


def with_shipped(folder: Path) -> Path:
    """A folder of tunings with those that ship, where it has none of their names and settings; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in SHIPPED.glob("*.safetensors"):
        mine = folder / path.name
        if not tuned.is_tuning(str(mine)) or tuned.read(mine).card["settings"] != tuned.read(path).card["settings"]:
            files.write(folder / path.name, lambda scratch, path=path: shutil.copyfile(path, scratch))
    return folder


def measure(
    footage: Sequence[Clip],
    folder: Path,
    kinds: Sequence[str] = (),
    minutes: Sequence[float] = MINUTES,
    *,
    settings: TuningSettings | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> list[Row]:
    """All numbers: for each clip untuned, after each kind and length of tuning, and of its controls.

    folder: of the tunings, which are kept: those that are there are not made again, and one that was killed goes on.
    kinds: of update, by default all.
    Raises UserError for an unknown kind, clips of one name, footage that is not there, and what `tune` refuses.
    """
    for kind in kinds:
        choose("kind of update", kind, UPDATES)
    require_own_names(footage)
    chosen, rows = [observed(clip, settings, device) for clip in footage], []
    named = {each.name: each for clip in chosen for each in (clip, *others_of(clip, chosen))}
    frames = {
        name: frames_of(clip) for name, clip in named.items()
    }  # what is not there is an error before the first hour
    parts: dict[str, Any] = {
        "kinds": kinds or tuple(UPDATES),
        "minutes": minutes,
        "settings": settings,
        "device": device,
    }
    for clip in chosen:
        others = {each.name: frames[each.name] for each in others_of(clip, chosen)}
        controls = control_rows(TuningJudge(clip, device=device), others)
        rows += tuning_curve(clip, folder, **parts, progress=progress) + controls
    return [dataclasses.replace(row, sampling="regular", stride=STRIDE) for row in rows]


def cards(footage: Sequence[Clip], folder: Path, kinds: Sequence[str], minutes: Sequence[float]) -> dict[str, Any]:
    """What a record keeps of the tunings that `measure` has judged, by their files: hash, settings, steps and seconds.

    shipped: whether it came with the package, and was not made by this run.
    """
    paths = [path_of(folder, clip, kind, limit) for clip in footage for kind in kinds or UPDATES for limit in minutes]
    judged = [tuned.read(path) for path in paths]
    came = {tuned.read(path).hash for path in SHIPPED.glob("*.safetensors")}
    kept = ("settings", "steps", "seconds")
    return {
        each.path.name: {"hash": each.hash, "shipped": each.hash in came} | {key: each.card[key] for key in kept}
        for each in judged
    }


def require_own_names(footage: Sequence[Clip]) -> None:
    """Raises UserError for clips of one name, whose tunings would be one file."""
    names = [clip.name for clip in footage]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{names.count(name)} clips are named {name}: measure one of them at a time.")


def observed(clip: Clip, settings: TuningSettings | None, device: torch.device | str) -> Clip:
    """A clip with every fourth frame observed, whose generator can be tuned.  Raises UserError for any other clip."""
    loaded(clip, settings or usual_settings(clip), torch.device(device))
    return clip.sampled("regular", STRIDE)


def frames_of(clip: Clip) -> torch.Tensor:
    """The frames (T, 3, R, R) of a clip as they are judged."""
    return reference_frames(clip, min(256, generators.resolution_of(clip.meta["generator"])))


def person(clip: Clip) -> str:
    """Who is in a clip: each footage is of a person of its own."""
    return clip.meta.get("source_sha256", clip.name)


def others_of(clip: Clip, footage: Sequence[Clip]) -> list[Clip]:
    """The clips of other people than a clip of a face: of those that are measured, else of those that ship."""
    if generators.category_of(clip.meta["generator"]) != "face":
        return []
    named = [each for each in footage if person(each) != person(clip)]
    return named or [each for each in map(clips.load, OTHERS) if person(each) != person(clip)]


def control_rows(judge: TuningJudge, others: Mapping[str, torch.Tensor]) -> list[Row]:
    """Rows of a clip's frames against neighbours, against themselves shifted and recompressed, and against other people.

    A frame's neighbour is the next one, the last one's that before it.  others: frames (n, 3, R, R) by the name of their clip, which is the variant; of these only the identity is compared.
    """
    clip, frames, measures, named = judge.clip, judge.frames, judge.measures, {"category": judge.category}
    nearest = torch.cat([frames[1:], frames[-2:-1]])
    rows = rows_of(compared(measures, nearest, frames), clip, method=NEIGHBOURS, **named)
    rows += rows_of(compared(measures, shifted(frames), frames), clip, method=SHIFTED, **named)
    for name, somebody in others.items():
        repeated = somebody[torch.arange(len(clip)) % len(somebody)]
        identity = compared(measures, repeated, frames, "identity")
        rows += rows_of(identity, clip, method=OTHER, variant=name, **named)
    return rows


@torch.no_grad()
def compared(measures: Measures, made: torch.Tensor, true: torch.Tensor, group: str = "") -> dict[str, torch.Tensor]:
    """Measures (T,) of frames (T, 3, R, R) beside others; group: only those that this method of `measures` makes."""
    measure, device = getattr(measures, group) if group else measures, measures.device
    pairs = zip(made.split(1), true.split(1), strict=True)
    return joined([measure(*(each.to(device) for each in pair)) for pair in pairs])


def ratios(rows: Sequence[Row], minutes: float) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Clip, kind of update, and LPIPS-VGG tuned for some minutes over untuned, by the split of the frames."""
    lpips = select(rows, metric="lpips_vgg")
    for name in dict.fromkeys(row.clip for row in lpips):
        untuned = {row.split: row.value for row in select(lpips, clip=name, method=BEFORE)}
        for kind in UPDATES:
            if tuned := select(lpips, clip=name, variant=variant_of(kind, minutes)):
                yield name, kind, {row.split: row.value / untuned[row.split] for row in tuned}


def ratio_text(rows: Sequence[Row], minutes: float) -> str:
    """A line for each clip and kind of update: LPIPS-VGG tuned over untuned."""
    lines = []
    for name, kind, by_split in ratios(rows, minutes):
        of = ", ".join(f"{ratio:.3f} {SPLITS[split]}" for split, ratio in by_split.items())
        lines.append(f"{name}, {variant_of(kind, minutes)}: LPIPS-VGG tuned / untuned {of}")
    return "\n".join(lines)
