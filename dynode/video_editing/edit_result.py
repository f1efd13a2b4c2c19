"""An edited video that was written, and what its user should know of it."""

from dataclasses import dataclass
from pathlib import Path

import torch

from dynode import generators
from dynode.editing.strength_ranges import range_warning
from dynode.evaluation.counts import counted, is_or_are
from dynode.evaluation.diagnosis import few_observed
from dynode.io import audio
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.edited_codes import EditedCodes
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.registry import System


@dataclass(frozen=True, repr=False)
class EditResult:
    """An edited video that was written: its codes, its number of frames, what making it cost.

    settings: all that was chosen.  stand_ins: every part that is not the real one.  remarks: what its user should know.
    """

    output: Path
    codes: EditedCodes
    counters: Counters
    count: int
    settings: dict
    stand_ins: tuple[str, ...]
    remarks: tuple[str, ...]

    def __repr__(self):
        return f"<EditResult {self.output}: {self.count} frames, {self.codes.title}>"

    @property
    def text(self) -> str:
        head = f"{self.output}: {counted(self.count, 'frame')}, {self.codes.title}"
        return "\n".join([head, self.counters.text(), *self.remarks])


def range_warnings(editor: str, edit: Edit, generator_name: str) -> list[str]:
    """A sentence for each strength beyond the range in which its editor is meant to be used."""
    category = generators.category_of(generator_name)
    warnings = [range_warning(f"{editor}:{track.attribute}", track.largest, category) for track in edit.tracks]
    return [warning for warning in warnings if warning]


def remarks(
    footage: Footage, codes: EditedCodes, counters: Counters, stand_ins: tuple[str, ...], is_tuned: bool = False
) -> list[str]:
    """What is not as it may seem: codes from before, frames without the face, drift, missing sound, stand-ins.

    is_tuned: whether a tuned generator renders the codes, whose errors were noted by the generator as it was.
    """
    noted = ", by the generator before its tuning" if is_tuned else ""
    lines = [f"inverted frames{noted}: {codes.quality.text}"] if codes.quality else []
    lines += codes.quality.remarks
    if counters.steps_before and counters.optimiser_steps:
        lines.append(f"A run that was stopped had taken {counters.steps_before} of the optimiser steps before.")
    elif counters.steps_before:
        lines.append(
            f"The codes were already inverted ({counted(counters.steps_before, 'optimiser step')} for "
            f"{counted(codes.inverted, 'frame')}, from "
            f"the metadata of {'the file below' if codes.kept else 'the clip'})."
        )
    if codes.missing:
        count = len(codes.missing)
        lines.append(
            f"The face was not found in {counted(count, 'frame')}: {'it' if count == 1 else 'they'} {is_or_are(count)} edited by "
            f"interpolated codes."
        )
    if codes.drift > 1e-3:
        lines.append(f"At the end the edit has drifted by {100 * codes.drift:.0f} % of its length.")
    if codec := audio.unsupported_codec(footage.path):
        lines.append(f"The sound is left out: an .mp4 cannot hold {codec}.")
    lines += [f"Stand-ins: {', '.join(stand_ins)}."] if stand_ins else []
    return lines + ([f"codes, for further edits of these frames: {codes.kept}"] if codes.kept else [])


def stride_remark(footage: Footage, system: System) -> str:
    """A sentence where a system that takes every N-th frame sees too few of a shot, else ""."""
    if system.stride < 2:
        return ""
    wanted = torch.from_numpy(system.wanted(footage.track))
    return few_observed(wanted, torch.from_numpy(footage.track.shots), system.stride)
