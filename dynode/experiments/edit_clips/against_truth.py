"""Edited clips of worlds against their truth: the same episode with one factor changed at all times.

How far an editor goes is not known beforehand.  The true episode is drawn with the value that the edit reached in the first
frame: that whose true picture lies nearest to the edited one ("nearest"), or what the network that reads factors sees there
("read"; it likes the middles of its classes: a wall half-way from green to blue it calls green or blue).  Whatever carries the
edit is then compared with that episode, and so is doing nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from dynode import generators
from dynode.clips import Clip
from dynode.dynamics.trajectory import Trajectory
from dynode.editing import editors, propagation
from dynode.errors import UserError
from dynode.evaluation.evaluator import ImageFeatures, compared, networks_for, resolution_for
from dynode.evaluation.records import Row
from dynode.inversion.frame_sources import episode_of, render_episode, truth_at
from dynode.io.images import resampled
from dynode.metrics import METRICS
from dynode.perception import factor_reader as reading
from dynode.settings import choose
from dynode.worlds import world
from dynode.worlds.factors import Factor, index_of

IMAGE_METRICS = ("mse", "lpips_alex")
REACHED = ("nearest", "read")
CANDIDATES = 9  # values of a factor, first over its range, then between the neighbours of the best: what comes nearest
SMALL = 2  # how much smaller the pictures are that the nearest is looked for in: light and colours show there as well
SHARE = "share of the range"
EVERY_CODE = "own codes"  # who is not carried: every inverted code is known to it


@dataclass(frozen=True)
class WorldEdit:
    """An editor by name (METHOD:ATTRIBUTE), the factor of the world that it is to change, and how far it goes.

    rows: the first so many style rows only, 0 all.  reached: how the value of the true edit is found, as above.
    """

    editor: str
    factor: str
    strength: float
    rows: int = 0
    reached: str = "nearest"

    def __post_init__(self):
        choose("way to find what an edit reached", self.reached, list(REACHED))


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

    before, read: what the network reads of the factor in G(w0) and in G of the edited code; value: that of the true edit.
    """

    clip: Clip
    edit: WorldEdit
    ts: torch.Tensor
    generator: object = field(repr=False)

    def __post_init__(self):
        meta = self.clip.meta
        generators.require_same(meta["generator"], meta["generator_hash"], f"The clip {self.clip.name}")
        self.network = reading.shipped(meta["episode"]["world"])
        self.place = index_of(self.network.factors, self.edit.factor)
        self.editor = editors.load(self.edit.editor, self.generator)
        self.w0 = self.clip.ws[0]
        self.edited = propagation.composed(self.w0, self.edits, self.edit.rows)
        first = generators.render(self.generator, torch.stack([self.w0, self.edited]), self.resolution)
        self.before, self.read = reading.read_factors(self.network, first)[:, self.place].tolist()
        self.value = self.read if self.edit.reached == "read" else self.nearest(first[1])
        self.episode = episode_of(self.clip).edited(self.edit.factor, self.value, float(self.clip.ts[0]))
        self.networks = networks_for(METRICS[name] for name in IMAGE_METRICS)
        self.truth = ImageFeatures(render_episode(self.episode, self.ts, self.resolution), self.networks)
        self.factors = reading.read_factors(self.network, self.truth.images)

    def nearest(self, image: torch.Tensor) -> float:
        """The value of the factor with which the true first picture has the lowest MSE from an image (3, R, R)."""
        size = self.resolution // SMALL
        small, known = resampled(image[None], size), world(self.clip.meta["episode"]["world"])
        began = episode_of(self.clip).factors(self.clip.ts[:1])

        def best(values: torch.Tensor) -> float:
            factors = began.repeat(len(values), 1)
            factors[:, self.place] = values
            gaps = METRICS["mse"](known.images(factors, size), small.expand(len(values), -1, -1, -1))
            return float(values[gaps.argmin()])

        coarse = self.factor.at(torch.linspace(0, 1, CANDIDATES))
        found, step = best(coarse), float(coarse[1] - coarse[0])
        return best((found + step * torch.linspace(-1, 1, CANDIDATES)).clamp(self.factor.low, self.factor.high))

    @property
    def factor(self) -> Factor:
        return self.network.factors[self.place]

    @property
    def edits(self) -> list[tuple]:
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

        factor_error, others_error: what the network reads in them, against what it reads in the truth, as shares of the ranges.
        """
        images = generators.render(self.generator, codes, self.resolution)
        looked, found = ImageFeatures(images, self.networks), {}
        for name in IMAGE_METRICS:
            found[name] = compared(name, looked, self.truth).double()
        gaps = reading.factor_distance(
            self.network.factors, reading.read_factors(self.network, images), self.factors
        ).double()
        others = torch.arange(gaps.shape[1]) != self.place
        return images, found | {"factor_error": gaps[:, self.place], "others_error": gaps[:, others].mean(1)}


def ways(true: TrueEdit, paths: dict[str, Trajectory], modes=propagation.MODES) -> Iterator[tuple[str, str, object]]:
    """(method, way, trajectory or codes): each path unedited and in every mode, then every inverted code edited by itself.

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
    """Rows, and by "method, way": images (T, 3, R, R) and errors over time, metric -> (T,); beside the true edit itself."""

    true: TrueEdit
    rows: list[Row] = field(default_factory=list)
    images: dict[str, torch.Tensor] = field(default_factory=dict)
    errors: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    def frames(self, labels) -> dict[str, torch.Tensor]:
        """Lines of pictures by their titles: the source, the true edit, and those of the labels (all there are: `images`)."""
        lines = {"source": self.true.unedited, "true edit": self.true.truth.images}
        return lines | {label.replace(", ", "\n"): self.images[label] for label in labels}


def compare(
    clip: Clip,
    paths: dict[str, Trajectory],
    edit: WorldEdit,
    *,
    every: int = 3,
    modes=propagation.MODES,
    generator=None,
) -> Compared:
    """One edit of a clip of a world, carried by every path in every mode, against the true edited episode.

    paths: trajectories fitted to the clip's observed frames, by the method's name.
    every: of the clip's frames one in so many is looked at; what divides the sampling's stride would miss all hidden frames.
    Raises UserError for a clip that is no episode's, an unknown editor or factor, and an editor of other weights.
    """
    if "episode" not in clip.meta:
        raise UserError(
            f"The clip {clip.name} is no episode of a world: nobody knows how it would look if it were so edited."
        )
    generator = generator or generators.load(clip.meta["generator"])
    true = TrueEdit(clip, edit, clip.ts[::every], generator)
    found = Compared(true)
    named = {"category": true.episode.world, "clip": clip.name}
    found.rows += reached_rows(true, **named)
    for method, way, source in ways(true, paths, modes):
        codes = source if isinstance(source, torch.Tensor) else source(true.ts)
        label, told = f"{method}, {way}", {"method": method, "variant": f"{edit.factor}, {way}", **named}
        found.images[label], found.errors[label] = true.errors(codes)
        found.rows += error_rows(found.errors[label], **told)
        if way in modes:
            found.rows.append(drift_row(propagation.drift(source, true.ts), **told))
    for method, path in paths.items():
        share = propagation.fraction_in_field(path, true.w0, true.edited)
        told = {"method": method, "variant": edit.factor, "space": "latent", "unit": "share of the edit"}
        found.rows.append(Row("edit_seen_share", share, **told, **named))
    return found


def reached_rows(true: TrueEdit, **identity) -> Iterator[Row]:
    """The edited factor of the first frame: as it truly was, as it is read before and after, and as the true edit has it."""
    was = float(episode_of(true.clip).factors(true.clip.ts[:1])[0, true.place])
    told = {"method": true.edit.editor, "reference": "truth", "unit": true.factor.unit}
    values = {"true": was, "read before": true.before, "read after": true.read, "true edit": true.value}
    for name, value in values.items():
        yield Row("edited_factor", value, variant=f"{true.factor.name}, {name}", **told, **identity)


def error_rows(errors: dict[str, torch.Tensor], **identity) -> Iterator[Row]:
    """Means over frames, against the true edited episode."""
    for name, values in errors.items():
        unit = METRICS[name].unit if name in METRICS else SHARE
        yield Row(name, float(values.mean()), unit=unit, reference="truth", n=len(values), **identity)


def drift_row(values: torch.Tensor, **identity) -> Row:
    """How far, at most, what is carried leaves the edit of the first code."""
    return Row("edit_drift", float(values.max()), space="latent", unit="share of the edit", n=len(values), **identity)
