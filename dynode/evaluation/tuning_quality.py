"""How near the images of a clip come to its frames before and after tuning, on observed and on held-out frames apart."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from dynode import generators, runtime
from dynode.clips import Clip
from dynode.evaluation import blinks, kept_evaluations
from dynode.evaluation.counts import counted
from dynode.evaluation.face_fidelity import NETS, FaceNetworks, of_identity, of_shape
from dynode.evaluation.kept_evaluations import KeptEvaluations, digest_of
from dynode.evaluation.records import Row, select, summary
from dynode.generators import registry, tuned
from dynode.generators.protocol import Generator
from dynode.inversion.frame_sources import reference_images
from dynode.inversion.tuning import TunedClip, tune
from dynode.inversion.tuning_settings import UNLIMITED, TuningSettings, settings_for
from dynode.inversion.tuning_updates import UPDATES
from dynode.io import source_code
from dynode.io.code_files import digest
from dynode.io.images import resampled
from dynode.metrics import METRICS, describe
from dynode.metrics.networks import LPIPS_RESOLUTION
from dynode.perception.lpips import LPIPS

BEFORE, AFTER = "untuned", "tuned"  # the method of a row
NEIGHBOURS = "neighbouring frames"  # the method of a control: each frame of the footage against the next
MINUTES = (2.0, 5.0, 10.0, 20.0)
LABELS = {
    "mse": "MSE",
    "lpips_vgg": "LPIPS-VGG",
    "lpips_alex": "LPIPS-Alex",
    "identity": "identity cosine (MobileFaceNet)",
    "dlib_distance": "identity distance (dlib)",
    "eye_opening": "eye aspect ratio, difference",
    "mouth_opening": "mouth opening over face height, difference",
    "blinks_missing": "blinks lost",
    "blinks_extra": "blinks added",
}
SPLITS = {"observed": "observed", "unobserved": "held out"}
OPENINGS = ("opening_source", "opening_made")  # eye aspect ratios, from whose curves blinks are counted


class Measures:
    """What is measured of an image beside its frame, both (1, 3, R, R), by the metric's name, (1,) each.

    Of faces also identity by two networks, how far eyes and mouth are opened, and OPENINGS.
    """

    def __init__(self, category: str, device: torch.device | str = "cpu"):
        self.device = device
        self.faces = FaceNetworks().to(device) if category == "face" else None
        nets = {net: LPIPS(net).to(device) for net in NETS} if self.faces is None else self.faces.lpips
        self.lpips: dict[str, Any] = dict(nets.items())

    def __call__(self, image: torch.Tensor, frame: torch.Tensor) -> dict[str, torch.Tensor]:
        size = max(LPIPS_RESOLUTION, image.shape[-1])
        large = [resampled(each, size) for each in (image, frame)]
        values = {"mse": METRICS["mse"](image, frame)}
        values |= {f"lpips_{net}": network(*large) for net, network in self.lpips.items()}
        return values | self.identity(image, frame) | self.openings(image, frame)

    def identity(self, image: torch.Tensor, frame: torch.Tensor) -> dict[str, torch.Tensor]:
        """The cosine and the distance of two faces' identities; nothing of anything but faces."""
        return {} if self.faces is None else of_identity(frame, image, self.faces)

    def openings(self, image: torch.Tensor, frame: torch.Tensor) -> dict[str, torch.Tensor]:
        """Differences of eyes and mouth, each face by its own landmarks, and the openings of both faces' eyes."""
        if self.faces is None:
            return {}
        shape = of_shape(frame, image, self.faces.landmarks(frame), self.faces)
        curves = dict(zip(OPENINGS, shape["openings"].unbind(1), strict=True))
        return {name: shape[name] for name in ("eye_opening", "mouth_opening")} | curves


def joined(parts: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Measures (1,) of single frames as (T,), on the CPU in double precision."""
    return {name: torch.cat([part[name].double().cpu() for part in parts]) for name in parts[0]}


@torch.no_grad()
def values_of(
    clip: Clip, generator: Generator, frames: torch.Tensor, measures: Measures, progress: tqdm | None = None
) -> dict[str, torch.Tensor]:
    """Each measure (T,) of the images of a clip's codes against its frames (T, 3, R, R)."""
    device, parts = generator.w_avg.device, []
    for code, frame in zip(clip.ws, frames, strict=True):
        image = generators.render(generator, code[None], frame.shape[-1]).to(device)
        parts.append(measures(image, frame[None].to(device)))
        if progress is not None:
            progress.update()
    return joined(parts)


def rows_of(values: Mapping[str, torch.Tensor], clip: Clip, **named: Any) -> list[Row]:
    """The mean of each measure (T,) over a clip's observed and over its held-out frames, and the blinks of both.

    named: further fields of all rows.
    """
    named = {"clip": clip.name, "reference": "source", "protocol": clip.protocol} | named
    means = [
        Row(metric, split=split, unit=describe(metric).unit, **summary(each[frames].tolist()), **named)
        for split, frames in splits_of(clip).items()
        for metric, each in values.items()
        if metric not in OPENINGS and frames.any()
    ]
    return means + (blink_rows(values, splits_of(clip), **named) if OPENINGS[0] in values else [])


def blink_rows(values: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor], **named: Any) -> list[Row]:
    """The source's blinks, those of them that are missing, and those that are extra; masks: as of `splits_of`.

    Blinks are those of consecutive frames.  A blink with an observed frame is one of the observed frames, any other of the
    held-out ones.
    """
    splits = {split: frames.numpy() for split, frames in masks.items()}
    shown = splits["observed"] | splits["unobserved"]
    match = blinks.compared(*(values[name].numpy()[shown] for name in OPENINGS))
    events = {"blinks": match.source, "blinks_missing": match.missing, "blinks_extra": match.extra}
    observed, rows = splits["observed"][shown], []
    for split, frames in splits.items():
        for metric, each in events.items():
            own = [b for b in each if observed[b.first : b.last + 1].any() == (split == "observed")]
            if frames.any():
                rows.append(Row(metric, float(len(own)), split=split, n=int(np.sum(frames)), **named))
    return rows


def splits_of(clip: Clip) -> dict[str, torch.Tensor]:
    """The observed and the held-out frames of a clip, (T,) bool each."""
    return {"observed": clip.observed, "unobserved": held_out(clip)}


class TuningJudge:
    """Measures of a clip's frames, held-out ones among them, by several generators of the same codes.

    footage: the clip's video, "" to look for it.  Its networks and frames are loaded once.
    """

    def __init__(self, clip: Clip, *, footage: Path | str = "", device: torch.device | str = "cpu"):
        self.clip, self.device, name = clip, device, clip.meta["generator"]
        self.category, self.base = generators.category_of(name), name
        (self.frames,) = reference_images(clip, min(256, generators.resolution_of(name)), footage).values()
        self.store = KeptEvaluations() if kept_evaluations.switched_on() else None

    @cached_property
    def measures(self) -> Measures:
        return Measures(self.category, self.device)

    def rows(
        self, name: str, method: str, clip: Clip | None = None, *, variant: str = "", progress: bool = False
    ) -> list[Row]:
        """The mean of each measure over observed and over held-out frames, by the generator of a name, as `method`.

        clip: with refined codes, by default the judge's own.
        """
        clip, generator = clip or self.clip, generators.load(name, self.device)
        key = self.key_of(clip, generator)
        values = self.store.read(key) if self.store and key else {}
        if not values:
            shown = {"desc": f"judge {method}", "unit": "frame", "disable": not progress, "mininterval": 2}
            with tqdm(total=len(clip), **shown) as bar:
                values = values_of(clip, generator, self.frames, self.measures, bar)
            if self.store and key:
                self.store.add(key, values, clip=clip.name, method=method)
        in_order = {metric: values[metric] for metric in (*LABELS, *OPENINGS) if metric in values}
        return rows_of(in_order, clip, category=self.category, method=method, variant=variant)

    def key_of(self, clip: Clip, generator: Generator) -> str:
        """Under which the measures of codes by a generator are kept; "" where its code cannot be hashed."""
        foreign = kept_evaluations.foreign_code([type(generator).__module__])
        if foreign is None:
            return ""
        code = [source_code.hash_of("dynode.evaluation.tuning_quality"), foreign]
        code += [runtime.installed(each) for each in runtime.RECORDED_VERSIONS]
        weights = kept_evaluations.hash_of_network(cast(nn.Module, generator))
        shown = [self.category, runtime.device_name(generator.w_avg.device), clip.ws, self.frames]
        return digest_of(*code, generator.name, weights, *shown)[:32]


def held_out(clip: Clip) -> torch.Tensor:
    """The frames (T,) bool that are not observed and show the face: codes of others are interpolated, and show nothing."""
    return ~clip.observed if clip.detected is None else ~clip.observed & clip.detected


def compared(
    clip: Clip, done: TunedClip, *, footage: Path | str = "", device: torch.device | str = "cpu", progress: bool = False
) -> list[Row]:
    """Rows of a clip by its untuned generator and, with its codes as the tuning left them, by the tuned one."""
    judge = TuningJudge(clip, footage=footage, device=device)
    before = judge.rows(judge.base, BEFORE, progress=progress)
    name = registry.name_for(clip.meta, f"The clip {clip.name}", done.tuning.path)
    return before + judge.rows(name, AFTER, done.clip, progress=progress)


def text_of(rows: Sequence[Row]) -> str:
    """One line for each measure: before -> after of observed frames, and of held-out ones where there are any."""
    lines = []
    for metric in [each for each in LABELS if select(rows, metric=each)]:
        of = [select(rows, metric=metric, split=split) for split in SPLITS]
        parts = [change_text(each, words) for each, words in zip(of, SPLITS.values(), strict=True) if each]
        lines.append(f"{LABELS[metric]}: {', '.join(parts)}")
    return "\n".join(lines)


def change_text(rows: Sequence[Row], words: str) -> str:
    """A measure before and after, of some frames."""
    (before,), (after,) = (select(rows, method=method) for method in (BEFORE, AFTER))
    digits = 0 if before.metric.startswith("blinks") else 4
    return f"{before.value:.{digits}f} -> {after.value:.{digits}f} ({counted(before.n, 'frame')} {words})"


def path_of(folder: Path, clip: Clip, kind: str, minutes: float) -> Path:
    """The file of a clip's tuning of a kind and length in a folder."""
    return Path(folder) / f"{clip.name}.{kind}.{minutes:g}.tuning.safetensors"


def variant_of(kind: str, minutes: float) -> str:
    """The variant of rows after a tuning of a kind and length."""
    return f"{kind}, {minutes:g} minutes"


def is_tuned(path: Path, clip: Clip, settings: TuningSettings) -> bool:
    """Whether a file is the tuning of a clip's observed frames and codes under these settings."""
    if not path.is_file():
        return False
    tuning, observed = tuned.read(path), clip.observations()
    made_from = tuning.card["clip"]
    same = made_from["codes"] == digest(observed.ws) and made_from["ts"] == observed.ts.tolist()
    return same and tuning.card["settings"] == settings.identity


def tuning_curve(
    clip: Clip,
    folder: Path,
    *,
    kinds: Iterable[str] = tuple(UPDATES),
    minutes: Iterable[float] = MINUTES,
    settings: TuningSettings | None = None,
    footage: Path | str = "",
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> list[Row]:
    """Rows of a clip after tunings of several kinds and lengths, each one of its own, since its learning rate falls to 0 in time.

    folder: where the tunings are written, as CLIP.KIND.MINUTES.tuning.safetensors; those that are there already, of the same
    frames, codes and settings, are not made again.  variant: the kind and the minutes, "all, 2 minutes"; the untuned generator's rows come first.
    """
    judge = TuningJudge(clip, footage=footage, device=device)
    plain = settings or settings_for(generators.resolution_of(judge.base))
    rows = judge.rows(judge.base, BEFORE, progress=progress)
    for kind in kinds:
        for limit in minutes:
            path = path_of(folder, clip, kind, limit)
            chosen = dataclasses.replace(plain, update=kind, steps=UNLIMITED, stop_lpips=0.0)
            if not is_tuned(path, clip, chosen):
                tune(clip, path, chosen, footage=footage, minutes=limit, device=device, progress=progress)
            name, card = registry.name_for(clip.meta, f"The clip {clip.name}", path), tuned.read(path).card
            variant = variant_of(kind, limit)
            rows += judge.rows(name, AFTER, progress=progress, variant=variant)
            rows.append(Row("tuning_steps", card["steps"], judge.category, clip.name, AFTER, variant=variant))
    return rows
