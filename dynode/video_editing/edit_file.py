"""One edit of one video from names to files: what `dynode edit` asks for and what it leaves."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from skimage.io import imsave
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.editing.strength_ranges import beyond
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.inversion.invert_frames import warn
from dynode.inversion.projection import settings_for
from dynode.io import assets, audio, files
from dynode.io.video import Stretch
from dynode.settings import changed
from dynode.video_editing import footage as footages
from dynode.video_editing import methods
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.edited_video import EditedVideo
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import EditTrack, edit_of, keyframes
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.per_frame import rows_of
from dynode.video_editing.video_editor import VideoEditor

ITEM = "edit"  # of its records


@dataclass(frozen=True)
class Job:
    """What is edited, how, and where it goes; the fields are the options of `dynode edit`, which tells of them."""

    video: str
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
    count: int = 0
    every: int = 1
    face: str = "largest"
    generator: str = "mobilestylegan-ffhq"
    frames: Path | None = None
    codes: Path | None = None
    projection: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.stride < 1:
            raise UserError(f"The stride must be at least 1, got {self.stride}: one frame in so many is inverted.")
        Stretch(self.first, self.count, self.every)
        if Path(self.output).suffix != ".mp4":
            raise UserError(f"The edited video is an .mp4, got {self.output}.")

    @property
    def record(self) -> Path:
        return self.output.with_suffix(".json")

    @property
    def inverted(self) -> Path:
        """The file that keeps what is inverted on the way."""
        return self.output.with_suffix(".codes.safetensors")

    @property
    def tracks(self) -> list[EditTrack]:
        """The edits with their strengths over time.  Raises UserError for what is none."""
        tracks = [EditTrack.parsed(text) for text in self.attribute]
        shares = keyframes(self.strength_over_time) if self.strength_over_time else ()
        return [track.scaled(shares) if shares else track for track in tracks]

    @property
    def clip(self) -> clips.Clip | None:
        """The clip that is named instead of a video."""
        named = self.video in clips.shipped_names() or Path(self.video).suffix == ".safetensors"
        return clips.load(self.video) if named else None

    @property
    def command(self) -> str:
        """What was asked for, without what the outputs are called."""
        edits = [part for text in self.attribute for part in ("--attribute", text)]
        plain = [f for f in dataclasses.fields(self) if isinstance(f.default, str | int)]
        chosen = {f.name.replace("_", "-"): value for f in plain if (value := getattr(self, f.name)) != f.default}
        options = [part for name, value in chosen.items() for part in (f"--{name}", str(value))]
        projection = [part for name, value in self.projection.items() for part in ("-p", f"{name}={value}")]
        return shlex.join(["dynode", "edit", self.video, *edits, *options, *projection])


@dataclass(frozen=True)
class Done:
    """An edited video that was written, how many frames it has, and what its user should know."""

    video: EditedVideo
    count: int
    remarks: tuple[str, ...]
    output: Path

    @property
    def text(self) -> str:
        head = f"{self.output}: {self.count} frames, {self.video.title}"
        return "\n".join([head, self.video.counters.text(), *self.remarks])


def run(job: Job, device) -> Done:
    """Edit and write.  Raises UserError for everything that cannot be, before the long work where it can be known."""
    require_places(job)
    tracks, clip, counters = job.tracks, job.clip, Counters()
    name = clip.meta.get("generator", "unknown") if clip else job.generator
    parts = parts_of(job, name)
    generator = generators.load(name, device)
    if job.rows > generator.num_ws:
        raise UserError(f"The codes of {name} have {generator.num_ws} style rows, {job.rows} were to be edited.")
    edit = edit_of(tracks, job.editor, generator, rows_of(name) if job.rows < 0 else job.rows)
    editor = VideoEditor(generator=generator, codes=job.inverted, device=device, **parts)
    footage = footage_of(job, clip, editor, counters)
    video = editor.edit(footage, edit, counters)
    count = write(job, video)
    if job.codes is not None:
        edited_clip(video, generator, job.codes.stem).save(job.codes)
    told = {"command": job.command, "title": video.title, "settings": video.settings, "told": video.told}
    named = {"clip": Path(job.video).stem, "method": job.method, "variant": video.text}
    stamp = runtime.provenance(torch.device(device), **told, stand_ins=list(video.stand_ins))
    records.write(job.record, ITEM, "", video.counters.rows(**named), stamp)
    far = [beyond(f"{job.editor}:{track.attribute}", track.largest, generators.category_of(name)) for track in tracks]
    return Done(video, count, (*filter(None, far), *remarks(video), f"every number: {job.record}"), job.output)


def require_places(job: Job) -> None:
    """Refuse outputs that cannot be written, or that would replace what the edit is made from or another's record."""
    read = [Path(path).absolute() for path in (job.video, job.footage, job.inverted) if path]
    for path in filter(None, (job.output, job.codes)):
        files.require_writable(path)
        if path.absolute() in read:
            raise UserError(f"{path} is what the edit is made from: name another file to write.")
    if job.frames is not None:
        files.require_writable(frame_path(job.frames, 0))
    records.require_place(job.record, ITEM)


def frame_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


def parts_of(job: Job, generator_name: str) -> dict:
    """What a video editor is made of, for the generator of that name."""
    chosen = {"mode": job.mode, "stride": job.stride} if job.method.startswith("dynode+") else {}
    kind = job.mask or ("landmarks" if generators.category_of(generator_name) == "face" else "whole")
    settings = changed(settings_for(generators.resolution_of(generator_name)), job.projection)
    parts = {"system": methods.load(job.method, **chosen), "paste": PasteSettings(job.paste)}
    return parts | {"mask": MaskSettings(kind), "projection": settings}


def footage_of(job: Job, clip: clips.Clip | None, editor: VideoEditor, counters: Counters) -> Footage:
    """The footage of a clip, or a video whose face is found and followed now."""
    if clip is not None:
        if (job.first, job.every, job.face) != (0, 1, "largest"):
            raise UserError(
                f"{job.video} is a clip, whose frames were chosen before: leave out --first, --every, --face."
            )
        found = footages.of_clip(clip, job.footage)
        return found.head(job.count) if job.count else found
    path = assets.fetch(job.video) if job.video in assets.registry()[1] else Path(job.video)
    with tqdm(desc="find faces", unit="frame", mininterval=1) as bar:
        found = editor.follow(path, counters, Stretch(job.first, job.count, job.every), face=job.face, progress=bar)
    warn(found.track, path)
    return found


def write(job: Job, video: EditedVideo) -> int:
    """Write the video, and its frames where they are asked for; returns their number."""
    with tqdm(desc="edit", unit="frame", mininterval=1) as bar:

        def also(time: float, frame: np.ndarray) -> None:
            bar.update()
            if job.frames is not None:
                with files.written_whole(frame_path(job.frames, bar.n - 1)) as scratch:
                    imsave(scratch, frame, check_contrast=False)

        return video.write(job.output, also)


def edited_clip(video: EditedVideo, generator, name: str) -> clips.Clip:
    """The edited codes as a clip of that name, which `dynode fit` takes as any other; it says that it is edited."""
    track, known = video.footage.track, video.footage.clip.meta if video.footage.clip else video.footage.told
    meta = {key: value for key, value in known.items() if key in ("source", "source_sha256", "stretch", "face")}
    meta |= {"name": name, "generator": generator.name, "generator_hash": generator.hash, "edited": video.text}
    optional = {key: torch.from_numpy(getattr(track, key)) for key in clips.OPTIONAL}
    return clips.Clip(video.edited, track.ts, observed=optional["detected"], meta=meta, **optional).halved()


def remarks(video: EditedVideo) -> list[str]:
    """What is not as it may seem: codes from before, frames without the face, how far dynamics drifted, no sound, stand-ins."""
    told, found = video.told, []
    if video.counters.steps_before:
        steps = video.counters.steps_before
        found.append(
            f"The codes came inverted; their settings tell of {steps} optimiser steps for {told['inverted']} frames."
        )
    if told["missing"]:
        found.append(f"The face was not found in {len(told['missing'])} frames: they are edited by interpolated codes.")
    drifts = [shot["drift"] for shot in told["shots"] if shot.get("drift", 0) > 1e-3]
    if drifts:
        found.append(f"At the end the edit is {100 * max(drifts):.0f} % of its length away from what it was at first.")
    if codec := audio.left_out(video.footage.path):
        found.append(f"The sound is left out: an .mp4 cannot hold {codec}.")
    return found + ([f"Stand-ins: {', '.join(video.stand_ins)}."] if video.stand_ins else [])
