"""The table of `dynode evaluate-edit`: the measures of one edited video, each with its direction and how it is read."""

from dynode.evaluation.records import Row
from dynode.reporting.tables.cells import Table, cell
from dynode.reporting.tables.edited_videos import STAND_IN, edit_columns

READINGS = {
    "tl_id": "neighbours; 1: as the source",
    "tg_id": "all pairs; 1: as the source",
    "acd": "distance; 0: frozen",
    "acd_adjacent": "distance; 0: frozen",
    "acd_reference": "distance; 0: the same face",
    "edit_id": "cosine; 1: no drift",
    "src_id": "cosine; 1: the same face",
    "fvd": "0: clips as the source's",
    "warping_error": "flicker; 0: none",
    "motion_ratio": "1: as much, 0: frozen",
    "flow_ratio": "1: as much, 0: frozen",
    "flow_agreement": "1: the same, 0: as if frozen",
    "frames_without_face": "left out of identities",
}


def edit_measures_table(rows: list[Row], notes: tuple[str, ...] = ()) -> Table:
    """One line for each measure of an edited video, grouped by what measured them; the source's own number beside it.

    rows: of `evaluation.edited_videos.edit_rows`.  notes: sentences that stand below.
    """
    metrics = {each.name: each for each in edit_columns(rows)}
    own = {(row.metric, row.reference): row for row in rows if row.method == "source"}
    edited = [row for row in rows if row.method != "source" and row.metric in metrics]
    edited.sort(key=lambda row: list(metrics).index(row.metric))
    cells = []
    for head in dict.fromkeys(map(group, edited)):
        cells.append([head, "", "", "", ""])
        for row in (row for row in edited if group(row) == head):
            metric, name = metrics[row.metric], row.metric
            label, name = ("distance of clips", "fvd") if name.startswith(STAND_IN) else (metric.heading(), name)
            numbers = [cell(each, metric.digits) for each in (own.get((row.metric, row.reference)), row)]
            cells.append([f"  {label}", metric.better, *numbers, READINGS.get(name, "")])
    return Table(["measure", "better", "source", "edited", "read as"], cells, {}, "\n".join(notes))


def group(row: Row) -> str:
    """What measured a row: an identity network and its faces, a video network and its clips, an optical flow."""
    return f"{row.metric}, {row.reference}:" if row.metric.startswith((STAND_IN, "fvd")) else f"{row.reference}:"
