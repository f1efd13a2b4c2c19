"""Records: one JSON file per run, a list of rows, each row one number with everything that names it."""

import dataclasses
import gzip
import json
import math
from dataclasses import dataclass
from pathlib import Path

from dynode.errors import UserError
from dynode.io.files import require_writable, written_whole

DIGITS = 8  # of a number in a file: more than the arithmetic of single precision has


@dataclass(frozen=True)
class Row:
    """One number.  `mse` is raw in [-1, 1] at 256 pixels, `ssim` 0 to 1; x 1e3 and % belong to tables.

    split: observed | unobserved | extrapolated.  reference: code (G(z_i)) | source (the aligned frame).
    std and n are over seeds for fits, over frames for inversions; `paper` is the paper's own number or None.
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
    unit: str = ""
    std: float | None = None
    n: int = 1
    paper: float | None = None


def write(path: Path | str, item: str, profile: str, rows: list[Row], provenance: dict) -> Path:
    """Write a record file, atomically: one line for each row, with the fields that differ from their defaults.

    A path that ends in .gz is compressed, always to the same bytes.  A command stands for its item.  Raises ValueError for a number that is not finite.
    """
    for row in rows:
        if not math.isfinite(row.value):
            raise ValueError(f"a record holds only finite numbers, got {row}")
    head = json.dumps({"item": item, "profile": profile, "provenance": provenance}, indent=1).removesuffix("\n}")
    body = ",\n".join(f"  {json.dumps(told(row))}" for row in rows)
    with written_whole(Path(path)) as scratch:
        text = f'{head},\n "rows": [\n{body}\n ]\n}}\n'.encode()
        scratch.write_bytes(gzip.compress(text, mtime=0) if Path(path).suffix == ".gz" else text)
    return Path(path)


def require_place(path: Path | str, item: str) -> None:
    """Refuse a file that a record of this item cannot be written to, or that is the record of another.  Raises UserError."""
    require_writable(Path(path))
    held = item_of(path)
    if held not in (None, item):
        raise UserError(f"{path} is a record of {held}, which one of {item} would replace: name another file.")


def item_of(path: Path | str) -> str | None:
    """The item, or the command, whose record a file is; None where it is none."""
    try:
        record = loaded(path)
    except (OSError, ValueError, EOFError):
        return None
    return record.get("item") if isinstance(record, dict) else None


def loaded(path: Path | str):
    """What a JSON file holds, compressed or not."""
    content = Path(path).read_bytes()
    return json.loads(gzip.decompress(content) if Path(path).suffix == ".gz" else content)


def told(row: Row) -> dict:
    """The fields of a row but for those that have their default; numbers with DIGITS digits."""
    fields = {f.name: value for f in dataclasses.fields(row) if (value := getattr(row, f.name)) != f.default}
    return {key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for key, value in fields.items()}


def read(path: Path | str) -> tuple[list[Row], dict]:
    """Rows and provenance of a record file, compressed or not."""
    if not Path(path).is_file():
        raise UserError(f"There is no record {path}: run its item first, `dynode list` shows the items.")
    record = loaded(path)
    return [Row(**row) for row in record["rows"]], record["provenance"]


def select(rows: list[Row], **wanted) -> list[Row]:
    """The rows whose fields have these values."""
    return [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]


def averaged(rows: list[Row]) -> list[Row]:
    """Rows that differ only in their seed become one: mean, std over seeds, n of them."""
    groups: dict[Row, list[float]] = {}
    for row in rows:
        groups.setdefault(dataclasses.replace(row, value=0.0, seed=None, std=None, n=1), []).append(row.value)
    return [dataclasses.replace(key, **summary(values)) for key, values in groups.items()]


def pooled(rows: list[Row]) -> list[Row]:
    """Rows of a category become one: mean over clips (each the mean over its seeds), std over clips, n of them."""
    return averaged([dataclasses.replace(row, clip="", std=None, n=1) for row in averaged(rows)])


def summary(values: list[float]) -> dict:
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else None
    return {"value": mean, "std": spread, "n": len(values)}
