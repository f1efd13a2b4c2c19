"""What the viewer shows of a clip: the format `dynode-view-1`, one JSON for a clip and a choice of its observed frames."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dynode import clips, runtime
from dynode.clips import Clip
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation.evaluator import Evaluation, Evaluator
from dynode.metrics import METRICS
from dynode.reporting.pages import looks, sheets
from dynode.reporting.pages.looks import CurveLook, curve_looks

FORMAT = "dynode-view-1"
DENSE = 8  # points of a path from one frame to the next
DIGITS = 4  # significant, of numbers in the page
FRAMES = 160  # that a view has at most: of a longer clip every N-th
ONE_VIEW = 1_000_000  # bytes of its sheets
REFERENCES = {
    "truth": "truth (rendered)",
    "source": "footage",
    "code": "own codes",
}
AGAINST = {"truth": "the rendered truth", "source": "the footage", "code": "the images of the clip's own codes"}
MEASURED = {"mse": "mse", "lpips": "lpips_alex"}  # the fields of a view that are errors of frames, and their metrics


@dataclass(frozen=True)
class View:
    """A view's JSON and its frames.

    described: the fields of `dynode-view-1` but for the sheets.  images: by method, and "truth", (T, 3, R, R) in [-1, 1].
    """

    described: dict[str, Any]
    images: dict[str, torch.Tensor]

    def data(self, most: int = ONE_VIEW) -> dict[str, Any]:
        """The whole JSON, sheets as data URIs of together at most `most` bytes.  Raises UserError where they cannot be."""
        made = sheets.sheets_within(self.images, most * 3 // 4)
        size = sum(map(len, made.values())) * 4 // 3
        if size > most:
            raise UserError(
                f"The frames of {self.described['clip']} take {size / 1e6:.1f} MB, at most {most / 1e6:.1f} are wanted: "
                "show fewer methods, or a shorter clip."
            )
        uri = {name: "data:image/webp;base64," + base64.b64encode(each).decode() for name, each in made.items()}
        methods = [each | {"sheet": uri[each["name"]]} for each in self.described["methods"]]
        return self.described | {"methods": methods, "truth": self.described["truth"] | {"sheet": uri["truth"]}}


def shown_frames(clip: Clip, most: int = FRAMES) -> Clip:
    """The clip, or of a long one every N-th frame.  Raises UserError where fewer than two observed ones are among them."""
    every = -(-len(clip) // most)
    kept = torch.arange(len(clip)) % every == 0
    if int((clip.observed & kept).sum()) < 2:
        kept |= clip.observed
    return clip.where(kept)


def view_of(
    clip: Clip,
    paths: Mapping[str, Trajectory],
    evaluator: Evaluator,
    *,
    reference: str = "code",
    metrics: Sequence[str] = ("mse",),
    record: str = "",
) -> View:
    """The view of trajectories by name on a clip whose observed frames are marked; renders every frame of each.

    evaluator: of the same frames.  reference: what errors are measured against, of its references.  metrics: of MEASURED, mse
    among them.  record: where the numbers of the methods come from, in words.
    """
    axes = PrincipalAxes.of(clip.ws)
    dense = dense_times(clip.ts)
    results = {name: evaluator.evaluate(clip, path) for name, path in paths.items()}
    methods = [
        curve(name, look, axes.scores(path(dense).cpu()), label_of(name, path))
        | measured(results[name], reference, metrics)
        for (name, path), look in zip(paths.items(), curve_looks([each.label for each in paths.values()]), strict=True)
    ]
    truth = curve(REFERENCES[reference], CurveLook(*looks.REFERENCE, "", "star"), axes.scores(clip.ws))
    images = {name: each.images for name, each in results.items()}
    described = head_of(clip, axes, record) | {"metrics": labels_of(metrics), "methods": methods}
    described["truth"] = truth | {"reference": reference, "against": AGAINST[reference]}
    return View(described, images | {"truth": evaluator.references[reference].images})


def head_of(clip: Clip, axes: PrincipalAxes, record: str) -> dict[str, Any]:
    """All of a view that is not of one method."""
    share = [float(each) for each in axes.fractions[:2]]
    return {
        **{
            "format": FORMAT,
            "clip": clip.name,
            "category": category_of(clip),
            "fps": rounded(clips.frame_rate(clip.ts)),
        },
        **{"times": rounded(clip.ts.tolist()), "observed": [int(each) for each in clip.observed.tolist()]},
        "shot": [0] * len(clip) if clip.shots is None else clip.shots.tolist(),
        "plane": {"share": rounded([*share, 0.0][:2])},
        **{"dense": DENSE, "columns": sheets.COLUMNS, "protocol": clip.protocol},
        **{"stand_ins": list(clips.stand_ins([clip])), "record": record, "commit": runtime.commit()},
    }


def category_of(clip: Clip) -> str:
    episode = clip.meta.get("episode")
    return episode["world"] if episode else "face"


def dense_times(ts: torch.Tensor) -> torch.Tensor:
    """Times (DENSE * (T - 1) + 1,) that divide every step between times ts (T,) evenly."""
    parts = torch.arange(DENSE, dtype=torch.float64) / DENSE
    between = ts[:-1, None] + parts * ts.diff()[:, None]
    return torch.cat([between.flatten(), ts[-1:]])


def label_of(name: str, path: Trajectory) -> str:
    """What a path is called on a page: a name that does not say its method is followed by it."""
    return name if path.label in name else f"{name} ({path.label})"


def curve(name: str, look: CurveLook, scores: torch.Tensor, label: str = "") -> dict[str, Any]:
    """A path on the plane, and its look.  label: by default the name."""
    return {"name": name, "label": label or name, **dataclasses.asdict(look), "path": rounded(scores.tolist())}


def measured(result: Evaluation, reference: str, metrics: Sequence[str]) -> dict[str, list[float]]:
    """Each metric, one number per frame (T,)."""
    values = {name: rounded(result.values(MEASURED[name], reference).tolist()) for name in metrics}
    result.release()
    return values


def labels_of(metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The fields of errors, what each is called, and what its values are multiplied by where they are shown."""
    known = {name: METRICS[MEASURED[name]] for name in metrics}
    return [{"name": name, "label": each.heading(), "scale": each.scale} for name, each in known.items()]


def rounded(numbers: Any) -> Any:
    """Numbers, in lists of lists, with few significant digits."""
    if isinstance(numbers, list | tuple):
        return [rounded(each) for each in numbers]
    return float(f"{numbers:.{DIGITS}g}")


def means(view: Mapping[str, Any], metric: str = "mse") -> dict[str, tuple[float, float]]:
    """By method the mean of a metric over unobserved and over observed frames; nan where there are none."""
    observed = torch.tensor(view["observed"], dtype=torch.bool)
    values = {each["name"]: torch.tensor(each[metric], dtype=torch.float64) for each in view["methods"]}
    return {name: (float(each[~observed].mean()), float(each[observed].mean())) for name, each in values.items()}
