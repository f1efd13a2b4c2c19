"""The table of edited videos: the paper's editing table, and what has to be read beside it."""

from dynode.evaluation.records import Row, select
from dynode.reporting.tables.cells import Table, number

# TL-ID, TG-ID, ACD and FVD as the paper prints them; its videos, clips and variant of ACD are not told
PAPER_EDITS = {
    "IGCI": {"tl_id": 0.969, "tg_id": 0.851, "acd": 1.485, "fvd": 632.7},
    "STIT": {"tl_id": 0.989, "tg_id": 0.912, "acd": 0.846, "fvd": 352.9},
    "Latent-T": {"tl_id": 0.957, "tg_id": 0.839, "acd": 1.352, "fvd": 582.4},
    "TCSVE": {"tl_id": 0.992, "tg_id": 0.939, "acd": 0.798, "fvd": 323.1},
    "DynODE+Latent-T": {"tl_id": 0.965, "tg_id": 0.843, "acd": 1.331, "fvd": 522.3},
    "DynODE+TCSVE": {"tl_id": 0.995, "tg_id": 0.957, "acd": 0.778, "fvd": 304.2},
}
BY_IDENTITY = {  # one line for each network that identity is taken from
    "tl_id": ("TL-ID ↑", 3),
    "tg_id": ("TG-ID ↑", 3),
    "acd": ("ACD, all pairs ↓", 3),
    "acd_adjacent": ("ACD, adjacent ↓", 3),
    "acd_reference": ("ACD to the source ↓", 3),
    "edit_id": ("to the edited first frame ↑", 3),
    "src_id": ("to the source ↑", 3),
}
OF_FRAMES = {
    "fvd": ("FVD ↓", 1),
    "warping_error": ("warping error x 1e3 ↓", 3),
    "motion_ratio": ("change / source's", 2),
    "flow_ratio": ("flow / source's", 2),
    "flow_agreement": ("motion as the source's ↑", 2),
    "frames_without_face": ("frames without a face", 0),
}
SCALED = {"warping_error": 1e3}


def edits_table(rows: list[Row], warnings: tuple[str, ...] = (), paper: tuple[str, ...] = tuple(PAPER_EDITS)) -> Table:
    """One line for each video, edit, method and identity network; the paper's systems below, as many as are named.

    A Fréchet distance on a stand-in's features has a column of its own, under its own name; the paper's FVD never stands in
    it.  warnings: sentences on small samples, which become the table's note.
    """
    stand_ins = list(dict.fromkeys(row.metric for row in rows if row.metric.startswith("frechet_video_distance")))
    columns = BY_IDENTITY | {name: (f"{name} ↓", 3) for name in stand_ins} | OF_FRAMES
    present = {row.metric for row in rows} | ({"fvd"} if paper else set())
    columns = {name: told for name, told in columns.items() if name in present}
    cells = [
        [*key, *(number(found.get(name), SCALED.get(name, 1.0), digits) for name, (_, digits) in columns.items())]
        for key, found in lines_of(rows).items()
    ]
    for name in paper:
        numbers = PAPER_EDITS[name]
        told = [f"{numbers[m]:.{1 if m == 'fvd' else 3}f}" if m in numbers else "" for m in columns]
        cells.append(["(paper)", "not told", name, "ArcFace, not told which", *told])
    header = ["video", "edit", "method", "identity by", *(told for told, _ in columns.values())]
    return Table(header, cells, {}, " ".join(warnings))


def clip_edits_table(rows: list[Row]) -> Table:
    """One line for each edit of a clip: what changed, how much else, who is left; for an editor that does not ship, why.

    Rows are those of `dynode.experiments.edit_clips.edits`; changes are in standard deviations of random pictures of the generator.
    """
    numbers = {"own_change": 2, "others_change": 2, "leakage": 2, "identity": 3, "distance[dlib]": 2}
    cells = []
    for clip, edit, shows in dict.fromkeys((row.clip, row.method, row.variant) for row in rows):
        found = {row.metric: row for row in select(rows, clip=clip, method=edit, variant=shows)}
        own, missing = found.get("own_change"), found.get("editor_missing")
        told = [number(found.get(name), 1.0, digits) for name, digits in numbers.items()]
        cells.append([shows, clip, edit, own.reference if own else "", *told, missing.reference if missing else ""])
    heads = ["its change (sd)", "others (sd) ↓", "leakage ↓", "identity ↑", "dlib's distance ↓", "not there"]
    return Table(["paper", "codes", "edit", "attribute", *heads], cells, {})


def lines_of(rows: list[Row]) -> dict[tuple[str, str, str, str], dict[str, Row]]:
    """(clip, variant, method, identity network) -> {metric: row}; what no identity network made stands in every line."""
    keys = dict.fromkeys((row.clip, row.variant, row.method) for row in rows)
    found = {}
    for clip, variant, method in keys:
        group = select(rows, clip=clip, variant=variant, method=method)
        of_frames = {row.metric: row for row in group if row.metric not in BY_IDENTITY}
        looked = list(dict.fromkeys(row.reference for row in group if row.metric in BY_IDENTITY))
        for by in looked or [""]:
            mine = {row.metric: row for row in group if row.metric in BY_IDENTITY and row.reference == by}
            found[clip, variant, method, by] = of_frames | mine
    return found
