"""The tables of README and FINDINGS, from rows alone, as Markdown."""

import math
from collections.abc import Callable, Iterable, Sequence

from dynode.evaluation.records import Row, averaged, select

Rows = Callable[[str], list[Row]]  # the rows of an item's record
FACES = ("dynamics_face", "dynamics_heads")
WORLDS = {"scene": "dynamics_scene", "bird": "dynamics_bird", "isaac3d": "dynamics_isaac3d"}
SAMPLINGS = ("regular", "irregular")
OURS = {"dynode": "dynode", "dynode[no z]": "dynode[no z]"}  # method -> head of its column
CURVES = OURS | {"trend": "trend", "trend+mlp": "trend+mlp", "cubic": "natural cubic"}
ALL = {"hold": "hold", "linear": "linear", "cubic": "natural cubic", "trend": "trend", "trend+mlp": "trend+mlp"} | OURS
MISSING = "no row"


def lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def mean_and_std(rows: Sequence[Row], spec: str = "+.2f") -> str:
    """Mean ± standard deviation of some values; without the latter of one."""
    values = [row.value for row in averaged(rows)]
    if not values:
        return MISSING
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:{spec}}"
    std = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return f"{mean:{spec}} ± {std:{spec.removeprefix('+')}}"


def cell(rows: Sequence[Row], spec: str, factor: float = 1.0, **wanted: object) -> str:
    """The mean over clips of the rows with these fields."""
    values = [row.value * factor for row in averaged(select(rows, **wanted))]
    return f"{sum(values) / len(values):{spec}}" if values else MISSING


def skill_by_category(rows: Rows) -> str:
    """README: skill at stride 4 by category and sampling, of every method that is no constant."""
    named = {"Face, six windows of five people": FACES}
    named |= {f"{world.title()}, a rendered world": (item,) for world, item in WORLDS.items()}
    table = []
    for name, sources in named.items():
        chosen = select(
            [row for source in sources for row in rows(source)], metric="skill", split="unobserved", stride=4
        )
        for sampling in SAMPLINGS:
            skills = (mean_and_std(select(chosen, sampling=sampling, method=method)) for method in CURVES)
            table.append([name, sampling, *skills])
    return lines(["category", "times", *CURVES.values()], table)


def faces(rows: Rows) -> str:
    """FINDINGS: MSE x 1e3 of the unobserved frames by clip, sampling and stride."""
    every, table = [row for source in FACES for row in rows(source)], []
    unobserved = averaged(select(every, split="unobserved", reference="code"))
    for clip in dict.fromkeys(row.clip for row in unobserved):
        for sampling in SAMPLINGS:
            own = select(unobserved, clip=clip, sampling=sampling)
            table += [[clip, sampling, str(n), *errors(select(own, stride=n))] for n in sorted({r.stride for r in own})]
    return lines(["codes", "times", "stride", *ALL.values()], table)


def errors(rows: Sequence[Row]) -> list[str]:
    """MSE x 1e3 of each method."""
    return [cell(rows, ".2f", 1e3, metric="mse", method=method) for method in ALL]


def worlds(rows: Rows) -> str:
    """FINDINGS: MSE x 1e3 of the unobserved frames at stride 4 by world, against the images of the clips' own codes."""
    table = []
    for world, item in WORLDS.items():
        for sampling in SAMPLINGS:
            own = select(rows(item), split="unobserved", stride=4, sampling=sampling, reference="code")
            table.append([world, sampling, *errors(own)])
    return lines(["category", "times", *ALL.values()], table)


TABLES: dict[str, Callable[[Rows], str]] = {each.__name__: each for each in (skill_by_category, faces, worlds)}
