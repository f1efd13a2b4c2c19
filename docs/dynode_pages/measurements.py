"""What records say of a method of dynamics, or of a system that edits videos."""

from collections.abc import Sequence
from functools import cache

from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.claims.text_tables import mean_and_std
from dynode.experiments.claims.texts import Records
from dynode.metrics import METRICS
from dynode_pages.answers import answers, table

DYNAMICS = ("dynamics_face", "dynamics_heads", "dynamics_scene", "dynamics_bird", "dynamics_isaac3d", "dynamics_beats")
OTHERS = ("rivals", "sparsity", "spaces", "beyond", "paper_losses_face", "demo_codes")  # of methods not in those
CONTROLS = ("hold", "linear", "cubic")
SHORTENED = ("latent", "latent,changed", "1000/20000")  # marks in a method's label, that its lines show
EDITS = ("tl_id", "tg_id", "acd", "seconds_edit", "frames_inverted", "generator_forward")
NOTHING = "No record that ships has it."
USUAL_STRIDE = 4
KNOWN = Records()


@cache
def errors_of(item: str) -> tuple[Row, ...]:
    """The errors and skills of a record, over seeds and draws."""
    return tuple(averaged(row for row in KNOWN.rows(item) if row.metric in ("mse", "skill", "latent_mse")))


@answers
def how_measured() -> str:
    """What the numbers of `measured` are."""
    return (
        "Errors at unobserved frames, means over clips, lower is better: the MSE times 1,000 of images in [-1, 1], against the image "
        "of the frame's own code; or, where a record has no images, the MSE of codes. Skill is 1 less the ratio of MSEs to linear "
        "interpolation's, of rendered worlds against the true image; below zero the method is worse. An empty cell is not in the record."
    )


@answers
def measured(*name: str) -> str:
    """Errors of a method at unobserved frames, beside those of controls, by category, times and stride."""
    method = " ".join(name)
    rows = [line for item in DYNAMICS for line in lines_of(item, method, "unobserved")]
    rows = rows or [line for item in OTHERS for line in lines_of(item, method, "unobserved")]
    rows = rows or [line for item in OTHERS for line in lines_of(item, method, "observed")]
    if not rows:
        return NOTHING
    heads = ["record", "category", "times", "every", "clips", f"`{method}`", *(f"`{each}`" for each in CONTROLS)]
    return table([*heads, "skill"], rows)


def lines_of(item: str, method: str, split: str) -> list[list[str]]:
    """The lines of one record: of every fourth frame, or of all strides where it has other ones alone."""
    rows = [row for row in select(errors_of(item), split=split) if row.variant in ("", method)]
    labels = {method, *(f"{method}[{each}]" for each in SHORTENED)}
    own = [row for row in rows if row.method in labels and row.metric != "skill"]
    keys = sorted({(row.category, row.sampling, row.stride, row.method) for row in own})
    keys = [key for key in keys if key[2] == USUAL_STRIDE] or keys
    named = f"`{item}`" + (", observed frames" if split == "observed" else "")
    return [line_of(rows, named, method, *key) for key in keys]


def line_of(
    rows: Sequence[Row], named: str, method: str, category: str, sampling: str, stride: int, label: str
) -> list[str]:
    """One line: errors of images against those of the clip's own codes, or of codes where there are no images."""
    rows = select(rows, category=category, sampling=sampling, stride=stride)
    images = select(rows, metric="mse", reference="code") or select(rows, metric="mse")
    factor, errors = (1e3, images) if select(images, method=label) else (1.0, select(rows, metric="latent_mse"))
    means = [mean(select(errors, method=each), factor) for each in (label, *CONTROLS)]
    skill, clips = select(rows, metric="skill", method=label), {row.clip for row in select(errors, method=label)}
    named += "" if label == method else f", `{label}`"
    every = str(stride) if stride else ""
    return [named, category, sampling, every, str(len(clips)), *means, mean_and_std(skill) if skill else ""]


def mean(rows: Sequence[Row], factor: float = 1.0) -> str:
    """The mean over rows with three digits; "" where there are none."""
    return f"{factor * sum(row.value for row in rows) / len(rows):.3g}" if rows else ""


@answers
def measured_edits(name: str) -> str:
    """What the record of edited clips has of a system: means over its clips."""
    rows = [row for row in KNOWN.rows("compare_editing") if row.method == name or row.method.startswith(f"{name},")]
    rows = [row for row in rows if not row.method.endswith("no edit")]
    metrics = [metric for metric in EDITS if select(rows, metric=metric)]
    if not rows:
        return NOTHING
    lines = [
        [f"`{method}`", *(edited(select(rows, metric=each, method=method), each) for each in metrics)]
        for method in sorted({row.method for row in rows})
    ]
    return table(["method", *map(heading, metrics)], lines)


def heading(metric: str) -> str:
    return METRICS[metric].heading(arrow=True).replace("_", " ") if metric in METRICS else metric.replace("_", " ")


def edited(rows: Sequence[Row], metric: str) -> str:
    """The mean of some rows with the digits that are the metric's own."""
    digits = METRICS[metric].digits if metric in METRICS else 1
    return f"{sum(row.value for row in rows) / len(rows):.{digits}f}" if rows else ""
