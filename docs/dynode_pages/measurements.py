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
EDITED = ("compare_editing", "systems")  # records of edited clips
EDITS = ("tl_id", "tg_id", "acd", "frames_inverted", "generator_forward", "share_of_published")
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
        "of the frame's own code (of `sparsity`, against the truth or the footage); or, where a record has no images, the MSE of codes. Skill is 1 less the ratio of MSEs to linear "
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
def how_edits_are_measured() -> str:
    """What the numbers of `measured_edits` are."""
    return (
        "Means over the clips and edits of each record, identity by MobileFaceNet; arrows point to what is better. The source is the "
        "footage as it is, and a control. A name that begins with `linear`, and straight lines, interpolate the edited codes in the "
        "place of learned dynamics. The share is that of the published iterations which the system ran. An empty cell is not in the record."
    )


@answers
def measured_edits(name: str) -> str:
    """What records of edited clips have of a system, beside its controls."""
    own = {each.method for record in EDITED for each in edited_rows(record) if is_of(each.method, name)}
    controls = (
        [name.replace("dynode", "linear"), "straight lines", "source"] if name.startswith("dynode") else ["source"]
    )
    lines = []
    for record in EDITED:
        there = {row.method for row in edited_rows(record)}
        methods = [each for each in (*sorted(own), *controls) if each in there and own & there]
        lines += [
            [f"`{record}`", f"`{method}`", *(edited(record, each, method) for each in EDITS)] for method in methods
        ]
    return table(["record", "method", *map(heading, EDITS)], lines) if lines else NOTHING


def is_of(method: str, name: str) -> bool:
    """Whether a record's name is that of a system, or of one of its modes; the control's there are named for their filters."""
    name = name.removesuffix("+latent-transformer") if name.startswith("smoothed") else name
    return method == name or (method.startswith(f"{name}, ") and not method.endswith("no edit"))


@cache
def edited_rows(record: str) -> tuple[Row, ...]:
    """The numbers of edits: of the first identity network, and nothing of edits of strength 0."""
    rows = [row for row in KNOWN.rows(record) if row.metric in EDITS and not row.variant.endswith(" 0")]
    return tuple(row for row in rows if not row.reference.startswith("dlib"))


def heading(metric: str) -> str:
    return METRICS[metric].heading(arrow=True) if metric in METRICS else metric.replace("_", " ")


def edited(record: str, metric: str, method: str) -> str:
    """The mean with the digits that are the metric's own, three significant ones where it has none; "" without rows."""
    rows = select(edited_rows(record), metric=metric, method=method)
    if metric not in METRICS or not rows:
        return mean(rows)
    return f"{sum(row.value for row in rows) / len(rows):.{METRICS[metric].digits}f}"
