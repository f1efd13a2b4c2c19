"""One edit of one video from names to files: what `dynode edit` and `dynode.edit` do."""

import dataclasses
import inspect
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from skimage.io import imsave
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.clips import Clip
from dynode.dynamics.presets import preset
from dynode.editing.strength_ranges import range_warning
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.generators.protocol import Generator
from dynode.inversion.invert_frames import print_warnings
from dynode.inversion.observer import Observer
from dynode.inversion.projection import settings_for
from dynode.io import assets, audio, files
from dynode.io.video import Stretch
from dynode.settings import changed, choose
from dynode.video_editing import footage as footages
from dynode.video_editing.cost_counters import Counters, reset_peak_memory
from dynode.video_editing.edited_codes import EditedCodes
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import Edit, EditTrack, edit_of, parse_keyframes
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.per_frame import rows_of
from dynode.video_editing.registry import System, system_class
from dynode.video_editing.video_editor import VideoEditor

ITEM = "edit"  # of its records


@dataclass(frozen=True)
class EditRequest:
    """What is edited, how, and where it goes; the fields are the options of `dynode edit`, whose help describes them.

    projection, dynamics: changed settings of the inversion, and of the preset dynode.
    """

    video: str | Path | Clip
    output: Path
    attribute: tuple[str, ...]
    strength_over_time: str = ""
    method: str = "dynode+latent-transformer"
    editor: str = "latent-transformer"
    rows: int = -1
    mode: str = "offset"
    stride: int = 4
    paste: str = "seamless"
    mask: str = ""
    footage: str = ""
    first: int = 0
    frames: int = 0
    every: int = 1
    face: str = "largest"
    generator: str = "mobilestylegan-ffhq"
    save_frames: Path | None = None
    codes: Path | None = None
    projection: dict = field(default_factory=dict)
    dynamics: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.stride < 1:
            raise UserError(f"The stride must be at least 1, got {self.stride}: every N-th frame is inverted.")
        Stretch(self.first, self.frames, self.every)
        if Path(self.output).suffix != ".mp4":
            raise UserError(f"The edited video is an .mp4, got {self.output}.")

    @property
    def source(self) -> str:
        """What is edited, by name."""
        return self.video.name if isinstance(self.video, Clip) else str(self.video)

    @property
    def record(self) -> Path:
        return self.output.with_suffix(".json")

    @property
    def inverted(self) -> Path:
        """The file that keeps the codes that are inverted for it."""
        return self.output.with_suffix(".codes.safetensors")

    @property
    def tracks(self) -> list[EditTrack]:
        """The edits with their strengths over time.  Raises UserError for what is none."""
        tracks = [EditTrack.parsed(text) for text in self.attribute]
        factors = parse_keyframes(self.strength_over_time) if self.strength_over_time else ()
        return [track.scaled(factors) if factors else track for track in tracks]

    @property
    def clip(self) -> Clip | None:
        """The clip that is given or named instead of a video."""
        if isinstance(self.video, Clip):
            return self.video
        is_clip = self.source in clips.shipped_names() or Path(self.video).suffix == ".safetensors"
        return clips.load(self.video) if is_clip else None

    @property
    def command(self) -> str:
        """The command line of this edit, without what the outputs are called; "" for a clip in memory, which no command names."""
        if isinstance(self.video, Clip):
            return ""
        edits = [part for text in self.attribute for part in ("--attribute", text)]
        plain = [f for f in dataclasses.fields(self) if isinstance(f.default, str | int)]
        chosen = {f.name.replace("_", "-"): value for f in plain if (value := getattr(self, f.name)) != f.default}
        options = [part for name, value in chosen.items() for part in (f"--{name}", str(value))]
        settings = self.projection | {f"dynamics.{name}": value for name, value in self.dynamics.items()}
        changes = [part for name, value in settings.items() for part in ("-p", f"{name}={value}")]
        return shlex.join(["dynode", "edit", self.source, *edits, *options, *changes])


@dataclass(frozen=True)
class EditResult:
    """An edited video that was written: its codes, its number of frames, what making it cost.

    settings: all that was chosen.  stand_ins: every part that is not the real one.  remarks: what its user should know.
    """

    output: Path
    codes: EditedCodes
    counters: Counters
    count: int
    settings: dict
    stand_ins: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def text(self) -> str:
        head = f"{self.output}: {self.count} frames, {self.codes.title}"
        return "\n".join([head, self.counters.text(), *self.remarks])


def edit(
    source: str | Path | Clip,
    edits: Mapping[str, float | str] | Iterable[str],
    output: str | Path,
    *,
    device: torch.device | str = "auto",
    **choices,
) -> EditResult:
    """Edit a video and write it, as `dynode edit` does: an .mp4 that says it is edited, and a record beside it.

        edit("single_face.warm", {"smile": 2.0}, "smile.mp4")
        edit("talk.mp4", ["smile=0:0,1:1.5"], "smile.mp4", stride=8, dynamics={"field.depth": 4})

    source: a clip, the name of a shipped one, or a clip file; or a video, by path or by the name of an asset.
    edits: attribute -> strength in the editor's unit, or texts as on the command line.
    choices: the other fields of `EditRequest`.  Raises UserError for everything that cannot be done.
    """
    texts = [f"{name}={strength}" for name, strength in edits.items()] if isinstance(edits, Mapping) else edits
    legal = [f.name for f in dataclasses.fields(EditRequest) if f.name not in ("video", "output", "attribute")]
    for name in choices:
        choose("choice of an edit", name, legal)
    attributes = (texts,) if isinstance(texts, str) else tuple(texts)
    return run(EditRequest(source, Path(output), attributes, **choices), runtime.device(str(device)))


def run(request: EditRequest, device: torch.device | str) -> EditResult:
    """Plan, render and write.  Raises UserError for everything that cannot be, before the long work where it can be known."""
    require_outputs(request)
    tracks, clip, counters = request.tracks, request.clip, Counters()
    name = clip.meta.get("generator", "unknown") if clip else request.generator
    parts = parts_of(request, name)
    generator = generators.load(name, device)
    if request.rows > generator.num_ws:
        raise UserError(f"The codes of {name} have {generator.num_ws} style rows, {request.rows} were to be edited.")
    edit = edit_of(tracks, request.editor, generator, rows_of(name) if request.rows < 0 else request.rows)
    editor = VideoEditor(generator=generator, codes=request.inverted, device=device, **parts)
    footage = footage_of(request, clip, editor, counters)
    reset_peak_memory()
    codes = editor.plan(footage, edit, counters)
    count = write(request, editor, footage, codes, counters)
    if request.codes is not None:
        edited_clip(footage, codes, generator, request.codes.stem).save(request.codes)
    settings, stand_ins = editor.settings(edit), editor.stand_ins(footage)
    notes = (*range_warnings(request.editor, edit, name), *remarks(footage, codes, counters, stand_ins))
    notes = (*notes, f"every number: {request.record}")
    result = EditResult(request.output, codes, counters, count, settings, stand_ins, notes)
    record(request, result, device)
    return result


def record(request: EditRequest, result: EditResult, device: torch.device | str) -> None:
    """Write every number of an edit, and what it was made with."""
    codes, stand_ins = result.codes, list(result.stand_ins)
    metadata = {"title": codes.title, "settings": result.settings, "told": codes.metadata, "stand_ins": stand_ins}
    named = {"clip": Path(request.source).stem, "method": request.method, "variant": codes.text}
    provenance = runtime.provenance(torch.device(device), command=request.command, **metadata)
    records.write(request.record, ITEM, "", result.counters.rows(**named), provenance)


def require_outputs(request: EditRequest) -> None:
    """Refuse outputs that cannot be written, or that would replace what the edit is made from or another's record."""
    read = [Path(path).absolute() for path in (request.source, request.footage, request.inverted) if path]
    for path in filter(None, (request.output, request.codes)):
        files.require_writable(path)
        if path.absolute() in read:
            raise UserError(f"{path} is what the edit is made from: name another file to write.")
    if request.save_frames is not None:
        files.require_writable(frame_path(request.save_frames, 0))
    records.require_record_path(request.record, ITEM)


def frame_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


def parts_of(request: EditRequest, generator_name: str) -> dict:
    """What a video editor is made of, for the generator of that name."""
    is_face = generators.category_of(generator_name) == "face"
    return {
        "system": system_of(request),
        "paste": PasteSettings(request.paste),
        "mask": MaskSettings(request.mask or ("landmarks" if is_face else "whole")),
        "projection": changed(settings_for(generators.resolution_of(generator_name)), request.projection),
    }


def system_of(request: EditRequest) -> System:
    """The system, with those of the request's settings that it takes.  Raises UserError for dynamics where it has none."""
    make = system_class(request.method)
    settings = {"mode": request.mode, "stride": request.stride}
    if request.dynamics:
        settings["method"] = changed(preset("dynode"), request.dynamics)
    parameters = inspect.signature(make).parameters
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    taken = {name: value for name, value in settings.items() if open_ended or name in parameters}
    if request.dynamics and "method" not in taken:
        raise UserError(f"{request.method} fits no dynamics: leave out {', '.join(request.dynamics)}.")
    return make(**taken)


def footage_of(request: EditRequest, clip: Clip | None, editor: VideoEditor, observer: Observer) -> Footage:
    """The footage of a clip, or a video whose face is found and followed now."""
    if clip is not None:
        if (request.first, request.every, request.face) != (0, 1, "largest"):
            raise UserError(
                f"{request.source} is a clip, whose frames were chosen before: leave out --first, --every, --face."
            )
        footage = footages.from_clip(clip, request.footage)
        return footage.head(request.frames) if request.frames else footage
    path = assets.fetch(request.source) if request.source in assets.registry()[1] else Path(request.source)
    stretch = Stretch(request.first, request.frames, request.every)
    with tqdm(desc="find faces", unit="frame", mininterval=1) as bar:
        footage = editor.follow(path, stretch, observer, face=request.face, progress=bar)
    print_warnings(footage.track, path)
    return footage


def write(request: EditRequest, editor: VideoEditor, footage: Footage, codes: EditedCodes, observer: Observer) -> int:
    """Write the video, and its frames where they are wanted; returns their number."""
    with tqdm(desc="edit", unit="frame", mininterval=1) as bar:

        def each(number: int, frame: np.ndarray) -> None:
            bar.update()
            if request.save_frames is not None:
                with files.written_whole(frame_path(request.save_frames, number)) as scratch:
                    imsave(scratch, frame, check_contrast=False)

        return editor.write(request.output, footage, codes, observer, each)


def edited_clip(footage: Footage, codes: EditedCodes, generator: Generator, name: str) -> Clip:
    """The edited codes as a clip of that name, which `dynode fit` takes as any other; its metadata say that it is edited."""
    track, known = footage.track, footage.clip.meta if footage.clip else footage.metadata
    meta = {key: value for key, value in known.items() if key in ("source", "source_sha256", "stretch", "face")}
    meta |= {"name": name, "generator": generator.name, "generator_hash": generator.hash, "edited": codes.text}
    optional = {key: torch.from_numpy(getattr(track, key)) for key in clips.OPTIONAL}
    ts = torch.from_numpy(track.ts)
    return Clip(codes.edited, ts, observed=optional["detected"], meta=meta, **optional).halved()


def range_warnings(editor: str, edit: Edit, generator_name: str) -> list[str]:
    """A sentence for each strength beyond the range in which its editor is meant to be used."""
    category = generators.category_of(generator_name)
    warnings = [range_warning(f"{editor}:{track.attribute}", track.largest, category) for track in edit.tracks]
    return [warning for warning in warnings if warning]


def remarks(footage: Footage, codes: EditedCodes, counters: Counters, stand_ins: tuple[str, ...]) -> list[str]:
    """What is not as it may seem: codes from before, frames without the face, drift, missing sound, stand-ins."""
    lines = []
    if counters.steps_before:
        lines.append(
            f"The codes were already inverted ({counters.steps_before} optimiser steps for {codes.inverted} frames, from "
            "the clip's metadata)."
        )
    if codes.missing:
        lines.append(f"The face was not found in {len(codes.missing)} frames: they are edited by interpolated codes.")
    if codes.drift > 1e-3:
        lines.append(f"At the end the edit has drifted by {100 * codes.drift:.0f} % of its length.")
    if codec := audio.unsupported_codec(footage.path):
        lines.append(f"The sound is left out: an .mp4 cannot hold {codec}.")
    return lines + ([f"Stand-ins: {', '.join(stand_ins)}."] if stand_ins else [])
