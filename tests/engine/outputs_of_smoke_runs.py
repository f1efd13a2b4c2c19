"""What the smoke runs of the reference notebooks left is what the map says.  Run after them, in their output folder."""

import os
from pathlib import Path

from dynode.experiments import items
from dynode.experiments.engine import targets


def test_smoke_runs_leave_what_the_map_says():
    folder = Path(os.environ["DYNODE_OUTPUT"])
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wanted = {path for item in items.items().values() for path in targets.written(item, "smoke")}
    assert {path for path in found if path.startswith(("figures/", "reports/tables/"))} == wanted
    records = {path for path in found if path.startswith("reports/records/")}
    assert records == {f"reports/records/{name}.smoke.json" for name in items.items()}
