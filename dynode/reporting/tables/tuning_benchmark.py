"""The table of `dynode bench tuning`."""

from collections.abc import Sequence

from dynode.evaluation.records import Row, select
from dynode.evaluation.tuning_quality import SPLITS
from dynode.reporting.tables.cells import Table

COLUMNS = {
    "lpips_vgg": ("LPIPS-VGG", 4),
    "lpips_alex": ("LPIPS-Alex", 4),
    "identity": ("identity cosine", 3),
    "dlib_distance": ("dlib distance", 3),
    "eye_opening": ("eye aspect ratio", 4),
    "mouth_opening": ("mouth / face height", 4),
}
OF_FRAMES = "Means over frames, observed / held out."
OF_FACES = (
    "Eyes and mouth: the difference to the source. Blinks: how many of the source's are kept + how many are added."
)


def tuning_table(rows: Sequence[Row]) -> Table:
    """A line for each clip untuned, tuned in each manner, and of its controls.

    rows: of `dynode.experiments.tuning_benchmark`.
    """
    shown = [metric for metric in COLUMNS if select(rows, metric=metric)]
    of_faces, cells = bool(select(rows, metric="blinks")), []
    for clip, method, variant in dict.fromkeys((row.clip, row.method, row.variant) for row in rows):
        own = select(rows, clip=clip, method=method, variant=variant)
        steps = "".join(f"{row.value:.0f}" for row in select(own, metric="tuning_steps"))
        line = [clip, ", ".join(filter(None, (method, variant))), steps, *(both(own, metric) for metric in shown)]
        cells.append(line + [both_blinks(own)] * of_faces)
    header = ["clip", "images", "steps", *(COLUMNS[metric][0] for metric in shown), *["blinks"] * of_faces]
    return Table(header, cells, {}, " ".join([OF_FRAMES, *[OF_FACES] * of_faces]))


def both(rows: Sequence[Row], metric: str) -> str:
    """A metric of observed and of held-out frames, "" where neither has it."""
    by_split = {row.split: f"{row.value:.{COLUMNS[metric][1]}f}" for row in select(rows, metric=metric)}
    return beside(by_split)


def both_blinks(rows: Sequence[Row]) -> str:
    """How many blinks of the source are kept, and how many are added, of observed and of held-out frames: 1 of 2 + 1 / 0 of 0."""
    by_split = {}
    for row in select(rows, metric="blinks"):
        missing, extra = (
            int(select(rows, metric=f"blinks_{name}", split=row.split)[0].value) for name in ("missing", "extra")
        )
        by_split[row.split] = f"{int(row.value) - missing} of {int(row.value)}" + (f" + {extra}" if extra else "")
    return beside(by_split)


def beside(by_split: dict[str, str]) -> str:
    return " / ".join(by_split.get(split, "-") for split in SPLITS) if by_split else ""
