"""Quality of an inversion against seconds a frame: an encoder and steps, beside projection from the average code, in one run.

Each budget is an inversion of its own, with as many steps as it allows at the measured seconds of a step: learning rates end
where the steps end.  Seconds are those of the encoder, of the frame's own features and of the steps; judging is not counted.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from dynode import clips, generators
from dynode.clips import Clip
from dynode.evaluation.records import Row, select, summary
from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files, frame_sources
from dynode.inversion.projection import Projector
from dynode.inversion.projection_settings import ProjectionSettings, from_encoder, settings_for
from dynode.io.images import resampled
from dynode.perception.face_api import Recognition
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS

CLIPS = ("single_face.1", "pexels.1", "webcam.1")  # one window each of three people
SECONDS = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
ENCODER, PROJECTION = "encoder and steps", "projection"
USUAL = f"{ENCODER}, as usual"  # with the number of steps that its settings have
TRIAL = 3  # steps by which the seconds of a step are measured
SIZE = 256  # pixels a side of the images for LPIPS


class Judge(nn.Module):
    """The numbers of an inverted frame; identity of faces by two networks, the second of which no loss knows."""

    def __init__(self, of_faces: bool):
        super().__init__()
        self.lpips = nn.ModuleDict({net: LPIPS(net) for net in ("vgg", "alex")})
        self.identity, self.recognition = (Identity(), Recognition()) if of_faces else (None, None)

    @torch.no_grad()
    def forward(self, made: torch.Tensor, true: torch.Tensor) -> dict[str, float]:
        """Of an image (1, 3, R, R) beside the frame (1, 3, R, R), by the metric's name."""
        made = made.clamp(-1, 1)
        large = [resampled(each, max(SIZE, each.shape[-1])) for each in (made, true)]
        values = {"mse": (made - true).square().mean()}
        values |= {f"lpips_{net}": network(*large)[0] for net, network in self.lpips.items()}
        if self.identity is not None and self.recognition is not None:
            values["identity"] = (self.identity(made) * self.identity(true)).sum()
            values["dlib_distance"] = (self.recognition(made) - self.recognition(true)).norm()
        return {name: value.item() for name, value in values.items()}


@dataclass(frozen=True)
class Contestant:
    """A projector, its seconds before the steps, and those of a step."""

    name: str
    projector: Projector
    before: float
    step: float

    def steps(self, budget: float) -> int:
        """As many steps as a budget in seconds allows; at least one without an encoder."""
        least = 0 if self.projector.settings.start == "encoder" else 1
        return max(least, int((budget - self.before) / self.step))


def usual_projection(settings: ProjectionSettings) -> str:
    """The name of projection as it is usually done: of a first frame, and of the next one from its code."""
    return f"{PROJECTION}, {settings.first_steps} + {settings.steps} steps"


def with_steps(settings: ProjectionSettings, steps: int) -> ProjectionSettings:
    """The settings with another number of steps, of the kind that they take."""
    return dataclasses.replace(settings, **{"conjugate_steps" if settings.conjugate_steps else "first_steps": steps})


def timed(projector: Projector, image: torch.Tensor, steps: int) -> tuple[torch.Tensor, float]:
    """The code (1, L, D) of an image (1, 3, R, R) after that many steps, and the seconds it took."""
    settings = projector.settings
    projector.settings = with_steps(settings, steps)
    try:
        started = time.perf_counter()
        starts, target = projector.starts(image), projector.target(image)
        s = projector.settings
        ws = projector.optimised(target, starts.to(target.images), s.first_steps, s.first_lr)
        _ = ws.sum().item()  # a GPU has finished then
        return ws, time.perf_counter() - started
    finally:
        projector.settings = settings


def contestant(name: str, projector: Projector, image: torch.Tensor) -> Contestant:
    """A projector with its seconds, measured on an image after one run that is not timed."""
    timed(projector, image, 1)
    few, many = (timed(projector, image, steps)[1] for steps in (1, 1 + TRIAL))
    step = max((many - few) / TRIAL, 1e-4)
    return Contestant(name, projector, max(few - step, 0.0), step)


def contestants(
    generator: Generator, encoder: Path, image: torch.Tensor, today: ProjectionSettings
) -> list[Contestant]:
    """The generator's encoder and steps, and projection from the average code as it is done today."""
    device, of_faces = generator.w_avg.device, generators.category_of(generator.name) == "face"
    perceptual, identity = LPIPS(today.lpips_net).to(device), Identity().to(device) if of_faces else None
    alone = dataclasses.replace(today, start="w_avg")
    loaded = encoder_files.load(encoder, generator)
    first = Projector(generator, perceptual, from_encoder(today), identity, encoder=loaded)
    return [
        contestant(ENCODER, first, image),
        contestant(PROJECTION, Projector(generator, perceptual, alone, identity), image),
    ]


def chained(projector: Projector, before: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, float, float]:
    """The code of an image (1, 3, R, R) by steps from its neighbour's, which had the first steps; seconds of both, and of its own."""
    started, s = time.perf_counter(), projector.settings
    ws = projector.optimised(projector.target(before), projector.average(), s.first_steps, s.first_lr)
    _ = ws.sum().item()  # a GPU has finished then
    between = time.perf_counter()
    ws = projector.optimised(projector.target(image), ws, s.steps, s.lr)
    _ = ws.sum().item()
    return ws, time.perf_counter() - started, time.perf_counter() - between


Measured = tuple[str, float, dict[str, float]]  # method, budget in seconds, numbers


def of_frame(
    before: torch.Tensor, image: torch.Tensor, entered: Sequence[Contestant], judge: Judge, seconds: Sequence[float]
) -> Iterator[Measured]:
    """All inversions of an image (1, 3, R, R), whose neighbour `before` the usual projection begins with."""
    for each in entered:
        for budget in seconds:
            ws, took = timed(each.projector, image, each.steps(budget))
            numbers = judge(each.projector.images(ws), image)
            yield each.name, budget, {"seconds": took, "steps": each.steps(budget)} | numbers
    encoded, projected = (each.projector for each in entered)
    s = encoded.settings
    ws, took = timed(encoded, image, steps := s.conjugate_steps or s.first_steps)
    yield USUAL, 0.0, {"seconds": took, "steps": steps} | judge(encoded.images(ws), image)
    s = projected.settings
    ws, took, own = chained(projected, before, image)
    numbers = {"seconds": took, "seconds_next": own, "steps": s.first_steps + s.steps}
    yield usual_projection(s), 0.0, numbers | judge(projected.images(ws), image)


@torch.no_grad()
def images_of(clip: Clip, frames: int, resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (n, 3, R, R) spread over a clip, and the frame before each."""
    chosen = np.linspace(1, len(clip) - 1, min(frames, len(clip) - 1)).round().astype(int)
    all_images = frame_sources.reference_frames(clip, resolution)
    return all_images[chosen], all_images[chosen - 1]


def rows_of(clip: Clip, category: str, measured: Sequence[Measured]) -> Iterator[Row]:
    """A row for each metric of each method and budget: mean and deviation over frames."""
    for method, budget in dict.fromkeys((method, budget) for method, budget, _ in measured):
        numbers = [each for name, allowed, each in measured if (name, allowed) == (method, budget)]
        variant = f"{budget:g} s" if budget else ""
        for metric in numbers[0]:
            values = summary([each[metric] for each in numbers])
            unit = {"seconds": "s", "seconds_next": "s", "identity": "cosine"}.get(metric, "")
            yield Row(
                metric, category=category, clip=clip.name, method=method, reference="source", variant=variant, unit=unit, **values
            )  # fmt: skip


def measure(
    names: Sequence[str] = CLIPS,
    seconds: Sequence[float] = SECONDS,
    encoder: Path | str = "",
    frames: int = 2,
    *,
    today: ProjectionSettings | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> list[Row]:
    """All numbers: for each clip, method and budget.

    today: the settings of the projection beside, the usual ones of the generator; its first steps and steps are the reference.
    Raises UserError for an unknown clip, footage that is not there, and an encoder of another generator.
    """
    rows: list[Row] = []
    for clip in [clips.load(name) for name in names]:
        generator = generators.load(clip.meta["generator"], device)
        usual = today or settings_for(generator.resolution)
        category = generators.category_of(clip.meta["generator"])
        images, before = (part.to(generator.w_avg) for part in images_of(clip, frames, usual.resolution))
        path = Path(encoder) if encoder else encoder_files.shipped_for(generator)
        entered = contestants(generator, path, images[:1], usual)
        judge = Judge(category == "face").to(device)
        pairs = zip(before.split(1), images.split(1), strict=True)
        bar = tqdm(pairs, desc=clip.name, unit="frame", total=len(images), disable=not progress)
        measured = [each for pair in bar for each in of_frame(*pair, entered, judge, seconds)]
        rows += rows_of(clip, category, measured)
    return rows


def ratio_to_usual(rows: Sequence[Row], budget: float) -> dict[str, float]:
    """LPIPS-VGG of encoder and steps at a budget over that of the usual projection, for each clip."""
    lpips = select(rows, metric="lpips_vgg")
    value: Callable[[Mapping], float] = lambda wanted: select(lpips, **wanted)[0].value  # noqa: E731
    usual = {row.clip: row.method for row in rows if row.method.startswith(f"{PROJECTION}, ")}
    ours = {"method": ENCODER, "variant": f"{budget:g} s"}
    return {
        name: value(ours | {"clip": name}) / value({"method": method, "clip": name}) for name, method in usual.items()
    }
