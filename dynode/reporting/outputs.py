"""Saves the results of a run: figures, videos, tables and records, each stamped with its origin."""

import io
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from dynode import clips, runtime
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.io import files, video
from dynode.io.images import to_uint8
from dynode.reporting import paths, plots
from dynode.reporting.plots.style import house_style
from dynode.reporting.tables import Table
from dynode.settings import choose

SCREEN_DPI = 130
MARGIN = 0.03  # inches around what would not fit a page
PNG = {"compress_level": 4}  # of 9: half of the time, files 8 % larger


Shown = Iterable[Clip | records.Row | str]  # clips, or rows of clips; other parts that are not the real ones, by name


def save_figure(figure: Figure, path: Path, **metadata: str) -> Path:
    """Write a figure in the house's style, atomically; the suffix is the format.  Raises UserError for unknown ones."""
    choose("format of figures", Path(path).suffix.removeprefix("."), list(figure.canvas.get_supported_filetypes()))
    packed: dict[str, Any] = {"pil_kwargs": PNG} if Path(path).suffix == ".png" else {}
    with files.written_whole(path) as scratch, house_style():
        figure.savefig(scratch, metadata=metadata, bbox_inches=page(figure), **packed)
    return path


def lay_out(figure: Figure) -> None:
    """Place the axes of a finished figure for good: every file and the screen would do it again, a fifth of their time."""
    with house_style():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def page(figure: Figure) -> Bbox:
    """The figure's own page in inches, enlarged where a text or a mark would be cut off at its edge."""
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):  # the axes have no places before
        lay_out(figure)
    page = Bbox.from_extents(0, 0, *figure.get_size_inches())
    with house_style():  # ticks depend on it
        drawn = figure.get_tightbbox()
    inside = drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= page.x1 and drawn.y1 <= page.y1
    return page if inside else Bbox.union([page, drawn.padded(MARGIN)])


def show(figure: Figure, alt: str) -> None:
    """Put a figure into the notebook that runs, if one does."""
    running = sys.modules.get("IPython")  # which a notebook has imported, and no other process needs
    if running is not None and running.get_ipython() is not None:
        from IPython.display import Image, display

        with io.BytesIO() as picture, house_style():
            figure.savefig(picture, format="png", dpi=SCREEN_DPI, bbox_inches=page(figure))
            display(Image(picture.getvalue(), alt=alt))


def stand_ins(shows: Shown) -> tuple[str, ...]:
    """The parts that are not the real ones among what an output shows, each once."""
    shown = list(shows)
    of_clips = clips.stand_ins(each for each in shown if isinstance(each, Clip))
    return tuple(dict.fromkeys((*of_clips, *(each for each in shown if isinstance(each, str)))))


def naming(shows: Shown) -> str:
    """The line that names protocols of codes and stand-ins, "" where there are neither."""
    shown = list(shows)
    names = stand_ins(shown)
    return "; ".join(filter(None, (codes_line(shown), f"stand-ins: {', '.join(names)}" if names else "")))


def codes_line(shows: Shown) -> str:
    """By which protocol the codes of an output were made, with the clips of each where there are several."""
    clips_by: dict[str, list[str]] = {}
    for each in shows:
        if not isinstance(each, str) and each.protocol:
            clips_by.setdefault(each.protocol, []).append(each.name if isinstance(each, Clip) else each.clip)
    if len(clips_by) < 2:
        return "".join(f"codes: {protocol}" for protocol in clips_by)
    named = [f"{protocol} ({', '.join(dict.fromkeys(names))})" for protocol, names in clips_by.items()]
    return f"codes: {'; '.join(named)}"


def with_protocols(rows: Iterable[records.Row], shows: Shown) -> list[records.Row]:
    """The rows, those of shown clips with the protocol of their codes."""
    known = {clip.name: clip.protocol for clip in shows if isinstance(clip, Clip)}
    return [replace(row, protocol=row.protocol or known.get(row.clip, "")) for row in rows]


@dataclass(frozen=True)
class Outputs:
    """Saves the results of one item under one profile, every file atomically and stamped with its origin.

    shows, in all of its functions: the clips that an output shows, or a row of a clip that an earlier run measured, and other
    parts that are not the real ones, by name.
    Figures, tables, videos and records name the protocols of their codes and their own stand-ins, and no others.
    """

    item: str
    profile: str
    command: str = "called from Python"  # how the run was started, for the record
    started: float = field(default_factory=time.time)
    stamp: dict[str, Any] = field(default_factory=dict)  # more of the origin, for the record

    def figure(self, figure: Figure, name: str, alt: str, *, shows: Shown) -> Path:
        """Write figures/<name>.{png,pdf} and show it; `alt` is its text alternative.

        Raises UserError for a figure without data.
        """
        if not any(np.isfinite(axes.dataLim.get_points()).all() for axes in figure.axes):  # a line across is no data
            raise UserError(f"The figure {name} of {self.item} has no data: its parameters leave nothing to draw.")
        stamp = f"dynode {self.item}.{self.profile} at {runtime.commit()}"
        if line := naming(shows):
            plots.note(figure, line)
        noted = {"Comment": line} if line else {}
        lay_out(figure)
        stem = self.stem(name)
        for suffix, keys in (
            (".png", {"Description": alt, "Source": stamp, **noted}),
            (".pdf", {"Subject": alt, "Keywords": stamp}),
        ):
            save_figure(figure, paths.root() / "figures" / f"{stem}{suffix}", **keys)
        show(figure, alt)
        return paths.root() / "figures" / f"{stem}.png"

    def video(
        self,
        images: torch.Tensor | np.ndarray,
        ts: Iterable[float] | torch.Tensor,
        name: str,
        title: str,
        *,
        shows: Shown,
    ) -> Path:
        """Write figures/<name>.mp4 of images (T, 3, H, W) in [-1, 1], or of frames uint8 (T, H, W, 3).

        ts (T,): seconds.  title: the title in its metadata, where the stand-ins follow it.
        """
        frames, ts = to_uint8(images) if isinstance(images, torch.Tensor) else images, [float(t) for t in ts]
        timed = ((t - ts[0], frame) for t, frame in zip(ts, frames, strict=True))
        fps = (len(ts) - 1) / (ts[-1] - ts[0])
        path = paths.root() / "figures" / f"{self.stem(name)}.mp4"
        return video.write_timed(path, timed, fps, title="; ".join(filter(None, (title, naming(shows)))))

    def stem(self, name: str) -> str:
        return name if self.profile == "embedded" else f"{name}.{self.profile}"

    @property
    def fits(self) -> Path:
        """The folder of the item's fits, where a killed run goes on."""
        return paths.root() / "reports" / "fits" / f"{self.item}.{self.profile}"

    def table(self, table: Table, name: str, *, shows: Shown) -> Path:
        """Write reports/tables/<name>.<profile>.{md,tex,csv}."""
        folder, note = paths.root() / "reports" / "tables", "; ".join(filter(None, (table.note, naming(shows))))
        table = replace(table, note=note)
        for suffix, text in (("md", table.markdown()), ("tex", table.latex()), ("csv", table.csv())):
            with files.written_whole(folder / f"{name}.{self.profile}.{suffix}") as scratch:
                scratch.write_text(text, encoding="utf-8")
        return folder / f"{name}.{self.profile}.md"

    def record(
        self, rows: list[records.Row], device: torch.device | str = "cpu", *, shows: Shown, **provenance: Any
    ) -> Path:
        """Write reports/records/<item>.<profile>.json; provenance: further keys of the record's own.

        Raises UserError where there are no rows.
        """
        if not rows:
            raise UserError(f"The item {self.item} measured nothing: its parameters leave no row for the record.")
        shows = list(shows)
        stamp = runtime.provenance(
            torch.device(device),
            command=self.command,
            seconds=round(time.time() - self.started, 1),
            stand_ins=list(stand_ins(shows)),
            **{**self.stamp, **provenance},
        )
        path = paths.root() / "reports" / "records" / f"{self.item}.{self.profile}.json"
        return records.write(path, self.item, self.profile, with_protocols(rows, shows), stamp)
