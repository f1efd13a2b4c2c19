"""The table of edited videos: the paper's editing table, and what has to be read beside it."""

from dynode.evaluation.records import Row, select
from dynode.metrics import Metric, columns, describe
from dynode.reporting.tables.cells import Table, cell, number

STAND_IN = "frechet_video_distance"  # begins the name of a Fréchet distance on other features than I3D's
# TL-ID, TG-ID, ACD and FVD as the paper prints them; it does not say of which videos, clips and variant of ACD
PAPER_EDITS = {
    "IGCI": {"tl_id": 0.969, "tg_id": 0.851, "acd": 1.485, "fvd": 632.7},
    "STIT": {"tl_id": 0.989, "tg_id": 0.912, "acd": 0.846, "fvd": 352.9},
    "Latent-T": {"tl_id": 0.957, "tg_id": 0.839, "acd": 1.352, "fvd": 582.4},
    "TCSVE": {"tl_id": 0.992, "tg_id": 0.939, "acd": 0.798, "fvd": 323.1},
    "DynODE+Latent-T": {"tl_id": 0.965, "tg_id": 0.843, "acd": 1.331, "fvd": 522.3},
    "DynODE+TCSVE": {"tl_id": 0.995, "tg_id": 0.957, "acd": 0.778, "fvd": 304.2},
}
CLIP_EDIT_DIGITS = {"own_change": 2, "others_change": 2, "leakage": 2, "identity": 3, "distance[dlib]": 2}
CLIP_EDIT_HEADS = ["its change (sd)", "others (sd) ↓", "leakage ↓", "identity ↑", "dlib's distance ↓", "not there"]


def edits_table(rows: list[Row], warnings: tuple[str, ...] = (), paper: tuple[str, ...] = tuple(PAPER_EDITS)) -> Table:
    """One line for each video, edit, method and identity network; the paper's systems below, as many as are named.

    A Fréchet distance on a stand-in's features has a column of its own, under its own name; the paper's FVD never stands in
    it.  warnings: sentences on small samples, which become the table's note.
    """
    present = {row.metric for row in rows} | ({"fvd"} if paper else set())
    metrics = [each for each in edit_columns(rows) if each.name in present]
    cells = [
        [*key, *(cell(values.get(each.name), each.digits) for each in metrics)]
        for key, values in lines_of(rows).items()
    ]
    for name in paper:
        known = PAPER_EDITS[name]
        numbers = [f"{known[each.name]:.{each.digits}f}" if each.name in known else "" for each in metrics]
        cells.append(["(paper)", "not stated", name, "ArcFace, not stated which", *numbers])
    header = ["video", "edit", "method", "identity by", *(each.heading(arrow=True) for each in metrics)]
    return Table(header, cells, {}, " ".join(warnings))


def edit_columns(rows: list[Row]) -> list[Metric]:
    """The columns of measures of edited videos: by identity networks, Fréchet distances of stand-ins, then the others."""
    known = columns("edits")
    stand_ins = dict.fromkeys(row.metric for row in rows if row.metric.startswith(STAND_IN))
    by_identity = [each for each in known if each.space == "identity"]
    distances = [Metric(name, better="lower") for name in stand_ins]
    return [*by_identity, *distances, *(each for each in known if each not in by_identity)]


def clip_edits_table(rows: list[Row]) -> Table:
    """One line for each edit of a clip: what changed, how much else, whether identity is kept; why an editor is missing.

    Rows are those of `dynode.experiments.edit_clips.edits`; changes are in standard deviations of random pictures of the
    generator.
    """
    cells = []
    for clip, edit, figure in dict.fromkeys((row.clip, row.method, row.variant) for row in rows):
        values = {row.metric: row for row in select(rows, clip=clip, method=edit, variant=figure)}
        own, missing = values.get("own_change"), values.get("editor_missing")
        numbers = [number(values.get(name), 1.0, digits) for name, digits in CLIP_EDIT_DIGITS.items()]
        attribute, reason = (row.reference if row else "" for row in (own, missing))
        cells.append([figure, clip, edit, attribute, *numbers, reason])
    return Table(["paper", "codes", "edit", "attribute", *CLIP_EDIT_HEADS], cells, {})


def lines_of(rows: list[Row]) -> dict[tuple[str, str, str, str], dict[str, Row]]:
    """(clip, variant, method, identity network) -> {metric: row}; measures without an identity network stand in every line."""
    lines = {}
    for clip, variant, method in dict.fromkeys((row.clip, row.variant, row.method) for row in rows):
        group = select(rows, clip=clip, variant=variant, method=method)
        by_identity = [row for row in group if describe(row.metric).space == "identity"]
        others = {row.metric: row for row in group if row not in by_identity}
        for network in list(dict.fromkeys(row.reference for row in by_identity)) or [""]:
            lines[clip, variant, method, network] = others | {
                row.metric: row for row in select(by_identity, reference=network)
            }
    return lines
