"""The tables of README and FINDINGS, from rows alone, as Markdown."""

import math
from collections.abc import Callable, Iterable, Sequence

from dynode.evaluation.records import Row, averaged, select

Rows = Callable[[str], list[Row]]  # the rows of an item's record
FACES = ("dynamics_face", "dynamics_heads")
WORLDS = {"scene": "dynamics_scene", "bird": "dynamics_bird", "isaac3d": "dynamics_isaac3d"}
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
    """README: skill at stride 4 by category, ours and the natural cubic spline's."""
    named = {"Face, six windows of five people": FACES}
    named |= {f"{world.title()}, a rendered world": (item,) for world, item in WORLDS.items()}
    table = []
    for name, sources in named.items():
        every = [row for source in sources for row in rows(source)]
        chosen = select(every, metric="skill", split="unobserved", stride=4)
        cells = [
            mean_and_std(select(chosen, sampling=sampling, method=method))
            for sampling in ("regular", "irregular")
            for method in ("dynode", "cubic")
        ]
        table.append([name, *cells])
    return lines(["category", "dynode, regular", "natural cubic", "dynode, irregular", "natural cubic"], table)


def faces(rows: Rows) -> str:
    """FINDINGS: MSE x 1e3 of the unobserved frames by clip, sampling and stride."""
    every, table = [row for source in FACES for row in rows(source)], []
    unobserved = averaged(select(every, split="unobserved", reference="code"))
    for clip in dict.fromkeys(row.clip for row in unobserved):
        for sampling in ("regular", "irregular"):
            own = select(unobserved, clip=clip, sampling=sampling)
            for stride in sorted({row.stride for row in own}):
                table.append([clip, sampling, str(stride), *errors_and_skills(select(own, stride=stride))])
    heads = ["codes", "sampling", "stride", "hold", "linear", "natural cubic", "dynode", "skill", "skill of the cubic"]
    return lines(heads, table)


def errors_and_skills(rows: Sequence[Row]) -> list[str]:
    """MSE x 1e3 of four methods, and two skills."""
    errors = [cell(rows, ".2f", 1e3, metric="mse", method=name) for name in ("hold", "linear", "cubic", "dynode")]
    return [*errors, *(cell(rows, "+.2f", metric="skill", method=name) for name in ("dynode", "cubic"))]


def worlds(rows: Rows) -> str:
    """FINDINGS: MSE x 1e3 of the unobserved frames at stride 4 by world, and skill against its own images."""
    table = []
    for world, item in WORLDS.items():
        for sampling in ("regular", "irregular"):
            own = select(rows(item), split="unobserved", stride=4, sampling=sampling)
            errors = errors_and_skills(select(own, reference="code"))[:4]
            skills = [mean_and_std(select(own, metric="skill", method=name)) for name in ("dynode", "cubic")]
            table.append([world, sampling, *errors, *skills])
    heads = ["category", "times", "hold", "linear", "natural cubic", "dynode", "skill", "skill of the cubic"]
    return lines(heads, table)


TABLES: dict[str, Callable[[Rows], str]] = {each.__name__: each for each in (skill_by_category, faces, worlds)}
