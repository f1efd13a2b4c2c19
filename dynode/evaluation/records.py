"""Records: one JSON file per run, a list of rows, each row one number with everything that identifies it.

A compressed one holds a list for each field of the rows instead, which takes half the room.
"""

import dataclasses
import json
import lzma
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

from dynode.errors import UserError
from dynode.io import files, outputs

DIGITS = 8  # of a number in a file: more than the arithmetic of single precision has


@dataclass(frozen=True)
class Row:
    """One number.  `mse` is raw in [-1, 1] at 256 pixels, `ssim` 0 to 1; x 1e3 and % belong to tables.

    split: observed | unobserved | extrapolated.  reference: code (G(z_i)) | source (the aligned frame).
    draw: which of several random choices of the observed frames, see `dynode.clips.Clip.sampled`.
    std and n are over seeds and draws for fits, over frames for inversions; `paper` is the paper's own number or None.
    protocol: of the clip's codes (`dynode.clips.PROTOCOLS`); it comes with the clip, and identifies nothing more.
    frames: of the clip, that the value is a mean over; 0 where that is not recorded.
    """

    metric: str
    value: float
    category: str = "face"
    clip: str = ""
    method: str = ""
    sampling: str = ""
    stride: int = 0
    split: str = ""
    reference: str = "code"
    space: str = "image"
    variant: str = ""
    seed: int | None = None
    draw: int = 0
    unit: str = ""
    std: float | None = None
    n: int = 1
    paper: float | None = None
    protocol: str = field(default="", compare=False)
    frames: int = field(default=0, compare=False)


MEASURED = ("value", "seed", "draw", "std", "n", "protocol", "frames")  # of a row; what is left says what was measured
identity = attrgetter(*(each.name for each in dataclasses.fields(Row) if each.name not in MEASURED))


def write(path: Path | str, item: str, profile: str, rows: Sequence[Row], provenance: dict[str, Any]) -> Path:
    """Write a record file, atomically: one line for each row, with the fields that differ from their defaults.

    item: or the command that made it.  A path that ends in .xz is compressed, always to the same bytes, one line for each field.
    Raises ValueError for a number that is not finite.
    """
    for row in rows:
        if not math.isfinite(row.value):
            raise ValueError(f"a record holds only finite numbers, got {row}")
    head = json.dumps({"item": item, "profile": profile, "provenance": provenance}, indent=1).removesuffix("\n}")
    fields = [fields_of(row) for row in rows]
    if compressed(path):
        body = ",\n".join(f"  {json.dumps(name)}: {json.dumps(column)}" for name, column in columns_of(fields).items())
        text = f'{head},\n "columns": {{\n{body}\n }}\n}}\n'.encode()
        content = lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)
    else:
        body = ",\n".join(f"  {json.dumps(each)}" for each in fields)
        content = f'{head},\n "rows": [\n{body}\n ]\n}}\n'.encode()
    return files.write(path, lambda part: part.write_bytes(content))


def columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """field -> its value in each row, null where that is the default."""
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def rows_of(columns: dict[str, list[Any]]) -> list[Row]:
    """Rows from what `columns_of` makes."""
    each = zip(*columns.values(), strict=True)
    named = (zip(columns, values, strict=True) for values in each)
    return [Row(**{name: value for name, value in row if value is not None}) for row in named]


def compressed(path: Path | str) -> bool:
    return Path(path).suffix.lower() == ".xz"


def require_record_path(path: Path | str, item: str) -> None:
    """Refuse a file that a record of this item cannot be written to, or that holds anything else.  Raises UserError."""
    outputs.require_output(path, suffixes=outputs.RECORD)
    if not Path(path).is_file() or not Path(path).stat().st_size:
        return
    present = item_of(path)
    if present is None:
        raise UserError(f"{path} is no record, and one of {item} would replace it: name another file, or delete it.")
    if present != item:
        raise UserError(f"{path} is a record of {present}, which one of {item} would replace: name another file.")


def item_of(path: Path | str) -> str | None:
    """The item, or the command, whose record a file is; None where it is none."""
    try:
        record = loaded(path)
    except (OSError, ValueError, EOFError, lzma.LZMAError):
        return None
    return record.get("item") if isinstance(record, dict) else None


def loaded(path: Path | str) -> Any:
    """The content of a JSON file, compressed or not."""
    content = Path(path).read_bytes()
    return json.loads(lzma.decompress(content) if compressed(path) else content)


def fields_of(row: Row) -> dict[str, Any]:
    """The fields of a row but for those that have their default; numbers with DIGITS digits."""
    fields = {f.name: value for f in dataclasses.fields(row) if (value := getattr(row, f.name)) != f.default}
    return {key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for key, value in fields.items()}


def read(path: Path | str) -> tuple[list[Row], dict[str, Any]]:
    """Rows and provenance of a record file, compressed or not."""
    if not Path(path).is_file():
        raise UserError(f"There is no record {path}: run its item first, `dynode list` shows the items.")
    record = loaded(path)
    rows = [Row(**row) for row in record["rows"]] if "rows" in record else rows_of(record["columns"])
    return rows, record["provenance"]


def select(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows whose fields have these values."""
    return [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]


def averaged(rows: Iterable[Row]) -> list[Row]:
    """Rows that differ only in their seed and draw become one: mean, std, n of them; all protocols of their codes."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(identity(row), []).append(row)
    means = ((group[0], protocols(group), summary([row.value for row in group])) for group in groups.values())
    return [dataclasses.replace(row, seed=None, draw=0, frames=0, protocol=every, **mean) for row, every, mean in means]


def protocols(rows: Iterable[Row]) -> str:
    """The protocols of the codes of some rows, each once."""
    return ", ".join(dict.fromkeys(row.protocol for row in rows if row.protocol))


def pooled(rows: Iterable[Row]) -> list[Row]:
    """Rows of a category become one: mean over clips (each the mean over its seeds), std over clips, n of them."""
    return averaged([dataclasses.replace(row, clip="", std=None, n=1) for row in averaged(rows)])


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation (None of one value) and number of values, as fields of a row."""
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else None
    return {"value": mean, "std": std, "n": len(values)}
