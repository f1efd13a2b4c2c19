"""How near the images of a clip come to its frames before and after tuning, on observed and on held-out frames apart."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dynode import generators
from dynode.clips import Clip
from dynode.evaluation.counts import counted
from dynode.evaluation.records import Row, select, summary
from dynode.generators import registry, tuned
from dynode.generators.protocol import Generator
from dynode.inversion.frame_sources import reference_images
from dynode.inversion.tuning import TunedClip, tune
from dynode.inversion.tuning_settings import UNLIMITED, TuningSettings, settings_for
from dynode.inversion.tuning_updates import UPDATES
from dynode.io.code_files import digest
from dynode.io.images import resampled
from dynode.metrics import METRICS, describe
from dynode.metrics.networks import LPIPS_RESOLUTION
from dynode.perception.face_api import Recognition
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS

BEFORE, AFTER = "untuned", "tuned"  # the method of a row
MINUTES = (2.0, 5.0, 10.0, 20.0)
LABELS = {
    "mse": "MSE",
    "lpips_vgg": "LPIPS-VGG",
    "lpips_alex": "LPIPS-Alex",
    "identity": "identity cosine (MobileFaceNet)",
    "dlib_distance": "identity distance (dlib)",
}
SPLITS = {"observed": "observed", "unobserved": "held out"}
Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # image and frame (1, 3, R, R) -> (1,)


def measures(category: str, device: torch.device | str = "cpu") -> dict[str, Measure]:
    """What is measured of each frame, by the metric's name, with its network; identity of faces, by two networks."""
    nets = {net: LPIPS(net).to(device) for net in ("vgg", "alex")}

    def lpips(net: str) -> Measure:
        def distance(image: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
            size = max(LPIPS_RESOLUTION, image.shape[-1])
            return nets[net](resampled(image, size), resampled(frame, size))

        return distance

    known: dict[str, Measure] = {"mse": METRICS["mse"], "lpips_vgg": lpips("vgg"), "lpips_alex": lpips("alex")}
    if category != "face":
        return known
    identity, recognition = Identity().to(device), Recognition().to(device)
    known["identity"] = lambda image, frame: (identity(image) * identity(frame)).sum(1)
    known["dlib_distance"] = lambda image, frame: (recognition(image) - recognition(frame)).norm(dim=1)
    return known


@torch.no_grad()
def values_of(
    clip: Clip, generator: Generator, frames: torch.Tensor, known: Mapping[str, Measure], progress: tqdm | None = None
) -> dict[str, torch.Tensor]:
    """Each measure (T,) of the images of a clip's codes against its frames (T, 3, R, R)."""
    device, parts = generator.w_avg.device, []
    for code, frame in zip(clip.ws, frames, strict=True):
        image = generators.render(generator, code[None], frame.shape[-1]).to(device)
        parts.append({name: each(image, frame[None].to(device)).double().cpu() for name, each in known.items()})
        if progress is not None:
            progress.update()
    return {name: torch.cat([part[name] for part in parts]) for name in known}


class TuningJudge:
    """Measures of a clip's frames, held-out ones among them, by several generators of the same codes.

    footage: the clip's video, "" to look for it.  Its networks and frames are loaded once.
    """

    def __init__(self, clip: Clip, *, footage: Path | str = "", device: torch.device | str = "cpu"):
        self.clip, self.device, name = clip, device, clip.meta["generator"]
        self.category, self.base = generators.category_of(name), name
        (self.frames,) = reference_images(clip, min(256, generators.resolution_of(name)), footage).values()
        self.measures = measures(self.category, device)

    def rows(
        self, name: str, method: str, clip: Clip | None = None, *, variant: str = "", progress: bool = False
    ) -> list[Row]:
        """The mean of each measure over observed and over held-out frames, by the generator of a name, as `method`.

        clip: with refined codes, by default the judge's own.
        """
        clip, generator = clip or self.clip, generators.load(name, self.device)
        with tqdm(total=len(clip), desc=f"judge {method}", unit="frame", disable=not progress, mininterval=2) as bar:
            values = values_of(clip, generator, self.frames, self.measures, bar)
        named: dict[str, Any] = {"category": self.category, "clip": clip.name, "method": method, "variant": variant}
        named |= {"reference": "source", "protocol": clip.protocol}
        return [
            Row(
                metric,
                split=split,
                unit=describe(metric).unit,
                **summary(each[frames].tolist()),
                **named,
            )
            for split, frames in (("observed", clip.observed), ("unobserved", held_out(clip)))
            for metric, each in values.items()
            if frames.any()
        ]


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
    for metric in dict.fromkeys(row.metric for row in rows):
        of = [select(rows, metric=metric, split=split) for split in SPLITS]
        parts = [change_text(each, words) for each, words in zip(of, SPLITS.values(), strict=True) if each]
        lines.append(f"{LABELS[metric]}: {', '.join(parts)}")
    return "\n".join(lines)


def change_text(rows: Sequence[Row], words: str) -> str:
    """A measure before and after, of some frames."""
    (before,), (after,) = (select(rows, method=method) for method in (BEFORE, AFTER))
    return f"{before.value:.4f} -> {after.value:.4f} ({counted(before.n, 'frame')} {words})"


def is_tuned(path: Path, clip: Clip, settings: TuningSettings) -> bool:
    """Whether a file is the tuning of a clip's observed frames and codes under these settings."""
    if not path.is_file():
        return False
    tuning, observed = tuned.read(path), clip.observations()
    made_from = tuning.card["clip"]
    same = made_from["codes"] == digest(observed.ws) and made_from["ts"] == observed.ts.tolist()
    return same and tuning.card["settings"] == dataclasses.asdict(settings)


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
            path = Path(folder) / f"{clip.name}.{kind}.{limit:g}.tuning.safetensors"
            chosen = dataclasses.replace(plain, update=kind, steps=UNLIMITED, stop_lpips=0.0)
            if not is_tuned(path, clip, chosen):
                tune(clip, path, chosen, footage=footage, minutes=limit, device=device, progress=progress)
            name, card = registry.name_for(clip.meta, f"The clip {clip.name}", path), tuned.read(path).card
            variant = f"{kind}, {limit:g} minutes"
            rows += judge.rows(name, AFTER, progress=progress, variant=variant)
            rows.append(Row("tuning_steps", card["steps"], judge.category, clip.name, AFTER, variant=variant))
    return rows
