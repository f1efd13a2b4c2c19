"""What records say of a method of dynamics, or of a system that edits videos."""

from collections.abc import Sequence
from functools import cache

from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.claims.text_tables import mean_and_std
from dynode.experiments.claims.texts import Records
from dynode.metrics import METRICS
from dynode_pages.answers import answers, table

DYNAMICS = ("dynamics_face", "dynamics_heads", "dynamics_scene", "dynamics_bird", "dynamics_isaac3d", "dynamics_beats")
OTHERS = ("rivals", "sparsity", "paper_losses_face", "demo_codes", "spaces")  # for methods that are not in those
CONTROLS = ("hold", "linear", "cubic")
EDITS = ("tl_id", "tg_id", "acd", "seconds_edit", "frames_inverted", "encoder_passes", "generator_forward")
NOTHING = "No record that ships has it."
KNOWN = Records()


@cache
def unobserved(item: str) -> tuple[Row, ...]:
    """The errors and skills of a record at unobserved frames, of settings as they are."""
    rows = [row for row in KNOWN.rows(item) if row.metric in ("mse", "skill", "latent_mse") and not row.variant]
    return tuple(row for row in rows if row.split in ("unobserved", ""))


@answers
def measured(*name: str) -> str:
    """Errors of a method at unobserved frames, beside those of controls, by category, times and stride."""
    method = " ".join(name)
    rows = [line for item in DYNAMICS for line in lines_of(item, method)]
    rows = rows or [line for item in OTHERS for line in lines_of(item, method)]
    if not rows:
        return NOTHING
    heads = ["record", "category", "times", "every", "clips", f"`{method}`", *(f"`{each}`" for each in CONTROLS)]
    return table([*heads, "skill"], rows)


def lines_of(item: str, method: str) -> list[list[str]]:
    """The lines of one record: at every stride where there are few, else at every fourth frame."""
    own = [row for row in unobserved(item) if is_of(row, method)]
    keys = sorted({(row.category, row.sampling, row.stride, row.method) for row in own if row.metric != "skill"})
    keys = [key for key in keys if key[2] == 4] or keys
    return [line for key in keys if (line := line_of(item, *key))]


def is_of(row: Row, method: str) -> bool:
    """Whether a row is of a method, or of one that was shortened or changed in a way that its label says."""
    variants = ("latent", "changed", "latent,changed", "1000/20000")
    return row.method == method or row.method in [f"{method}[{each}]" for each in variants]


def line_of(item: str, category: str, sampling: str, stride: int, method: str) -> list[str]:
    rows = select(unobserved(item), category=category, sampling=sampling, stride=stride)
    reference = "code" if any(r.reference == "code" and r.method == method for r in rows) else ""
    errors = select(rows, metric="mse", **({"reference": reference} if reference else {}))
    factor, errors = (1e3, errors) if select(errors, method=method) else (1, select(rows, metric="latent_mse"))
    clips = len({row.clip for row in select(errors, method=method)})
    means = [error(select(errors, method=each), factor) for each in (method, *CONTROLS)]
    skill = select(rows, metric="skill", method=method)
    label = "" if "[" not in method or method in ("dynode[no z]", "dynode[amortised]") else f" (`{method}`)"
    return [
        f"`{item}`{label}",
        category,
        sampling,
        str(stride or ""),
        str(clips),
        *means,
        mean_and_std(skill) if skill else "",
    ]


def error(rows: Sequence[Row], factor: float) -> str:
    """The mean error over clips, in thousandths of images', as it is of codes'."""
    values = [row.value for row in averaged(rows)]
    return f"{factor * sum(values) / len(values):.3g}" if values else ""


@answers
def measured_edits(*name: str) -> str:
    """What the record of edited clips has of a system: means over its clips."""
    system = " ".join(name)
    rows = KNOWN.rows("compare_editing")
    variants = sorted({row.method for row in rows if row.method == system or row.method.startswith(f"{system},")})
    metrics = [
        metric
        for metric in EDITS
        if select(rows, metric=metric, method=system)
        or any(select(rows, metric=metric, method=each) for each in variants)
    ]
    if not variants:
        return NOTHING
    lines = [
        [f"`{each}`", *(of_edit(select(rows, metric=metric, method=each)) for metric in metrics)] for each in variants
    ]
    return table(
        ["method", *(METRICS[each].heading(arrow=True) if each in METRICS else each for each in metrics)], lines
    )


def of_edit(rows: Sequence[Row]) -> str:
    values = [row.value for row in rows]
    return f"{sum(values) / len(values):.3g}" if values else ""
