"""What all systems share: align, invert, edit, decode, paste.  Frames stream through; of all frames only codes are held."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from dynode import clips, generators
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.inversion.projection import ProjectionSettings
from dynode.io import images
from dynode.io.video import Stretch
from dynode.perception import alignment
from dynode.perception.face_detection import FaceDetector
from dynode.video_editing import footage as footages
from dynode.video_editing import inverted_codes as inverted
from dynode.video_editing import masks, paste
from dynode.video_editing.cost_counters import CountedCalls, CountedEditor, Counters, forget_peak
from dynode.video_editing.edited_video import EditedVideo, decoded, fitting
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.methods import EditedCodes, System
from dynode.video_editing.paste import PasteSettings, Patch

LANDMARKED = 256  # pixels a side of the crops in which landmarks are found


@dataclass(frozen=True)
class VideoEditor:
    """Edits videos by one system, with a loaded generator.

    resolution: a power of two at which crops are decoded; 0: the next that holds the face.
    projection: how frames are inverted that come without codes; None: the generator's own settings.
    codes: the file that keeps what is inverted here; a killed run goes on from what lies beside it.
    """

    system: System
    generator: object
    paste: PasteSettings = field(default_factory=PasteSettings)
    mask: MaskSettings = field(default_factory=MaskSettings)
    resolution: int = 0
    projection: ProjectionSettings | None = None
    codes: Path | None = None
    device: object = "cpu"

    def follow(self, path: Path | str, counters: Counters, stretch: Stretch | None = None, **named) -> Footage:
        """Find, steady and align the face of a video; of a generator of anything else, the middle of every frame.

        named: face, progress.  Raises what `tracking.track` and `tracking.middle` raise.
        """
        with counters.stage("align"):
            if generators.category_of(self.generator.name) != "face":
                return footages.of_middle(path, self.generator.name, stretch, progress=named.get("progress"))
            detector = CountedCalls(FaceDetector(self.device), counters, "detections")
            steady, squares = self.system.steadied(detector, counters), self.system.squares
            return footages.of_video(path, self.generator.name, stretch, detector=steady, squares=squares, **named)

    def edit(self, footage: Footage, edit: Edit, counters: Counters | None = None) -> EditedVideo:
        """Invert what the system wants of the footage, edit it, and know how to show it.

        Raises UserError for footage of another generator, and for codes to be inverted with no file named to keep them.
        """
        if footage.generator != self.generator.name:
            raise UserError(f"The codes are of {footage.generator}, the generator loaded is {self.generator.name}.")
        counters = counters or Counters()
        forget_peak()
        with counters.stage("invert"):
            clip = self.inverted(footage, counters)
        with counters.stage("edit"):
            parts = self.edited(clip, footage, edit.around(lambda editor: CountedEditor(editor, counters)), counters)
        ws, moved = (torch.cat([getattr(part, key) for part in parts]) for key in ("ws", "edited"))
        told = {"shots": [part.told for part in parts]} | self.told(footage, clip)
        show = functools.partial(self.shown, footage, moved, counters)
        settings, stand_ins = self.settings(edit), self.stand_ins(footage)
        return EditedVideo(footage, ws, moved, counters, settings, told, stand_ins, edit.text, show)

    def inverted(self, footage: Footage, counters: Counters) -> Clip:
        """The clip of the frames that the system wants, inverted before or now."""
        wanted = self.system.wanted(footage.track)
        counters.frames_inverted += int(wanted.sum())
        if footage.clip is not None:
            counters.steps_before += inverted.steps_of(footage.clip, wanted)
            return footage.clip.where(torch.from_numpy(wanted))
        if self.codes is None:
            raise UserError(f"{footage.path} comes without codes: name a file that keeps them once they are inverted.")
        stride = getattr(self.system, "stride", 1)
        return inverted.here(footage, wanted, self.codes, stride, self.projection, self.device, counters)

    def edited(self, clip: Clip, footage: Footage, edit: Edit, counters: Counters) -> list[EditedCodes]:
        """The system's codes of every shot, in order."""
        track, parts = footage.track, []
        ts, start = torch.from_numpy(track.ts), float(track.ts[0])
        for shot in np.unique(track.shots):
            at = torch.from_numpy(track.shots == shot)
            of_shot = clip if clip.shots is None else clip.where(clip.shots == int(shot))
            parts.append(self.system.edited(of_shot, ts[at], edit, start, counters))
        return parts

    def shown(self, footage: Footage, codes: torch.Tensor, counters: Counters) -> Iterator[np.ndarray]:
        """The followed frames, decoded and pasted, one at a time."""
        track = footage.track
        size = self.resolution or fitting(track.width, self.generator.resolution)
        with counters.stage("mask"):
            found = self.masks(footage, counters)
        crops = counters.timed("decode", decoded(counters.generator(self.generator), codes, size, track.width))
        patches = (Patch(*each) for each in zip(footage.pictures(), crops, track.quads, found, strict=True))
        for shot in np.unique(track.shots):
            part = islice(patches, int((track.shots == shot).sum()))
            for frame in counters.timed("paste", paste.stream(part, self.paste)):
                counters.pastes += self.paste.way != "none"
                yield frame

    def masks(self, footage: Footage, counters: Counters) -> np.ndarray:
        """The masks (T, M, M) of the followed frames."""
        track = footage.track
        if not self.mask.moves or self.paste.way == "none":
            return masks.constant(len(track), self.mask)
        find = CountedCalls(masks.region_finder(self.mask, self.landmarks(), self.device), counters, "segmentations")
        size = LANDMARKED if self.mask.kind == "landmarks" else masks.SEGMENTED
        cut_at = fitting(track.width, 1024)
        cut = (
            alignment.crop(images.from_uint8(f), q, cut_at)
            for f, q in zip(footage.pictures(), track.quads, strict=True)
        )
        crops = (images.resampled(crop[None], size)[0] for crop in cut)
        return masks.over_time(crops, find, track.shots, self.mask)

    def landmarks(self) -> Callable | None:
        """The network that finds 68 landmarks, where the mask wants them."""
        if self.mask.kind != "landmarks":
            return None
        from dynode.perception.face_api import Landmarks

        return Landmarks().to(self.device)

    def settings(self, edit: Edit) -> dict:
        """All that was chosen, for records."""
        system = {k: v for k, v in vars(self.system).items() if isinstance(v, str | int | float)}
        edits = [{"attribute": track.attribute, "keyframes": track.keyframes} for track in edit.tracks]
        told = {"system": system, "editor": edit.method, "edits": edits, "rows": edit.rows}
        return told | {"paste": dataclasses.asdict(self.paste), "mask": dataclasses.asdict(self.mask)}

    def stand_ins(self, footage: Footage) -> tuple[str, ...]:
        mask = (self.mask.name,) if self.mask.kind in masks.KINDS and self.paste.way != "none" else ()
        return (*(clips.stand_ins([footage.clip]) if footage.clip else ()), *mask)

    def told(self, footage: Footage, clip: Clip) -> dict:
        """Where the codes are from, and which followed frames do not show the face."""
        how = {"inverted": len(clip), "of": len(footage.track), "inverted_before": footage.clip is not None}
        how["projection"] = clip.meta.get("settings", {})
        return how | {"missing": np.flatnonzero(~footage.track.detected).tolist()}
