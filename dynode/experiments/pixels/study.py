"""Pixel models beside the methods that go through a GAN: the same observed frames of a world, judged by its truth."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import torch

from dynode import generators, worlds
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.records import Row, averaged, select
from dynode.evaluation.trajectories import Evaluator, Looked, splits
from dynode.experiments.pixels.episodes import lessons
from dynode.experiments.pixels.frames import Seen
from dynode.experiments.pixels.predictors import UNLEARNED, PixelModel
from dynode.experiments.pixels.presets import PixelSettings
from dynode.experiments.pixels.training import PixelTraining
from dynode.generators import weights
from dynode.io import source_code
from dynode.metrics import METRICS
from dynode.reporting.tables import SCALES, Table, number, ranked
from dynode.settings import to_json

JUDGED = ("mse", "ssim", "lpips_alex")
SOURCES = (
    "dynode.experiments.pixels.training",
    "dynode.experiments.pixels.episodes",
    "dynode.experiments.pixels.predictors",
)  # what a trained model depends on
FADE, FLOOR = "linear[pixels]", "own codes"


class PixelStore:
    """Trains pixel models into a folder, one file each: a killed run finds what it had finished, and goes on."""

    def __init__(self, folder: Path, progress: bool = True):
        self.folder, self.progress = Path(folder), progress

    def model(self, clip: Clip, seen: Seen, settings: PixelSettings, seed: int = 0) -> PixelModel:
        """The model that these observed frames of the clip teach, or other episodes of its world and kind."""
        if not settings.taught:
            of = seen.images.double().numpy().tobytes() + seen.ts.numpy().tobytes()
            return self.trained(self.path(clip.name, settings, seed, of), lambda: ([seen], 0.0), settings, seed)
        told, resolution = clip.meta["episode"], seen.images.shape[-1]
        known = {"frames": settings.frames, "rays": settings.rays, "seconds": told["seconds"], "resolution": resolution}

        def learn_from():
            place, world = self.folder / "lessons", worlds.world(told["world"])
            return lessons(world, told["kind"], settings.episodes, folder=place, progress=self.progress, **known)

        path = self.path(f"{told['world']}.{told['kind']}", settings, seed, str(known).encode())
        return self.trained(path, learn_from, settings, seed)

    def path(self, name: str, settings: PixelSettings, seed: int, of: bytes) -> Path:
        key = hashlib.sha256(f"{to_json(settings)} {seed} {source_code.hash_of(*SOURCES)}".encode() + of).hexdigest()[
            :16
        ]
        return self.folder / f"{name}.{settings.preset}.{key}.safetensors"

    def trained(self, path: Path, learn_from: Callable, settings: PixelSettings, seed: int) -> PixelModel:
        """Read where it is there, else trained (from its checkpoint) and written.

        learn_from() -> what to learn from, as `Seen`, and the seconds it took to draw.
        """
        if not path.is_file():
            learned, drawing = learn_from()
            training, checkpoint = PixelTraining(learned, settings, seed), path.with_suffix(".checkpoint")
            network = training.run(checkpoint, progress=self.progress)
            log = {"seconds": round(training.seconds, 2), "drawing": round(drawing, 2), "loss": training.loss}
            log |= {"parameters": sum(p.numel() for p in network.parameters()), "iterations": training.iteration}
            PixelModel(network, log).save(path)
            checkpoint.unlink(missing_ok=True)
        return PixelModel.load(path)


@dataclasses.dataclass
class PixelStudy:
    """Frames that methods on pixels predicted of a clip, judged by its truth.

    first: frames (T, 3, R, R) and metrics (T,) by name, by (method, sampling), of the first seed, for figures.
    Raises UserError for a clip that has no truth.
    """

    clip: Clip
    evaluator: Evaluator
    rows: list[Row] = dataclasses.field(default_factory=list)
    first: dict[tuple[str, str], tuple[torch.Tensor, dict]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if "truth" not in self.evaluator.references:
            raise UserError(f"{self.clip.name} is no episode of a world: methods on pixels are judged by its truth.")
        self.truth = self.evaluator.references["truth"]

    def seen(self, shown: Clip) -> Seen:
        """The true frames at observed times: all that a method on pixels is given."""
        return Seen(self.truth.images[shown.observed], shown.ts[shown.observed])

    def judge(self, shown: Clip, images: torch.Tensor, **identity) -> None:
        looked = Looked(images, self.truth.looked.networks)
        values = {name: self.truth.compare(name, looked, slice(None)) for name in JUDGED}
        self.note(shown, images, values, **identity)

    def judge_own_codes(self, shown: Clip, **identity) -> None:
        """G(z_i) of every frame: what remains when nothing but the inversion errs."""
        values = {name: self.truth.of_own(name) for name in JUDGED}
        self.note(shown, self.evaluator.own, values, method=FLOOR, **identity)

    def note(self, shown: Clip, images: torch.Tensor, values: dict[str, torch.Tensor], **identity) -> None:
        self.first.setdefault((identity["method"], identity["sampling"]), (images, values))
        named = {"category": self.evaluator.category, "clip": self.clip.name, "reference": "truth"} | identity
        for (split, frames), name in product(splits(shown).items(), JUDGED):
            self.rows.append(
                Row(name, float(values[name][frames].mean()), split=split, unit=METRICS[name].unit, **named)
            )

    def cost(self, model: PixelModel, **identity) -> None:
        named = {"category": self.evaluator.category, "clip": self.clip.name, "space": ""} | identity
        for name, unit in (("seconds", "s"), ("drawing", "s"), ("parameters", "")):
            self.rows.append(Row(name, float(model.log[name]), unit=unit, **named))


def study(
    clip: Clip,
    evaluator: Evaluator,
    store: PixelStore,
    settings: list[PixelSettings],
    *,
    samplings,
    stride: int,
    seeds,
    hidden_end: int = 0,
) -> PixelStudy:
    """Rivals that learn nothing, and pixel models, on a clip of a world, for every sampling and seed.

    What has no randomness runs once where the observed frames are the same.
    """
    found = PixelStudy(clip, evaluator)
    for sampling, seed in product(samplings, seeds):
        shown = clip.sampled(sampling, stride, seed, hidden_end)
        seen, identity = found.seen(shown), {"sampling": sampling, "stride": stride, "seed": seed}
        if sampling != "regular" or seed == seeds[0]:
            found.judge_own_codes(shown, **identity)
            for method, drawn in UNLEARNED.items():
                found.judge(shown, drawn(seen, clip.ts), method=method, **identity)
        for one in settings:
            model = store.model(clip, seen, one, seed)
            found.judge(shown, model(seen, clip.ts), method=one.label, **identity)
            found.cost(model, method=one.label, **identity)
    return found


def skills(found: list[Row]) -> Iterator[Row]:
    """Skill over the cross-fade of every method, and over straight lines in latent space of those on pixels.

    1 - MSE / MSE of the other, against the truth at unobserved frames.  What ran for one seed alone stands for all.
    """
    judged = select(found, metric="mse", split="unobserved", reference="truth")
    has = {row.method for row in select(found, metric="skill")}
    for metric, over, rows in (
        ("skill", "linear", [row for row in judged if row.method not in has]),
        ("skill_fade", FADE, [row for row in judged if row.method != FADE]),
    ):
        for row in rows:
            same = select(judged, method=over, clip=row.clip, sampling=row.sampling, stride=row.stride)
            unit = next((each.value for each in same if each.seed == row.seed), same[0].value)
            yield dataclasses.replace(row, metric=metric, value=1 - row.value / unit, unit="")


def table(found: list[Row], methods, clip: str) -> Table:
    """A line for each sampling and method of a clip: cost, errors against the truth, skill over the cross-fade."""
    rows = [row for row in averaged(select(found, clip=clip)) if row.method in methods]
    columns = [(split, name) for split in ("observed", "unobserved") for name in JUDGED]
    header = ["sampling", "method", "parameters", "seconds", "drawing s"]
    header += [*(f"{split} {SCALES[name][1]}" for split, name in columns), "skill over cross-fade"]
    cells, marks = [], {}
    for sampling in dict.fromkeys(row.sampling for row in rows):
        group = [row for row in rows if row.sampling == sampling and (row.reference == "truth" or not row.split)]
        for c, (split, name) in enumerate(columns):
            rivals = [row for row in group if row.method != FLOOR]
            marks |= ranked(rivals, split, name, methods, first=len(cells), column=c + 5)
        for method in methods:
            own = {(row.split, row.metric): row for row in group if row.method == method}
            cost = [
                number(own.get(("", name)), 1, d) for name, d in (("parameters", 0), ("seconds", 1), ("drawing", 0))
            ]
            numbers = [number(own.get(key), SCALES[key[1]][0], 3 if key[1] != "ssim" else 2) for key in columns]
            cells.append([sampling, method, *cost, *numbers, number(own.get(("unobserved", "skill_fade")), 1, 2)])
    return Table(header, cells, marks)


def said(found: list[Row], methods, clip: str, sampling: str) -> str:
    """What the numbers of a clip say, in a few sentences of Markdown: means over seeds, at unobserved frames."""
    judged = averaged(select(found, clip=clip, sampling=sampling, split="unobserved", reference="truth"))
    mse = {row.method: row.value * 1e3 for row in select(judged, metric="mse")}
    mse, floor = {name: mse[name] for name in methods if name in mse and name != FLOOR}, mse[FLOOR]
    lpips = {row.method: row.value for row in select(judged, metric="lpips_alex") if row.method in mse}
    ours = next(name for name in mse if name.startswith("dynode"))
    ahead = [name for name, value in mse.items() if value < mse[ours]]
    pixel = {name: value < mse[FADE] for name, value in mse.items() if name.startswith("pixel_ode")}
    beaten, beating = (", ".join(name for name, better in pixel.items() if better is way) for way in (False, True))
    listed = ", ".join(f"{name} {value:.2f}" for name, value in mse.items())
    return (
        f"**{clip}, {sampling} times.** MSE x 1e3 at unobserved frames: {listed}; inversion alone leaves {floor:.2f} "
        f"({FLOOR}). Least MSE: {min(mse, key=mse.get)}; least LPIPS: {min(lpips, key=lpips.get)}. Pixel models that "
        f"beat the cross-fade: {beating or 'none'}; that lose to it: {beaten or 'none'}. "
        f"Ahead of {ours}, which goes through the GAN: {', '.join(ahead) or 'none'}."
    )


def around(values: torch.Tensor, columns: int) -> torch.Tensor:
    """So many neighbouring frames around the one whose value (T,) is largest: indices."""
    first = int(values.argmax()) - columns // 2
    first = max(0, min(first, len(values) - columns))
    return torch.arange(first, min(first + columns, len(values)))


def schooling(generator_name: str) -> str:
    """What a world's generator had learned before the first frame was inverted, from its card."""
    card = weights.card(generators.found(generator_name))
    shown, hours = 0, 0.0
    while card:
        shown, hours, card = shown + card["pictures_shown"], hours + card["hours"], card.get("started_from")
    return f"{generator_name} was shown {shown} pictures of its world in {hours:.1f} hours"
