"""Saves the results of a run: figures, videos, tables and records, each stamped with its origin."""

import io
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython import get_ipython
from IPython.display import Image, display
from matplotlib.figure import Figure

from dynode import runtime
from dynode.evaluation import records
from dynode.io import files, video
from dynode.io.images import to_uint8
from dynode.reporting import paths, plots
from dynode.reporting.plots.style import STYLE
from dynode.reporting.tables import Table
from dynode.settings import choose

SCREEN_DPI = 130
PNG = {"compress_level": 4}  # of 9: half of the time, files 8 % larger


def save_figure(figure: Figure, path: Path, **metadata: str) -> Path:
    """Write a figure in the house's style, atomically; the suffix is the format.  Raises UserError for unknown ones."""
    choose("format of figures", Path(path).suffix.removeprefix("."), list(figure.canvas.get_supported_filetypes()))
    packed: dict[str, Any] = {"pil_kwargs": PNG} if Path(path).suffix == ".png" else {}
    with files.written_whole(path) as scratch, plt.style.context(STYLE):
        figure.savefig(scratch, metadata=metadata, **packed)
    return path


def lay_out(figure: Figure) -> None:
    """Place the axes of a finished figure for good: every file and the screen would do it again, a fifth of their time."""
    with plt.style.context(STYLE):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def show(figure: Figure, alt: str) -> None:
    """Put a figure into the notebook that runs, if one does, and close it.

    The inline backend cannot be left to do it: a style context that ends resets it, and it falls silent.
    """
    if get_ipython() is not None:
        with io.BytesIO() as picture, plt.style.context(STYLE):
            figure.savefig(picture, format="png", dpi=SCREEN_DPI)
            display(Image(picture.getvalue(), alt=alt))
    plt.close(figure)


@dataclass(frozen=True)
class Outputs:
    """Saves the results of one item under one profile, every file atomically and stamped with its origin."""

    item: str
    profile: str
    stand_ins: tuple[str, ...] = ()  # every part that is not the real one: figures, tables and records name them
    started: float = field(default_factory=time.time)

    def figure(self, figure: Figure, name: str, alt: str) -> Path:
        """Write figures/<name>.{png,pdf}, show it and close it; `alt` is its text alternative."""
        stamp = f"dynode {self.item}.{self.profile} at {runtime.commit()}"
        if self.stand_ins:
            plots.note(figure, self.note)
        lay_out(figure)
        stem = name if self.profile == "embedded" else f"{name}.{self.profile}"
        for suffix, keys in (
            (".png", {"Description": alt, "Source": stamp}),
            (".pdf", {"Subject": alt, "Keywords": stamp}),
        ):
            save_figure(figure, paths.root() / "figures" / f"{stem}{suffix}", **keys)
        show(figure, alt)
        return paths.root() / "figures" / f"{stem}.png"

    def video(
        self, images: torch.Tensor | np.ndarray, ts: Iterable[float] | torch.Tensor, name: str, title: str
    ) -> Path:
        """Write figures/<name>.mp4 of images (T, 3, H, W) in [-1, 1], or of frames uint8 (T, H, W, 3).

        ts (T,): seconds.  title: the title in its metadata.
        """
        frames, ts = to_uint8(images) if isinstance(images, torch.Tensor) else images, [float(t) for t in ts]
        stem = name if self.profile == "embedded" else f"{name}.{self.profile}"
        timed = ((t - ts[0], frame) for t, frame in zip(ts, frames, strict=True))
        fps = (len(ts) - 1) / (ts[-1] - ts[0])
        return video.write_timed(paths.root() / "figures" / f"{stem}.mp4", timed, fps, title=title)

    @property
    def note(self) -> str:
        return f"stand-ins: {', '.join(self.stand_ins)}" if self.stand_ins else ""

    @property
    def fits(self) -> Path:
        """The folder of the item's fits, where a killed run goes on."""
        return paths.root() / "reports" / "fits" / f"{self.item}.{self.profile}"

    def table(self, table: Table, name: str) -> Path:
        """Write reports/tables/<name>.<profile>.{md,tex,csv}."""
        folder, note = paths.root() / "reports" / "tables", "; ".join(filter(None, (table.note, self.note)))
        table = replace(table, note=note)
        for suffix, text in (("md", table.markdown()), ("tex", table.latex()), ("csv", table.csv())):
            with files.written_whole(folder / f"{name}.{self.profile}.{suffix}") as scratch:
                scratch.write_text(text)
        return folder / f"{name}.{self.profile}.md"

    def record(self, rows: list[records.Row], device: torch.device | str = "cpu", **provenance: Any) -> Path:
        """Write reports/records/<item>.<profile>.json; provenance: further keys of the record's own."""
        seconds = round(time.time() - self.started, 1)
        command = f"dynode run {self.item} --profile {self.profile}"
        stamp = runtime.provenance(
            torch.device(device), command=command, seconds=seconds, stand_ins=list(self.stand_ins), **provenance
        )
        path = paths.root() / "reports" / "records" / f"{self.item}.{self.profile}.json"
        return records.write(path, self.item, self.profile, rows, stamp)
