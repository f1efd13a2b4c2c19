"""Keep records of runs in reports/recorded, compressed, from where claims, README and FINDINGS are judged and rendered.

    python tests/ship_record.py reports/records/ITEM.PROFILE.json ...

A record of a checkout that differs from its commit is refused.
"""

import sys
from pathlib import Path

from dynode.evaluation import records
from dynode.experiments.claims.recorded import SHIPPED


def ship(path: Path, folder: Path = SHIPPED) -> Path:
    """Write a compressed copy of a record, named alike; ends the program for one whose commit does not say what ran."""
    content = records.loaded(path)
    rows, made = records.read(path)
    if "dirty" in made["commit"]:
        sys.exit(f"{path} was made by a checkout that differs from its commit {made['commit']}: run it in a clean one.")
    target = folder / f"{path.name.removesuffix('.json')}.json.xz"
    return records.write(target, content["item"], content["profile"], rows, made)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(ship(Path(name)))
