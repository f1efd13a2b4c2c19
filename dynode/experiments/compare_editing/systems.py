"""All systems of the editing table on the same frames: those with loops at a share of their published length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dynode.dynamics.fitting.store import FitStore
from dynode.errors import UserError
from dynode.evaluation.edited_videos import VideoEvaluator
from dynode.evaluation.records import Row
from dynode.evaluation.tuning_quality import Measures
from dynode.experiments.compare_editing import comparison
from dynode.experiments.compare_editing.comparison import Entry
from dynode.generators.protocol import Generator
from dynode.inversion.joint import recurrent_files
from dynode.inversion.observer import NoObserver
from dynode.io import names
from dynode.perception.lpips import LPIPS
from dynode.video_editing import inverted_codes
from dynode.video_editing.footage import Footage
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.registry import System, load_system, system_class, taken_by
from dynode.video_editing.system_names import label_of
from dynode.video_editing.systems import clip_tuning, shares
from dynode.video_editing.systems.scene import pivots_of
from dynode.video_editing.systems.trained_weights import TrainedWeights
from dynode.video_editing.systems.tuning_system import TuningSystem
from dynode.video_editing.video_editor import VideoEditor

PIVOTS = ("pivots, untuned", "pivots, tuned")  # the variants of rows on reconstructions
UNEDITED = ", no edit"  # ends the name of a system whose edits have strength 0: what inversion and pasting alone change
STITCHING = ("border_before", "border", "content_before", "content", "moved", "steps")
WITH_BEFORE = {  # rows of a cost with that of what runs before had done and kept: sums of counters
    "iterations": ("steps_before", "optimiser_steps", "tuning_steps_before", "tuning_steps"),
    "forward_passes": ("generator_forward", "generator_forward_before"),
    "backward_passes": ("generator_backward", "generator_backward_before"),
    "flow_fields": ("flow_calls", "flow_calls_before"),
    "faces_segmented": ("segmentations", "segmentations_before"),
}


@dataclass(frozen=True)
class Contender:
    """A system that takes part: what edits by it, and the share of its published loops; None where it has none."""

    name: str
    editor: VideoEditor
    share: shares.Share | None

    @property
    def slug(self) -> str:
        """The name as a part of a file's name."""
        return names.slug(self.name)


@dataclass(frozen=True)
class Terms:
    """The terms on which systems are compared.

    budget: passes of the generator for each frame, forward and backward, of every system that has loops; 0: `share` of the
    published length of each loop instead.  changes: of settings, by the system's name.  stride: of the frames that are
    observed where dynamics propagate an edit.
    """

    budget: float = 0.0
    share: float = 0.5
    changes: dict[str, dict] | None = None
    stride: int = 4
    method: Any = "dynode"
    store: FitStore | None = None
    seed: int = 0

    def system(self, name: str, footage: Footage) -> tuple[System, shares.Share | None]:
        """The system of that name for some footage; `linear+HOST` is `dynode+HOST` with linear interpolation."""
        name = name.removesuffix(UNEDITED)
        actual = f"dynode+{name.removeprefix('linear+')}" if name.startswith("linear+") else name
        method = "linear" if actual != name else self.method
        settings = {"stride": self.stride, "method": method, "store": self.store, "seed": self.seed}
        settings = taken_by(system_class(actual), settings)
        if actual not in shares.COUNTS:
            return load_system(actual, **settings), None
        changes = (self.changes or {}).get(actual.removeprefix("dynode+"), {})
        frames = int(load_system(actual, **settings).wanted(footage.track).sum()), len(footage.track)
        if self.budget:
            chosen = shares.within(actual, self.budget * frames[1], frames, changes, **settings)
        else:
            chosen = shares.at_share(actual, self.share, frames, changes, **settings)
        return chosen.system, chosen

    def contender(self, name: str, footage: Footage, generator: Generator, device: torch.device | str) -> Contender:
        system, share = self.system(name, footage)
        paste = PasteSettings("feather" if isinstance(system, TuningSystem) else "seamless")
        parts = {"paste": paste, "mask": MaskSettings("landmarks"), "codes": inverted_codes.kept_folder()}
        return Contender(name, VideoEditor(system, generator, device=device, **parts), share)


def edited(
    contender: Contender, footage: Footage, chosen: tuple[str, float], method: str, judge: VideoEvaluator
) -> Entry:
    """A contender's video of an edit, (attribute, strength); of one that does not edit, under the edit that others made."""
    (attribute, strength), unedited = chosen, contender.name.endswith(UNEDITED)
    text = f"{attribute}={0 if unedited else strength:g}"
    made = comparison.entry(contender.editor, contender.name, footage, text, method, judge)
    return replace(made, edit=f"{attribute} {strength:g}")


def available(wanted: Iterable[str], generator: Generator) -> list[str]:
    """The names of systems whose weights are there; prints what is missing of the others."""
    there = []
    for name in wanted:
        try:
            if name == "rigid":
                recurrent_files.located("", generator)
            there.append(name)
        except UserError as missing:
            print(f"{label_of(name)} is left out. {missing}")
    return there


def rows_of(entry: Entry, contender: Contender) -> list[Row]:
    """What an edit cost and how it was stitched: iterations, the share of the published ones, and means over frames."""
    counts = entry.counters.counts()
    rows = [
        Row(metric, float(sum(counts[each] for each in summed)), unit="times", space="cost", **entry.named)
        for metric, summed in WITH_BEFORE.items()
    ]
    if (share := contender.share) is not None:
        numbers = {"passes": share.passes, "passes_published": share.published}
        numbers["share_of_published"] = share.passes / share.published
        rows += [Row(name, value, space="cost", **entry.named) for name, value in numbers.items()]
    frames = [each for shot in entry.codes.shots for each in shot.measured.get("stitching", ())]
    for name in STITCHING if frames else ():
        values = [each[name] for each in frames]
        rows.append(Row(f"stitch_{name}", float(np.mean(values)), n=len(values), space="image", **entry.named))
    return rows


def reconstructions(contender: Contender, entry: Entry, footage: Footage, measures: Measures) -> list[Row]:
    """Images of the inverted frames by the generator before and after a system tuned it, beside these frames; means.

    Nothing for systems that do not tune.  The tuning is that of the edit, which is kept.
    """
    system = contender.editor.system
    if not isinstance(system, TuningSystem) or footage.clip is None:
        return []
    rows, observer = [], NoObserver()
    for scene in contender.editor.scenes(system, footage, observer):
        wanted = footage.clip.where(torch.from_numpy(system.wanted(footage.track)))
        pivots, inverted = pivots_of(wanted).ws, scene.of_inverted()
        settings = system.chosen.tuning  # pyright: ignore[reportAttributeAccessIssue]
        perceptual = LPIPS("alex", checked=False).to(scene.device)
        tuned = clip_tuning.tuned_on(inverted, pivots, settings, observer, perceptual).tensors
        for variant, differences in zip(PIVOTS, ({}, tuned), strict=True):
            weights = TrainedWeights(scene.generator, differences, scene.resolution, observer, trainable=False)
            named = entry.named | {"variant": variant}
            rows += means(judged(weights, pivots, inverted.frames, measures), named)
    return rows


@torch.no_grad()
def judged(
    weights: TrainedWeights, codes: torch.Tensor, frames: torch.Tensor, measures: Measures
) -> Iterator[dict[str, float]]:
    """The measures of the image of each code (T, L, D) beside its frame (T, 3, R, R)."""
    device = weights.update.generator.w_avg.device
    for code, frame in zip(codes.split(1), frames.split(1), strict=True):
        values = measures(weights.images(code.to(device)), frame.to(device))
        yield {name: float(value) for name, value in values.items() if value.numel() == 1}


def means(values: Iterable[dict[str, float]], named: dict) -> list[Row]:
    """A row for each measure, its mean over frames that have it."""
    frames = list(values)
    rows = []
    for name in ("mse", "lpips_alex", "lpips_vgg", "identity"):
        known = [each[name] for each in frames if np.isfinite(each.get(name, np.nan))]
        if known:
            rows.append(Row(name, float(np.mean(known)), n=len(known), reference="frames", space="image", **named))
    return rows


def stand_ins(
    contenders: Iterable[Contender], footage: Footage, attributes: Iterable[str], method: str
) -> tuple[str, ...]:
    """Every part of the systems and of the editors of attributes that is not the published one, once."""
    texts = [f"{attribute}=1" for attribute in attributes]
    parts = (
        part
        for each in contenders
        for text in texts
        for part in each.editor.stand_ins(footage, comparison.edit_by(each.editor, text, method))
    )
    return tuple(dict.fromkeys(parts))
