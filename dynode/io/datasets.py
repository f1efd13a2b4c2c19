"""Folders of published datasets: their entries with labels, a choice among them, and a film of their pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dynode.border import public
from dynode.errors import UserError
from dynode.io.dataset_layouts import LAYOUTS, PICTURES, VIDEOS, Entry
from dynode.io.video_writing import require_rate, write
from dynode.settings import choose, listed

WIDER = 1.2  # the square around a subject, relative to the longer side of its box


@dataclass(frozen=True, repr=False)
class Dataset:
    """The entries of a folder.  kind: "pictures" or "videos".  licence: its terms in a sentence."""

    title: str
    kind: str
    licence: str
    entries: tuple[Entry, ...]

    def __repr__(self):
        return f"<Dataset: {self.title}, {len(self)} {self.kind}>"

    def __len__(self):
        return len(self.entries)

    @property
    def values(self) -> dict[str, list[str]]:
        """The values of each label, in order."""
        held: dict[str, set[str]] = {}
        for entry in self.entries:
            for name, value in entry.labels.items():
                held.setdefault(name, set()).add(value)
        return {
            name: sorted(values, key=lambda v: (len(v), v) if v.isdigit() else (0, v)) for name, values in held.items()
        }

    def chosen(self, labels: Mapping[str, str]) -> "Dataset":
        """The entries with these labels.  Raises UserError for a label or value that the folder has not, and for none left."""
        for name, value in labels.items():
            choose(f"{name} in {self.title}", value, choose(f"label of {self.title}", name, self.values))
        left = tuple(entry for entry in self.entries if labels.items() <= entry.labels.items())
        if not left:
            wanted = ", ".join(f"{name}={value}" for name, value in labels.items())
            raise UserError(f"No entry of {self.title} in this folder has {wanted} together: leave one of them out.")
        return replace(self, entries=left)

    def varied(self, name: str) -> "Dataset":
        """The entries that differ from the first in one label alone, in the order of its values."""
        order = choose(f"label of {self.title}", name, self.values)
        fixed = {other: value for other, value in self.entries[0].labels.items() if other != name}
        same = [entry for entry in self.entries if fixed.items() <= entry.labels.items()]
        return replace(self, entries=tuple(sorted(same, key=lambda entry: order.index(entry.labels[name]))))


@public
def load(name: str, folder: Path | str) -> Dataset:
    """The dataset of that name in a folder, as published; its licence is printed.

    name: ravdess, talkinghead-1kh, ffhq, cub, places or isaac3d.
    Raises UserError for another name, and for a folder that is not laid out as that dataset is.
    """
    layout, folder = choose("dataset", name, LAYOUTS), Path(folder)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: the one that {layout.title} was unpacked to was wanted.")
    entries = tuple(entry for entry in layout.entries(folder) if entry.path.is_file())
    if not entries:
        raise UserError(
            f"{folder} holds nothing that is laid out as {layout.title}: files such as {layout.example} were wanted."
        )
    print(f"{layout.title}: {layout.licence}.")
    return Dataset(layout.title, layout.kind, layout.licence, entries)


def square(entry: Entry, size: int) -> np.ndarray:
    """The middle square of a picture, or that around its subject, uint8 (size, size, 3).

    Raises UserError for a file that is no picture.
    """
    try:
        with Image.open(entry.path) as opened:
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError):
        raise UserError(f"{entry.path} is no picture, or is cut off: unpack the dataset again.") from None
    width, height = picture.size
    x, y, w, h = entry.box or (0.0, 0.0, width, height)
    side = min(width, height, WIDER * max(w, h))
    left = min(max(x + (w - side) / 2, 0), width - side)
    top = min(max(y + (h - side) / 2, 0), height - side)
    reduced = picture.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    return np.asarray(reduced)


def squares(dataset: Dataset, size: int) -> Iterator[np.ndarray]:
    """The squares of all pictures, in order."""
    return (square(entry, size) for entry in dataset.entries)


@public
def film(dataset: Dataset, output: Path | str, *, fps: float = 10.0, size: int = 256) -> Path:
    """A video whose frames are the pictures of a dataset, in order: what `invert` takes.  size: pixels a side, even.

    Raises UserError for videos, for a single picture, and for one that cannot be read.
    """
    require_rate(fps)
    if dataset.kind != PICTURES:
        raise UserError(f"{dataset.title} has {VIDEOS}, which need no film: give one of them to `dynode invert`.")
    if len(dataset) < 2 or size < 16 or size % 2:
        raise UserError(
            f"A film wants at least 2 pictures and an even size from 16 up, got {len(dataset)} and {size}: choose others."
        )
    return write(output, squares(dataset, size), fps, crf=0, title=f"{dataset.title}: {dataset.licence}")


def summary(dataset: Dataset, most: int = 8) -> Iterator[str]:
    """Lines about a dataset: how many entries, the values of each label, the first files."""
    yield f"{len(dataset)} {dataset.kind}"
    for name, values in dataset.values.items():
        yield f"{name}: {listed(values, 100) if len(values) > 1 else values[0]}"
    yield from (str(entry.path) for entry in dataset.entries[:most])
    if len(dataset) > most:
        yield f"... and {len(dataset) - most} more"
