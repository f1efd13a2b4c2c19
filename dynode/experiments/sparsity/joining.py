"""Records of runs of some clips of the test set as parts of one run of all."""

from collections.abc import Mapping, Sequence
from typing import Any

from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments.test_set import EpisodeSet, episodes_of

CHOOSE = ("sets", "episodes", "windows")  # parameters that choose clips


def earlier(files: Sequence[str], parameters: Mapping[str, Any]) -> tuple[list[Row], dict[str, str], list[Row | str]]:
    """Of records of earlier runs the rows of the clips that a run measures, keys of these clips' codes, and what outputs show:
    a row of each of these clips, and stand-ins by name.

    parameters: of this run.  Raises UserError for a record of something else, or of a run with other conditions or methods,
    and for two records of one clip.
    """
    rows, codes, shown = [], {}, []
    wanted = {
        EpisodeSet.clip_name(one) for name in parameters["sets"] for one in episodes_of(name)[: parameters["episodes"]]
    }
    wanted |= set(parameters["windows"])
    for file in files:
        known, made = records.read(file)
        before = made.get("parameters", {})
        if other := [name for name in parameters if name not in CHOOSE and before.get(name) != parameters[name]]:
            raise UserError(f"{file} was made with another value of {', '.join(other)}: leave it out of `joined`.")
        if twice := sorted(codes.keys() & made["codes"].keys()):
            raise UserError(f"Two records of `joined` have the clip {twice[0]}: leave one of them out.")
        taken = [row for row in known if row.clip in wanted]
        rows, shown = rows + taken, [*shown, *{row.clip: row for row in taken}.values()]
        codes |= {name: key for name, key in made["codes"].items() if name in wanted}
        shown += made["stand_ins"] if taken else []
    return rows, codes, shown


def origins(files: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For the record: of what commit and code, when, where and by which command the records of earlier runs were made."""
    made = [records.read(file)[1] for file in files]
    whole = [each for one in made for each in (one, *one.get("joined", []))]
    kept = [{key: one[key] for key in ("commit", "date", "device", "command", "source")} for one in whole]
    return {"joined": kept} if kept else {}
