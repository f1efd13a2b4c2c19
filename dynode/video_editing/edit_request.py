"""What is to be edited, how, and which files are written: the options of `dynode edit`, checked."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from dynode import clips, generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.generators import tuned
from dynode.inversion.frame_sources import source_video
from dynode.io import assets, inputs, outputs
from dynode.io.code_files import FOREIGN
from dynode.io.video import Stretch
from dynode.video_editing import inverted_codes
from dynode.video_editing.keyframes import EditTrack, parse_keyframes, require_different
from dynode.video_editing.registry import system_class, taken_by

ITEM = "edit"  # of its records
CHOSEN_BEFORE = {"first": 0, "frames": 0, "every": 1, "face": "largest"}  # of a clip; frames may still be fewer


@dataclass(frozen=True, repr=False)
class EditRequest:
    """What is edited, how, and where it goes; the fields are the options of `dynode edit`, whose help describes them.

    scale: of a method's own settings.  projection, dynamics, system: changed settings of the inversion, of the preset
    dynode, and of the method.
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
    scale: str = "embedded"
    paste: str = "seamless"
    mask: str = ""
    footage: str = ""
    first: int = 0
    frames: int = 0
    every: int = 1
    face: str = "largest"
    generator: str = "mobilestylegan-ffhq"
    tuning: str = ""
    save_frames: Path | None = None
    codes: Path | None = None
    side_by_side: bool = False
    projection: dict = field(default_factory=dict)
    dynamics: dict = field(default_factory=dict)
    system: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.stride < 1:
            raise UserError(f"The stride must be at least 1, got {self.stride}: every N-th frame is inverted.")
        Stretch(self.first, self.frames, self.every)
        if self.rows < -1:
            raise UserError(
                f"The number of edited rows is -1 (all but the fine ones), 0 (all) or more, got {self.rows}."
            )
        if Path(self.output).suffix != ".mp4":
            raise UserError(f"The edited video is an .mp4, got {self.output}.")

    def __repr__(self):
        return f"<EditRequest {self.source} -> {self.output}: {', '.join(self.attribute) or 'nothing'}, {self.method}>"

    @property
    def source(self) -> str:
        """What is edited, by name."""
        return self.video.name if isinstance(self.video, Clip) else str(self.video)

    @property
    def record(self) -> Path:
        return self.output.with_suffix(".json")

    @property
    def compared(self) -> Path:
        """The file of the source and the edit side by side."""
        return self.output.with_name(f"{self.output.stem}-side-by-side.mp4")

    @property
    def beside(self) -> str:
        """The file that is given, beside which a clip's footage may lie; "" for a clip in memory."""
        return "" if isinstance(self.video, Clip) else str(self.video)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the edit is made from, by name or path."""
        return tuple(filter(None, (self.beside, self.footage, self.generator, self.tuning, self.mask)))

    @property
    def tracks(self) -> list[EditTrack]:
        """The edits with their strengths over time.  Raises UserError for what is none."""
        tracks = [EditTrack.parsed(text) for text in self.attribute]
        require_different([track.attribute for track in tracks])
        factors = parse_keyframes(self.strength_over_time) if self.strength_over_time else ()
        return [track.scaled(factors) if factors else track for track in tracks]

    @property
    def clip(self) -> Clip | None:
        """The clip that is given or named instead of a video."""
        if isinstance(self.video, Clip):
            return self.video
        is_clip = self.source in clips.shipped_names() or Path(self.video).suffix in (".safetensors", *FOREIGN)
        return clips.load(self.video) if is_clip else None

    @property
    def command(self) -> str:
        """The command line of this edit, without what the outputs are called; "" for a clip in memory, which no command names."""
        if isinstance(self.video, Clip):
            return ""
        edits = [part for text in self.attribute for part in ("--attribute", text)]
        plain = [f for f in dataclasses.fields(self) if type(f.default) in (str, int)]
        chosen = {f.name.replace("_", "-"): value for f in plain if (value := getattr(self, f.name)) != f.default}
        options = [part for name, value in chosen.items() for part in (f"--{name}", str(value))]
        settings = self.projection | {f"dynamics.{name}": value for name, value in self.dynamics.items()}
        settings |= {f"system.{name}": value for name, value in self.system.items()}
        changes = [part for name, value in settings.items() for part in ("-p", f"{name}={value}")]
        return shlex.join(["dynode", "edit", self.source, *edits, *options, *changes])

    def require_outputs(self) -> None:
        """Refuse outputs that cannot be written, or that would replace what the edit is made from or another's record."""
        for path in (self.output, *([self.compared] if self.side_by_side else [])):
            outputs.require_output(path, *self.inputs, suffixes=outputs.VIDEO)
        if self.codes is not None:
            outputs.require_output(self.codes, *self.inputs, suffixes=outputs.CLIP)
        if self.save_frames is not None:
            outputs.require_pictures_folder(self.save_frames)
            outputs.require_output(frame_path(self.save_frames, 0), *self.inputs)
        records.require_record_path(self.record, ITEM)

    def require_of_clip(self, clip: Clip) -> None:
        """Refuse choices that have no effect on a clip, whose frames and codes are there already."""
        frames = () if is_keyframes(clip) else ("frames",)
        chosen = [name for name, usual in CHOSEN_BEFORE.items() if getattr(self, name) != usual and name not in frames]
        if chosen:
            options = ", ".join(f"--{name}" for name in chosen)
            raise UserError(f"{self.source} is a clip, whose frames were chosen before: leave out {options}.")
        made_by = clip.meta.get("generator", self.generator)
        if self.generator not in (made_by, type(self).generator):
            raise UserError(
                f"{self.source} is a clip of {made_by}, no other generator can edit it: leave out --generator."
            )
        if self.projection:
            options = ", ".join(f"-p {name}" for name in self.projection)
            raise UserError(f"{self.source} is a clip, whose codes were inverted before: leave out {options}.")

    def require_of_video(self) -> None:
        """Refuse a choice that has no effect on a video, and a cache that cannot keep its codes."""
        if self.footage:
            raise UserError(f"--footage names the video of a clip, and {self.source} is none: leave it out.")
        if tuned.is_tuning(self.generator):
            raise UserError(
                f"{self.generator} is a tuning: name it with --tuning, and the generator that it tunes with --generator."
            )
        if self.source not in assets.registry()[1]:
            inputs.require_file(self.source, "give a video, a clip, or the name of a shipped clip")
        outputs.require_output(inverted_codes.kept_folder() / "codes.safetensors")

    def of_keyframes(self, clip: Clip) -> "EditRequest":
        """The same edit of the video whose keyframes a clip holds, with the frames and the stride of those."""
        meta = clip.meta
        generators.require_same(meta["generator"], meta["generator_hash"], f"The clip {self.source}")
        stretch, video = Stretch(**meta["stretch"]), source_video(clip, self.footage, self.beside)
        if not taken_by(system_class(self.method), {"stride": 1}):
            raise UserError(
                f"{self.source} holds codes of one frame in {meta['stride']}, and {self.method} wants all: edit the video "
                f"{video} instead, or leave out --method."
            )
        chosen = {"first": stretch.first, "frames": stretch.count, "every": stretch.every, "stride": meta["stride"]}
        chosen |= {"face": meta.get("face", "largest"), "generator": meta["generator"]}
        return dataclasses.replace(self, video=video, footage="", **chosen)


def is_keyframes(clip: Clip) -> bool:
    """Whether a clip holds every N-th frame of a stretch of its video, as an edit keeps them, and not all of them.

    The stride of a protocol says which of all frames are observed.
    """
    return clip.meta.get("stride", 1) > 1 and "stretch" in clip.meta and "protocol" not in clip.meta


def frame_path(folder: Path, number: int) -> Path:
    """The file of a frame in a folder of frames."""
    return folder / f"{number:06d}.png"
