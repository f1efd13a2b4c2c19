"""The tables of README and FINDINGS, from rows alone, as Markdown."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from dynode.evaluation.paired_comparison import errors_of, over_best
from dynode.evaluation.records import Row, averaged, select
from dynode.metrics.paired_bootstrap import crossed_difference
from dynode.video_editing.system_names import LABELS

Rows = Callable[[str], list[Row]]  # the rows of an item's record
FACES = ("dynamics_face", "dynamics_heads")
WORLDS = {"scene": "dynamics_scene", "bird": "dynamics_bird", "isaac3d": "dynamics_isaac3d"}
SAMPLINGS = ("regular", "irregular")
OURS = {"dynode": "dynode", "dynode[no z]": "dynode[no z]"}  # method -> head of its column
CURVES = OURS | {"trend": "trend", "trend+mlp": "trend+mlp", "cubic": "natural cubic"}
ALL = {"hold": "hold", "linear": "linear", "cubic": "natural cubic", "trend": "trend", "trend+mlp": "trend+mlp"} | OURS
BASELINES = ("hold", "linear", "damped", "pchip", "catmull_rom", "cubic", "gp", "gp_periodic", "trend", "trend+mlp")
AUTO = ("linear", "pchip", "cubic", "gp", "gp_periodic", "trend", "dynode")  # what `auto` chooses from
TESTED = ("scene", "bird", "bird.steady", "bird.fast", "isaac3d", "face")
CONDITIONS = {
    "regular": {"split": "unobserved", "stride": 8, "sampling": "regular"},
    "irregular": {"split": "unobserved", "stride": 8, "sampling": "irregular"},
    "4 frames beyond": {"split": "extrapolated", "variant": "4 frames beyond"},
}  # of the test set, what is not said is every eighth frame
ACROSS = {
    "dynode": "untrained",
    "dynode[amortised,other context]": "context of another clip",
    "dynode[amortised,linear]": "state by a matrix",
    "dynode[amortised,no z]": "no state",
    "gru[amortised]": "GRU",
    "latent_ode[amortised]": "latent ODE",
    "prior[amortised]": "prior",
}
HEADS = {
    "latent-transformer, no edit": "no edit",
    "latent-transformer": "Latent Transformer, every frame",
    "smoothed, gaussian": "the same on smoothed codes",
    "smoothed, trend": "the same on the codes of `trend` over all frames, which smooths nothing",
    "straight lines": "linear interpolation of observed codes, the first one's edit",
    "dynode+latent-transformer, offset": "DynODE in Latent Transformer, `offset`",
}  # method -> what a table calls it
OURS_EDITED = "dynode+latent-transformer, offset"
RIVALS_EDITED = ("latent-transformer", "smoothed, gaussian", "straight lines")
EDITED = {"tl_id": ".3f", "tg_id": ".3f", "acd": ".3f", "warping_error": ".3f"}
BESIDE = {"acd_reference": ".3f", "motion_ratio": ".2f", "flow_agreement": ".2f", "own_change": ".2f", "leakage": ".2f"}
FACTORS = {"warping_error": 1e3}
BETTER = {"tl_id": 1, "tg_id": 1, "acd": -1}  # measure -> the sign of its difference by which more is better
NETWORKS = ("mobilefacenet", "dlib")
SECOND = (("smile", "smile 1.5", "+.2f"), ("age", "age 1.5", "+.1f"))  # attribute, edit, form
TUNED = ("untuned", "tuned")
STRENGTHS = {"own_change": (".2f", "change of the attribute (std)"), "lpips_outside": (".3f", "LPIPS outside the face")}
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


def test_set(rows: Rows) -> str:
    """FINDINGS: on the test set, errors over those of the best baseline, with 95 % intervals over clips."""
    every, table = select(rows("sparsity"), metric="mse"), []
    for category in TESTED:
        for condition, wanted in CONDITIONS.items():
            own = select(every, category=category, **wanted)
            clips = str(len({row.clip for row in own}))
            ratios = [over(own, name, BASELINES) for name in ("own codes", "dynode", "dynode[amortised]")]
            table.append([category, condition, clips, best(own), *ratios, over(own, "auto", AUTO)])
    heads = ["category", "observed", "clips", "best of ten", "own codes", "`dynode`", "`dynode[amortised]`", "`auto`"]
    return lines(heads, table)


def across_clips(rows: Rows) -> str:
    """FINDINGS: on the test set, errors of the field learned across clips over those of its controls."""
    every, table = select(rows("sparsity"), metric="mse"), []
    for category in TESTED[:-1]:
        for condition, wanted in CONDITIONS.items():
            own = select(every, category=category, **wanted)
            table.append([category, condition, *(over(own, "dynode[amortised]", [name]) for name in ACROSS)])
    return lines(["category", "observed", *ACROSS.values()], table)


def over(rows: Sequence[Row], method: str, others: Sequence[str]) -> str:
    """The ratio of a method's summed errors to those of the best of others, with its interval; a dash where one did not run."""
    ours, theirs = select(rows, method=method), {name: select(rows, method=name) for name in others}
    known = {name: errors_of(each) for name, each in theirs.items() if each}
    if not ours or not known:
        return "–"
    ratio = over_best(errors_of(ours), known)[1]
    return f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def best(rows: Sequence[Row]) -> str:
    """The baseline whose mean error is lowest."""
    known = {name: errors_of(own) for name in BASELINES if (own := select(rows, method=name))}
    return over_best(next(iter(known.values())), known)[0] if known else MISSING


def edited_heads(rows: Rows) -> str:
    """FINDINGS: the cheap columns of the editing table, means over all clips and edits, with controls."""
    every = [row for row in rows("compare_editing") if not row.reference.startswith("dlib")]
    table = []
    for method, label in HEADS.items():
        own = [row for row in every if row.method == method and row.clip != "all"]
        measures = (EDITED | BESIDE).items()
        cells = [cell(select(own, metric=name), spec, FACTORS.get(name, 1.0)) for name, spec in measures]
        second = [cell(select(own, metric=f"second_{name}", variant=edit), spec) for name, edit, spec in SECOND]
        table.append([label, *(each.replace(MISSING, "–") for each in (*cells, *second))])
    heads = ["system", "TL-ID", "TG-ID", "ACD", "warping error x 1e3", "ACD to the source", "motion", "flow agreement"]
    return lines([*heads, "strength", "leakage", "smile, second network", "age, second network"], table)


def edited_gains(rows: Rows) -> str:
    """FINDINGS: by how much DynODE in its host is better than others, with 95 % intervals over clips and edits."""
    every, table = rows("compare_editing"), []
    for other in RIVALS_EDITED:
        for network in NETWORKS:
            own = [row for row in every if row.reference.startswith(network)]
            gains = [gain(own, OURS_EDITED, other, name, sign) for name, sign in BETTER.items()]
            table.append([HEADS[other], network, *gains])
    return lines(["over", "identity network", "TL-ID", "TG-ID", "ACD"], table)


def gain(rows: Sequence[Row], ours: str, other: str, metric: str, sign: int) -> str:
    """The mean difference of two methods over all videos, with its interval; above 0: the first is better."""
    one, two = ({(r.clip, r.variant): r.value for r in select(rows, metric=metric, method=m)} for m in (ours, other))
    clips, edits = (list(dict.fromkeys(video[k] for video in one)) for k in (0, 1))
    if not one or not two:
        return MISSING
    difference = crossed_difference([[sign * (one[c, e] - two[c, e]) for e in edits] for c in clips])
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def systems(rows: Rows) -> str:
    """FINDINGS: every system of the editing table on the same frames."""
    heads, table = of_systems(rows("systems.embedded"))
    return lines(heads, table)


def systems_recorded(rows: Rows) -> str:
    """FINDINGS: systems at half of their published length, by clip, means over edits."""
    every, heads, table = rows("systems"), [], []
    for clip in dict.fromkeys(row.clip for row in every if row.clip):
        heads, own = of_systems(select(every, clip=clip), STRENGTHS)
        table += [[clip, *line] for line in own]
    return lines(["clip", *heads], table)


def of_systems(
    rows: Sequence[Row], more: Mapping[str, tuple[str, str]] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of a table of systems, each the mean over edits; more: measures -> their form and head."""
    every, table, more = [row for row in rows if not row.reference.startswith("dlib")], [], more or {}
    for method, label in LABELS.items():
        own = select(every, method=method)
        if not own:
            continue
        share = select(own, metric="share_of_published")
        part = f"{100 * share[0].value:.2g} %" if share else "no loop"
        costs = [cell(select(own, metric=name), ",.0f") for name in ("iterations", "frames_inverted")]
        consistency = [cell(select(own, metric=name), EDITED[name], FACTORS.get(name, 1.0)) for name in EDITED]
        beside = [cell(select(own, metric=name), spec) for name, (spec, _) in more.items()]
        tuned = [cell(select(own, metric="lpips_alex", variant=f"pivots, {each}"), ".3f") for each in TUNED if share]
        stitched = [cell(select(own, metric=f"stitch_{name}"), ".3f") for name in ("border_before", "border") if share]
        pairs = [" to ".join(each) if each and MISSING not in each else "" for each in (tuned, stitched)]
        table.append([label, part, *costs, *consistency, *beside, *pairs])
    heads = ["system", "share of published passes", "iterations", "frames inverted", "TL-ID", "TG-ID", "ACD"]
    heads += ["warping error x 1e3", *(head for _, head in more.values())]
    return [*heads, "LPIPS-Alex of codes, tuned", "border, stitched"], table


def presets(rows: Rows) -> str:
    """FINDINGS: errors of roll-outs by preset, the paper's settings among them, on clips of the test set, by category."""
    every = select(rows("presets"), metric="mse", split="unobserved")
    categories = list(dict.fromkeys(row.category for row in every))
    table = [
        [f"`{method}`", *(cell(every, ".2f", 1e3, method=method, category=each) for each in categories)]
        for method in dict.fromkeys(row.method for row in every)
    ]
    return lines(["MSE x 1e3", *categories], table)


TABLES: dict[str, Callable[[Rows], str]] = {
    each.__name__: each
    for each in (
        skill_by_category,
        faces,
        worlds,
        test_set,
        across_clips,
        edited_heads,
        edited_gains,
        systems,
        systems_recorded,
        presets,
    )
}
