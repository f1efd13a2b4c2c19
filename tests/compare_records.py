"""Compare two runs: every number of their records, but seconds, memory and provenance, and the names of what else they left.

    python tests/compare_records.py BEFORE AFTER [ITEM ...] [--relative 1e-9] [--profile embedded]

BEFORE and AFTER are folders of outputs, whose figures, tables and videos are compared by name, or of records alone
(`reports/records`, or `reports/recorded` with compressed ones).  Prints what differs and ends with code 1 where anything does,
or where one of them lacks a record or a file of the other.  One machine and one thread give the same bits; other machines
round otherwise, to a relative 1e-4 of most numbers.
"""

import argparse
import sys
from pathlib import Path

from dynode.evaluation import records
from dynode.evaluation.records import Row

MACHINE = ("seconds", "peak_memory")  # metrics that depend on the machine, and so do their kin
SHOWN = 5  # differing numbers printed of each item


def numbers(path: Path) -> dict[tuple, float]:
    """What identifies each row -> its value, and its standard deviation, without those of the machine."""
    rows = [row for row in records.read(path)[0] if not row.metric.startswith(MACHINE)]
    values = {(*identity(row), "value"): row.value for row in rows}
    assert len(values) == len(rows), f"two rows of {path} are told apart by nothing"
    return values | {(*identity(row), "std"): row.std for row in rows if row.std is not None}


def identity(row: Row) -> tuple:
    return tuple(value for name, value in vars(row).items() if name not in ("value", "std", "protocol", "frames"))


def files_of(folder: Path, profile: str) -> dict[str, Path]:
    """The records of a profile in a folder, or in one of outputs, by item."""
    inner, end = folder / "reports" / "records", f".{profile}.json"
    folder = inner if inner.is_dir() else folder
    return {path.name.partition(end)[0]: path for path in sorted(folder.glob(f"*{end}*"))}


def differences(before: dict[tuple, float], after: dict[tuple, float], relative: float) -> list[str]:
    """One line for each number that only one run has, or that differs by more than a relative tolerance."""
    lines = [f"only before: {row}" for row in before.keys() - after.keys()]
    lines += [f"only after: {row}" for row in after.keys() - before.keys()]
    shared = before.keys() & after.keys()
    differing = [row for row in shared if abs(before[row] - after[row]) > relative * abs(before[row])]
    return lines + [f"{before[row]:.9g} -> {after[row]:.9g}: {row}" for row in differing]


def outputs_of(folder: Path) -> set[str]:
    """The names of figures, tables and videos in a folder of outputs."""
    places = [folder / "figures", folder / "reports" / "tables"]
    return {path.relative_to(folder).as_posix() for place in places for path in place.rglob("*") if path.is_file()}


def lacking_outputs(before: Path, after: Path) -> list[str]:
    """One line for each output that only one of two runs has left; none of folders that are of records alone."""
    if not all((folder / "reports" / "records").is_dir() for folder in (before, after)):
        return []
    old, new = outputs_of(before), outputs_of(after)
    return [
        f"only {when}: {name}"
        for when, names in (("before", old - new), ("after", new - old))
        for name in sorted(names)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("items", nargs="*")
    parser.add_argument("--relative", type=float, default=1e-9)
    parser.add_argument("--profile", default="embedded")
    chosen, differing = parser.parse_args(), False
    before, after = (files_of(folder, chosen.profile) for folder in (chosen.before, chosen.after))
    for item in chosen.items or sorted({*before, *after}):
        if lacking := [
            str(folder) for folder, files in ((chosen.before, before), (chosen.after, after)) if item not in files
        ]:
            print(f"{item}: no record in {' and '.join(lacking)}")
            differing = True
            continue
        old, new = numbers(before[item]), numbers(after[item])
        lines = differences(old, new, chosen.relative)
        print(f"{item}: {len(old)} numbers, {len(lines)} differ")
        print("".join(f"  {line}\n" for line in lines[:SHOWN]), end="")
        differing = differing or bool(lines)
    lines = [] if chosen.items else lacking_outputs(chosen.before, chosen.after)
    print("".join(f"{line}\n" for line in lines), end="")
    return int(differing or bool(lines))


if __name__ == "__main__":
    sys.exit(main())
