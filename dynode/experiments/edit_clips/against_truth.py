"""Edited clips of worlds against the ground truth: the same episode with one factor changed at all times.

How far an editor goes is not known beforehand.  The true episode is rendered with the value that the edit reached in the
first frame: the one whose true picture is nearest to the edited one ("nearest"), or the output of the network that reads
factors ("read"; it is biased to the centres of its classes: a wall half-way from green to blue is read as green or blue).
Every propagated edit is then compared with that episode, and so is the unedited path.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.editing import editors, propagation
from dynode.errors import UserError
from dynode.evaluation.evaluator import ImageFeatures, compared, networks_for, resolution_for
from dynode.evaluation.records import Row
from dynode.generators.protocol import Generator
from dynode.generators.registry import of_clip
from dynode.inversion.frame_sources import episode_of, render_episode, truth_at
from dynode.io.images import resampled
from dynode.metrics import METRICS
from dynode.perception import factor_reader as reading
from dynode.settings import choose
from dynode.worlds import world
from dynode.worlds.factors import Factor, index_of

IMAGE_METRICS = ("mse", "lpips_alex")
REACHED = ("nearest", "read")
CANDIDATES = (
    9  # values of a factor in the search for the nearest: first over its range, then between the best's neighbours
)
REDUCTION = 2  # of the pictures in that search: light and colours show in small ones as well
FRACTION_UNIT = "share of the range"
EVERY_CODE = "own codes"  # method of variants that know every inverted code: nothing is propagated


@dataclass(frozen=True)
class WorldEdit:
    """An editor by name (METHOD:ATTRIBUTE), the factor of the world that it is to change, and how far it goes.

    rows: the first N style rows only, 0 all.  reached: how the value of the true edit is estimated, as above.
    """

    editor: str
    factor: str
    strength: float
    rows: int = 0
    reached: str = "nearest"

    def __post_init__(self):
        choose("estimate of what an edit reached", self.reached, list(REACHED))


EDITS = {  # of the shipped clips, as far as each flow goes before it spoils the picture
    "isaac3d.robot_x": (
        WorldEdit("flow:sand_wall", "wall_color", 4.0),
        WorldEdit("flow:lighting_intensity", "lighting_intensity", 4.0),
    ),
    "isaac3d.robot_y": (WorldEdit("flow:lighting_intensity", "lighting_intensity", -6.0),),
    "scene.day": (WorldEdit("flow:fog", "fog", 4.0), WorldEdit("flow:mountain", "mountain", -4.0)),
    "scene.winter": (WorldEdit("flow:fog", "fog", 4.0),),
}


@dataclass
class TrueEdit:
    """An edit of a clip's first code, and the pictures (T, 3, R, R) of its episode at times ts (T,), as it was and edited.

    before, read: the factor as the network reads it in G(w0) and in G of the edited code; value: that of the true edit.
    index: the factor's number.
    """

    clip: Clip
    edit: WorldEdit
    ts: torch.Tensor
    generator: Generator = field(repr=False)

    def __post_init__(self):
        meta = self.clip.meta
        generators.require_same(meta["generator"], meta["generator_hash"], f"The clip {self.clip.name}")
        self.network = reading.shipped(meta["episode"]["world"])
        self.index = index_of(self.network.factors, self.edit.factor)
        self.editor = editors.load(self.edit.editor, self.generator)
        self.w0 = self.clip.ws[0]
        self.edited = propagation.composed(self.w0, self.edits, self.edit.rows)
        pair = generators.render(self.generator, torch.stack([self.w0, self.edited]), self.resolution)
        self.before, self.read = reading.read_factors(self.network, pair)[:, self.index].tolist()
        self.value = self.read if self.edit.reached == "read" else self.nearest(pair[1])
        self.episode = episode_of(self.clip).edited(self.edit.factor, self.value, float(self.clip.ts[0]))
        self.networks = networks_for(METRICS[name] for name in IMAGE_METRICS)
        self.truth = ImageFeatures(render_episode(self.episode, self.ts, self.resolution), self.networks)
        self.factors = reading.read_factors(self.network, self.truth.images)

    def nearest(self, image: torch.Tensor) -> float:
        """The value of the factor with which the true first picture has the lowest MSE from an image (3, R, R)."""
        size = self.resolution // REDUCTION
        small, renderer = resampled(image[None], size), world(self.clip.meta["episode"]["world"])
        start = episode_of(self.clip).factors(self.clip.ts[:1])

        def best(values: torch.Tensor) -> float:
            factors = start.repeat(len(values), 1)
            factors[:, self.index] = values
            gaps = METRICS["mse"](renderer.images(factors, size), small.expand(len(values), -1, -1, -1))
            return float(values[gaps.argmin()])

        coarse = self.factor.at(torch.linspace(0, 1, CANDIDATES))
        centre, step = best(coarse), float(coarse[1] - coarse[0])
        return best((centre + step * torch.linspace(-1, 1, CANDIDATES)).clamp(self.factor.low, self.factor.high))

    @property
    def factor(self) -> Factor:
        return self.network.factors[self.index]

    @property
    def edits(self) -> list[tuple[editors.Editor, float]]:
        return [(self.editor, self.edit.strength)]

    @property
    def resolution(self) -> int:
        return resolution_for(self.generator)

    @property
    def unedited(self) -> torch.Tensor:
        """The true episode as it was."""
        return truth_at(self.clip, self.ts, self.resolution)

    def errors(self, codes: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Images (T, 3, R, R) of codes (T, L, D), and their errors (T,) against the truth by the metric's name.

        factor_error, others_error: factors as the network reads them, against those in the truth, as fractions of the ranges.
        """
        images = generators.render(self.generator, codes, self.resolution)
        features = ImageFeatures(images, self.networks)
        errors = {name: compared(name, features, self.truth).double() for name in IMAGE_METRICS}
        gaps = reading.factor_distance(
            self.network.factors, reading.read_factors(self.network, images), self.factors
        ).double()
        others = torch.arange(gaps.shape[1]) != self.index
        return images, errors | {"factor_error": gaps[:, self.index], "others_error": gaps[:, others].mean(1)}


def variants(
    true: TrueEdit, paths: dict[str, Trajectory], modes: Iterable[str] = propagation.MODES
) -> Iterator[tuple[str, str, Trajectory | torch.Tensor]]:
    """(method, variant, trajectory or codes): each path unedited and in every mode, then every inverted code edited by itself.

    "shifted": by the first code's offset; "reedited": by the editor.  Both know the codes of all frames.
    """
    for name, path in paths.items():
        yield name, "unedited", path
        for mode in modes:
            yield name, mode, propagation.propagate(path, true.w0, true.edited, mode)
    at = torch.isin(true.clip.ts, true.ts)
    ws = true.clip.ws[at]
    yield EVERY_CODE, "unedited", ws
    yield EVERY_CODE, "shifted", propagation.shifted(ws, true.w0, true.edited)
    yield EVERY_CODE, "reedited", propagation.reedited(ws, true.edits, true.edit.rows)


@dataclass
class Compared:
    """Rows, and by "method, variant" images (T, 3, R, R) and errors over time, metric -> (T,); with the true edit itself."""

    true: TrueEdit
    rows: list[Row] = field(default_factory=list)
    images: dict[str, torch.Tensor] = field(default_factory=dict)
    errors: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    def frames(self, labels: Iterable[str]) -> dict[str, torch.Tensor]:
        """Rows of pictures by their titles: the source, the true edit, and those of the labels (keys of `images`)."""
        lines = {"source": self.true.unedited, "true edit": self.true.truth.images}
        return lines | {label.replace(", ", "\n"): self.images[label] for label in labels}


def compare(
    clip: Clip,
    paths: dict[str, Trajectory],
    edit: WorldEdit,
    *,
    every: int = 3,
    modes: Sequence[str] = propagation.MODES,
    generator: Generator | None = None,
) -> Compared:
    """One edit of a clip of a world, propagated along every path in every mode, against the true edited episode.

    paths: trajectories fitted to the clip's observed frames, by the method's name.
    every: of the clip's frames every N-th is compared; a multiple of the sampling's stride would miss all unobserved frames.
    generator: what renders the codes, by default the clip's own, tuned where the clip names a tuning.
    Raises UserError for a clip that is no episode's, an unknown editor or factor, and an editor of other weights.
    """
    if "episode" not in clip.meta:
        raise UserError(
            f"The clip {clip.name} is no episode of a world, so its true edit is not known: take a clip of a world."
        )
    generator = generator or of_clip(clip.meta, f"The clip {clip.name}")
    true = TrueEdit(clip, edit, clip.ts[::every], generator)
    result, named = Compared(true), {"category": true.episode.world, "clip": clip.name}
    result.rows += reached_rows(true, **named)
    for method, variant, source in variants(true, paths, modes):
        codes = source if isinstance(source, torch.Tensor) else source(true.ts)
        label, labels = f"{method}, {variant}", {"method": method, "variant": f"{edit.factor}, {variant}", **named}
        result.images[label], result.errors[label] = true.errors(codes)
        result.rows += error_rows(result.errors[label], **labels)
        if isinstance(source, Trajectory) and variant in modes:
            result.rows.append(drift_row(propagation.drift(source, true.ts), **labels))
    for method, path in paths.items():
        fraction = propagation.fraction_in_field(path, true.w0, true.edited)
        result.rows.append(fraction_row(fraction, method=method, variant=edit.factor, **named))
    return result


def reached_rows(true: TrueEdit, **identity) -> Iterator[Row]:
    """The edited factor of the first frame: as it truly was, as it is read before and after, and as the true edit has it."""
    was = float(episode_of(true.clip).factors(true.clip.ts[:1])[0, true.index])
    labels: dict = {"method": true.edit.editor, "reference": "truth", "unit": true.factor.unit, **identity}
    values = {"true": was, "read before": true.before, "read after": true.read, "true edit": true.value}
    for name, value in values.items():
        yield Row("edited_factor", value, variant=f"{true.factor.name}, {name}", **labels)


def error_rows(errors: dict[str, torch.Tensor], **identity) -> Iterator[Row]:
    """Means over frames, against the true edited episode."""
    for name, values in errors.items():
        unit = METRICS[name].unit if name in METRICS else FRACTION_UNIT
        yield Row(name, float(values.mean()), unit=unit, reference="truth", n=len(values), **identity)


def fraction_row(fraction: float, **identity) -> Row:
    """How much of an edit the field of a path knows."""
    return Row("edit_seen_share", fraction, space="latent", unit="share of the edit", **identity)


def drift_row(values: torch.Tensor, **identity) -> Row:
    """The largest drift of a propagated edit from that of the first code."""
    return Row("edit_drift", float(values.max()), space="latent", unit="share of the edit", n=len(values), **identity)
