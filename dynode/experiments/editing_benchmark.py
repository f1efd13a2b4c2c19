"""What an edited video takes from the film to the last frame: every frame edited, or the first one and dynamics, in one run.

Frames are inverted anew for each method, each by itself from the generator's encoder; the fit counts, and so does whatever
is decoded and pasted.  What ships ready-made (generator, encoder, editor) is the same for all; loading it falls on the first.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from dynode import generators
from dynode.evaluation.records import Row
from dynode.experiments.face_windows import Window, windows
from dynode.generators.protocol import Generator
from dynode.inversion.invert_frames import usual_settings
from dynode.io import assets
from dynode.io.video import Stretch
from dynode.settings import choose
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.keyframes import Edit, EditTrack, edit_of
from dynode.video_editing.per_frame import rows_of
from dynode.video_editing.registry import System, load_system
from dynode.video_editing.video_editor import VideoEditor

WINDOWS = ("single_face.1",)
OURS, LINEAR, HOST = "dynode+latent-transformer", "linear+latent-transformer", "latent-transformer"
GENERATOR, EDITOR, EDIT = "mobilestylegan-ffhq", "latent-transformer", "smile=1.5"
FRAMES, STRIDE = 12, 4


def measure(
    names: Sequence[str] = WINDOWS, frames: int = FRAMES, device: torch.device | str = "cpu"
) -> tuple[list[Row], list[str]]:
    """Counts, seconds of stages, and their sums (`seconds`, `passes` of the generator), of each window and method; and the
    parts that are not the published ones.

    frames: of each window, from its beginning.  Raises UserError for a name of no window.
    """
    chosen = [windows()[choose("window", name, list(windows()))] for name in names]
    generator = generators.load(GENERATOR, device)
    edit = edit_of([EditTrack.parsed(EDIT)], EDITOR, generator, rows_of(GENERATOR))
    stand_ins: dict[str, None] = {}  # as a set in order
    rows = [row for window in chosen for row in of_window(window, frames, edit, generator, device, stand_ins)]
    return rows, [*stand_ins]


def systems() -> dict[str, System]:
    """By name: our own, the same with linear interpolation, and the one that edits every frame."""
    propagated = {OURS: "dynode", LINEAR: "linear"}
    made = {name: load_system(OURS, stride=STRIDE, method=method) for name, method in propagated.items()}
    return made | {HOST: load_system(HOST)}


def of_window(
    window: Window,
    frames: int,
    edit: Edit,
    generator: Generator,
    device: torch.device | str,
    stand_ins: dict[str, None],
) -> Iterator[Row]:
    """The rows of one window; what stands in is noted."""
    film, stretch = assets.fetch(window.asset), Stretch(window.first, frames, window.every)
    settings = usual_settings("independent", GENERATOR)
    for name, system in systems().items():
        counters = Counters()
        with tempfile.TemporaryDirectory() as folder:
            editor = VideoEditor(system, generator, projection=settings, codes=Path(folder), device=device)
            footage = editor.follow(film, stretch, counters)
            codes = editor.plan(footage, edit, counters)
            count = sum(1 for _ in editor.render(footage, codes, counters))
        stand_ins |= dict.fromkeys(editor.stand_ins(footage, edit))
        named = {"clip": window.name, "method": name, "variant": EDIT, "frames": count}
        passes = float(counters.generator_forward + counters.generator_backward)
        yield from counters.rows(**named)
        yield Row("passes", passes, unit="times", space="cost", **named)
        yield Row("seconds", sum(counters.seconds.values()), unit="s", space="cost", **named)


def ratios(rows: Sequence[Row]) -> list[str]:
    """A sentence for each window and method: its seconds and passes over those of editing every frame."""
    values = {(row.clip, row.method, row.metric): row.value for row in rows}
    return [
        f"{clip}, {method}: {values[clip, method, 'seconds'] / seconds:.2f} of the seconds and "
        f"{values[clip, method, 'passes'] / values[clip, HOST, 'passes']:.2f} of the passes of {HOST}"
        for (clip, name, metric), seconds in values.items()
        if metric == "seconds" and name == HOST
        for method in (OURS, LINEAR)
    ]
