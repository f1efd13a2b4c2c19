"""The table of `dynode list`: items, their minutes, and the state of their records."""

from datetime import UTC, datetime
from typing import Any

from dynode.experiments import items
from dynode.experiments.claims.recorded import SHIPPED, Judged, counted, judge_record, path_of

HEADER = ("item", "paper", "minutes", "status", "age", "verdict", "title")
AGES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def text(profile: str = "embedded") -> str:
    """A line for each item, in columns; of an item that was not run the record that ships is judged."""
    lines = [HEADER, *(row(item, profile) for item in items.items().values())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def row(item: items.Item, profile: str) -> tuple[str, ...]:
    own = path_of(item.name, profile).is_file()
    judged = judge_record(item, profile, None if own else SHIPPED)
    minutes = items.minutes_of(item, profile)
    return (
        item.name,
        ", ".join(item.paper_items) or "-",
        f"{minutes:g}" if minutes else "?",
        status(judged, own),
        age(judged.provenance),
        counted([verdict for verdict in judged.verdicts]),
        item.title,
    )


def status(judged: Judged, own: bool) -> str:
    """Whether there is a record, whose it is, and whether it is of what the item is now."""
    if not judged.provenance:
        return "missing"
    if not own:
        return "shipped"
    return "stale" if judged.stale else "done"


def age(provenance: dict[str, Any]) -> str:
    """How old a record is, in days, hours or minutes."""
    try:
        made = datetime.fromisoformat(str(provenance["date"]))
    except (KeyError, ValueError):
        return "-"
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    seconds = max(0.0, (datetime.now(UTC) - made).total_seconds())
    return next((f"{seconds / size:.0f} {unit}" for size, unit in AGES if seconds >= size), "now")
