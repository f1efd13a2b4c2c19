"""What all systems share: align, invert, edit, decode, paste.  Frames stream through; of all frames only codes are held.

`plan` makes codes of footage and an edit, `render` makes frames of footage and codes, `write` makes a file.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from dynode import clips, generators
from dynode.clips import Clip
from dynode.editing.editors import stand_ins_of
from dynode.errors import UserError
from dynode.evaluation.inversion_quality import InversionQuality, inversion_quality
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.inversion.observer import NoObserver, ObservedCalls, Observer, observed_generator, timed
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.io import images
from dynode.io.video import Stretch
from dynode.perception import alignment
from dynode.perception.face_detection import FaceDetector
from dynode.video_editing import footage as footages
from dynode.video_editing import masks, paste
from dynode.video_editing.decoding import decoded_crops, decoding_size
from dynode.video_editing.edited_codes import EditedCodes, EditedShot
from dynode.video_editing.edited_video import RenderedFrames, write_edited
from dynode.video_editing.footage import Footage
from dynode.video_editing.inverted_codes import inverted_clip, keyframe_codes
from dynode.video_editing.keyframes import Edit
from dynode.video_editing.masks import MaskSettings, RegionFinder
from dynode.video_editing.own_codes import EditsFrames, OwnCodes, shot_frames
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.patches import Patch, masked
from dynode.video_editing.registry import System
from dynode.video_editing.systems import shots as tuned_shots
from dynode.video_editing.systems.scene import Scene
from dynode.video_editing.systems.tuning_system import TuningSystem, print_estimate

UNOBSERVED = NoObserver()


@dataclass(frozen=True, repr=False)
class VideoEditor:
    """Edits videos by one system, with a loaded generator.

    resolution: a power of two at which crops are decoded; 0: the next that holds the face.
    projection: how frames are inverted that come without codes; None: the generator's own settings.
    codes: the folder that keeps what is inverted here, for all edits of a video; a killed run resumes from it.
    """

    system: System
    generator: Generator
    paste: PasteSettings = field(default_factory=PasteSettings)
    mask: MaskSettings = field(default_factory=MaskSettings)
    resolution: int = 0
    projection: ProjectionSettings | None = None
    codes: Path | None = None
    device: torch.device | str = "cpu"

    def __repr__(self):
        return f"<VideoEditor {self.system.name} for {self.generator.name}, {self.mask.kind} pasted {self.paste.mode}>"

    def follow(
        self, path: Path | str, stretch: Stretch | None = None, observer: Observer = UNOBSERVED, **choices
    ) -> Footage:
        """Find, steady and align the face of a video; of a generator of anything else, the centre of every frame.

        choices: face, progress.  Raises what `face_tracking.track_face` and `track_centre` raise.
        """
        with observer.stage("align"):
            if generators.category_of(self.generator.name) != "face":
                return footages.from_centre(path, self.generator.name, stretch, progress=choices.get("progress"))
            detector = ObservedCalls(FaceDetector(self.device), observer, "detections")
            parts = {"detector": self.system.steadied(detector, observer), "squares": self.system.squares}
            return footages.from_video(path, self.generator.name, stretch, **parts, **choices)

    def plan(self, footage: Footage, edit: Edit, observer: Observer = UNOBSERVED) -> EditedCodes:
        """Invert what the system wants of the footage and edit it: codes of all followed frames.

        Raises UserError for footage of another generator, and for codes to be inverted with no folder named to keep them.
        """
        if footage.generator != self.generator.name:
            raise UserError(f"The codes are of {footage.generator}, the generator loaded is {self.generator.name}.")
        if isinstance(self.system, TuningSystem):
            wanted, inverts = self.system.wanted(footage.track), footage.clip is None and footage.keyframes is None
            size, frames = min(self.system.resolution, self.generator.resolution), (int(wanted.sum()), len(wanted))
            print_estimate(self.system, frames, size, self.device, inverts, self.codes is not None)
        with observer.stage("invert"):
            clip, quality, kept = self.inverted(footage, observer)
        with observer.stage("edit"):
            shots = tuple(self.edited_shots(clip, footage, edit.observed_by(observer), observer))
        return EditedCodes(
            shots=shots,
            text=edit.text,
            inverted=len(clip),
            inverted_before=footage.clip is not None and not isinstance(self.system, OwnCodes),
            quality=quality.at(clip.ts.tolist()),
            kept=str(kept or ""),
            projection=clip.meta.get("settings", {}),
            missing=tuple(np.flatnonzero(~footage.track.detected).tolist()),
        )

    def render(self, footage: Footage, codes: EditedCodes, observer: Observer = UNOBSERVED) -> RenderedFrames:
        """(number, frame uint8 (H, W, 3)) of the followed frames, decoded and pasted, one at a time.

        Where crops are not pasted the frames are the crops (S, S, 3).
        """
        number = 0
        for patches in self.rendered(footage, codes, observer):
            for frame in timed(observer, "paste", paste.stream(patches, self.paste)):
                observer.count("pastes", int(self.pastes))
                yield number, frame
                number += 1

    def rendered(self, footage: Footage, codes: EditedCodes, observer: Observer) -> Iterator[Iterator[Patch]]:
        """The patches of every shot, in order, decoded by the generator, or stitched by a system that tunes it."""
        if isinstance(self.system, TuningSystem):
            scenes = self.scenes(self.system, footage, observer)
            yield from tuned_shots.stitched_patches(self.system, scenes, footage, codes.shots, observer)
            return
        track = footage.track
        size = self.resolution or decoding_size(track.width, self.generator.resolution)
        generator = observed_generator(self.generator, observer)
        crops = timed(observer, "decode", decoded_crops(generator, codes.edited, size, track.width))
        yield from self.patches(footage, crops, observer)

    def scenes(self, system: TuningSystem, footage: Footage, observer: Observer) -> Iterator[Scene]:
        """Every shot as a system sees it that tunes the generator, in order; what it finishes is kept beside the codes."""
        folder = None if self.codes is None else self.codes / "systems"
        find = self.regions(observer) if self.mask.varies else None
        yield from tuned_shots.scenes_of(footage, system, self.generator, find, self.mask, folder, observer)

    def patches(
        self, footage: Footage, crops: Iterable[torch.Tensor], observer: Observer = UNOBSERVED
    ) -> Iterator[Iterator[Patch]]:
        """The patches of every shot, in order, for crops (3, S, S) of the followed frames; each shot is to be used up."""
        track, find = footage.track, self.region_finder(observer)
        frames = zip(footage.pictures(), crops, track.quads, strict=True)
        for shot in np.unique(track.shots):
            of_shot = islice(frames, int((track.shots == shot).sum()))
            yield timed(observer, "mask", masked(of_shot, find, self.mask))

    def write(
        self,
        path: Path | str,
        footage: Footage,
        codes: EditedCodes,
        observer: Observer = UNOBSERVED,
        each: Callable[[int, np.ndarray], None] | None = None,
    ) -> int:
        """Render into an .mp4, as `edited_video.write_edited` does; returns the number of frames."""
        with closing(self.render(footage, codes, observer)) as rendered:
            return write_edited(path, footage, rendered, title=self.title(codes), pasted=self.pastes, each=each)

    def source_crops(self, footage: Footage) -> Iterator[np.ndarray]:
        """The aligned crops of the footage, uint8 (S, S, 3), beside which unpasted crops can be seen."""
        size = self.resolution or decoding_size(footage.track.width, self.generator.resolution)
        for frame, quad in zip(footage.pictures(), footage.track.quads, strict=True):
            crop = alignment.crop(images.from_uint8(frame), quad, size)[None]
            yield images.to_uint8(images.area_resize(crop, min(size, round(footage.track.width))))[0]

    @property
    def pastes(self) -> bool:
        """Whether crops go back into their frames."""
        return self.paste.mode != "none"

    def inverted(self, footage: Footage, observer: Observer) -> tuple[Clip, InversionQuality, Path | None]:
        """The clip of the frames that the system wants, inverted before or now; its quality; the file that keeps it."""
        wanted = self.system.wanted(footage.track)
        observer.count("frames_inverted", int(wanted.sum()))
        if isinstance(self.system, OwnCodes):
            parts = self.required_folder(footage), self.generator, self.device, observer
            clip, kept = self.system.own_codes(footage, wanted, *parts)
            return clip, inversion_quality(clip), kept
        if footage.clip is not None:
            clip = footage.clip.where(torch.from_numpy(wanted))
            observer.count("steps_before", clip.optimiser_steps)
            return clip, footage.quality, None
        if footage.keyframes is not None:
            return keyframe_codes(footage, footage.keyframes, wanted, observer), footage.quality, None
        choices = self.system.stride, self.projection, self.generator, self.device, observer
        clip, kept = inverted_clip(footage, wanted, self.required_folder(footage), *choices)
        return clip, inversion_quality(Clip.load(kept)), kept

    def required_folder(self, footage: Footage) -> Path:
        """The folder that keeps what is inverted here.  Raises UserError where none was named."""
        if self.codes is None:
            raise UserError(f"{footage.path} has no codes yet: name a folder that keeps them once they are inverted.")
        return self.codes

    def edited_shots(self, clip: Clip, footage: Footage, edit: Edit, observer: Observer) -> Iterator[EditedShot]:
        """The system's codes of every shot, in order."""
        ts, shots = torch.from_numpy(footage.track.ts), torch.from_numpy(footage.track.shots)
        parts = [(clip if clip.shots is None else clip.where(clip.shots == k), ts[shots == k]) for k in shots.unique()]
        if isinstance(self.system, TuningSystem):
            scenes = self.scenes(self.system, footage, observer)
            for scene, part in zip(scenes, parts, strict=True):
                yield self.system.tuned_shot(scene, *part, edit, float(ts[0]), observer)
            return
        for k, part in zip(shots.unique(), parts, strict=True):
            if isinstance(self.system, EditsFrames):
                frames = shot_frames(footage, (shots == k).numpy(), self.generator, self.device)
                yield self.system.edit_frames(part[0], frames, edit, float(ts[0]), observer)
            else:
                yield self.system.edit_shot(*part, edit, float(ts[0]), observer)

    def region_finder(self, observer: Observer = UNOBSERVED) -> RegionFinder | None:
        """What finds the face in a crop, where the mask depends on it."""
        if not self.mask.varies or not self.pastes:
            return None
        return self.regions(observer)

    def regions(self, observer: Observer) -> RegionFinder:
        """What finds the face in a crop, each use counted."""
        return ObservedCalls(masks.region_finder(self.mask, self.landmarks(), self.device), observer, "segmentations")

    def landmarks(self) -> Callable | None:
        """The network that finds 68 landmarks, where the mask wants them."""
        if self.mask.kind != "landmarks":
            return None
        from dynode.perception.face_api import Landmarks

        return Landmarks().to(self.device)

    def title(self, codes: EditedCodes) -> str:
        """What a video of edited codes says of itself in its metadata, its generator's tuning too."""
        return ", ".join(filter(None, (codes.title, tuned.title_of(self.generator))))

    def settings(self, edit: Edit) -> dict:
        """All that was chosen, for records."""
        edits = [{"attribute": track.attribute, "keyframes": track.keyframes} for track in edit.tracks]
        return {
            "system": self.system.settings,
            "editor": edit.method,
            "edits": edits,
            "rows": edit.rows,
            "paste": {"way": self.paste.mode, "sigma": self.paste.sigma},
            "mask": dataclasses.asdict(self.mask),
        }

    def stand_ins(self, footage: Footage, edit: Edit | None = None) -> tuple[str, ...]:
        """Every part that is not the real one: of the codes, the mask, and the editors with their teachers."""
        tunes = isinstance(self.system, TuningSystem)
        mask = (self.mask.name,) if self.mask.kind in masks.KINDS and (self.pastes or tunes) else ()
        parts = getattr(self.system, "stand_ins", ())
        editors = [name for editor in (edit.editors if edit else ()) for name in stand_ins_of(editor)]
        of_footage = clips.stand_ins([footage.clip]) if footage.clip else ()
        return tuple(dict.fromkeys((*of_footage, *parts, *mask, *editors)))
