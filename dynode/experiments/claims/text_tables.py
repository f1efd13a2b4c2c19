"""The tables of README and FINDINGS, from rows alone, as Markdown."""

import math
from collections.abc import Callable, Iterable, Sequence

from dynode.evaluation.records import Row, averaged, select
from dynode.video_editing.system_names import LABELS

Rows = Callable[[str], list[Row]]  # the rows of an item's record
FACES = ("dynamics_face", "dynamics_heads")
WORLDS = {"scene": "dynamics_scene", "bird": "dynamics_bird", "isaac3d": "dynamics_isaac3d"}
SAMPLINGS = ("regular", "irregular")
OURS = {"dynode": "dynode", "dynode[no z]": "dynode[no z]"}  # method -> head of its column
CURVES = OURS | {"trend": "trend", "trend+mlp": "trend+mlp", "cubic": "natural cubic"}
ALL = {"hold": "hold", "linear": "linear", "cubic": "natural cubic", "trend": "trend", "trend+mlp": "trend+mlp"} | OURS
ACROSS = {
    "linear": "linear",
    "dynode": "dynode",
    "dynode[amortised]": "learned across clips",
    "dynode[amortised,linear]": "state by a matrix",
    "dynode[amortised,no z]": "no state",
    "dynode[amortised,other context]": "context of another clip",
}
SEQUENCES = {
    "gru[amortised]": "GRU",
    "latent_ode[amortised]": "latent ODE",
    "prior[amortised]": "prior",
}  # across the same clips
HEADS = {
    "latent-transformer": "Latent Transformer, every frame",
    "smoothed, gaussian": "the same on smoothed codes",
    "smoothed, trend": "the same on the codes of `trend` over all frames",
    "straight lines": "linear interpolation of observed codes, the first one's edit",
    "dynode+latent-transformer, offset": "DynODE in Latent Transformer, `offset`",
}  # method -> what a table calls it
EDITED = {"tl_id": ".3f", "tg_id": ".3f", "acd": ".3f", "warping_error": ".3f", "own_change": ".2f", "leakage": ".2f"}
FACTORS = {"warping_error": 1e3}
SECOND = (("smile", "smile 1.5", "+.2f"), ("age", "age 1.5", "+.1f"))  # attribute, edit, form
TUNED = ("untuned", "tuned")
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


def across_clips(rows: Rows) -> str:
    """FINDINGS: MSE x 1e3 against the truth at stride 8 of the field learned across clips, and of its controls.

    Of what else learned across the same clips those are columns that the record has.
    """
    wanted = {"metric": "mse", "split": "unobserved", "stride": 8}
    every, table = select(rows("sparsity"), **wanted), []
    columns = ACROSS | {name: head for name, head in SEQUENCES.items() if select(every, method=name)}
    for world in WORLDS:
        for sampling in SAMPLINGS:
            own = select(every, category=world, sampling=sampling)
            table.append([world, sampling, *(cell(select(own, method=name), ".2f", 1e3) for name in columns)])
    return lines(["category", "times", *columns.values()], table)


def edited_heads(rows: Rows) -> str:
    """FINDINGS: the cheap columns of the editing table, means over all clips and edits, with controls."""
    every = [row for row in rows("compare_editing") if not row.reference.startswith("dlib")]
    pooled = [row for row in every if row.clip == "all" and row.metric.startswith("frechet_video")]
    table = []
    for method, label in HEADS.items():
        own = [row for row in every if row.method == method and row.clip != "all"]
        cells = [cell(select(own, metric=name), spec, FACTORS.get(name, 1.0)) for name, spec in EDITED.items()]
        cells.insert(3, cell(select(pooled, method=method), ".4f"))
        second = [cell(select(own, metric=f"second_{name}", variant=edit), spec) for name, edit, spec in SECOND]
        table.append([label, *cells, *second])
    heads = ["system", "TL-ID", "TG-ID", "ACD", "Fréchet [transnetv2]", "warping error x 1e3", "strength", "leakage"]
    return lines([*heads, "smile, second network", "age, second network"], table)


def systems(rows: Rows) -> str:
    """FINDINGS: every system of the editing table on the same frames."""
    every = [row for row in rows("systems") if not row.reference.startswith("dlib")]
    table = []
    for method, label in LABELS.items():
        own = select(every, method=method)
        if not own:
            continue
        share = select(own, metric="share_of_published")
        part = f"{100 * share[0].value:.2g} %" if share else "no loop"
        costs = [cell(select(own, metric=name), ",.0f") for name in ("iterations", "frames_inverted")]
        consistency = [cell(select(own, metric=name), EDITED[name], FACTORS.get(name, 1.0)) for name in [*EDITED][:4]]
        tuned = [cell(select(own, metric="lpips_alex", variant=f"pivots, {each}"), ".3f") for each in TUNED if share]
        stitched = [cell(select(own, metric=f"stitch_{name}"), ".3f") for name in ("border_before", "border") if share]
        pairs = [" to ".join(each) if each and MISSING not in each else "" for each in (tuned, stitched)]
        table.append([label, part, *costs, *consistency, *pairs])
    heads = ["system", "share of published iterations", "iterations", "frames inverted"]
    heads += ["TL-ID", "TG-ID", "ACD", "warping error x 1e3", "LPIPS-Alex of codes, tuned", "border, stitched"]
    return lines(heads, table)


TABLES: dict[str, Callable[[Rows], str]] = {
    each.__name__: each for each in (skill_by_category, faces, worlds, across_clips, edited_heads, systems)
}
