"""One edit of one video from names to files: what `dynode edit` and `dynode.edit` do."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.io import imsave
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.border import kinds_of, of_kind, public
from dynode.clips import Clip
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.counts import counted
from dynode.evaluation.inversion_quality import inversion_quality
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.generators.registry import of_clip
from dynode.inversion.invert_frames import print_warnings, usual_settings
from dynode.inversion.observer import Observer
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.io import assets, files, outputs
from dynode.io.video import Stretch
from dynode.settings import changed, choose
from dynode.video_editing import footage as footages
from dynode.video_editing import inverted_codes, masks
from dynode.video_editing.cost_counters import Counters, reset_peak_memory
from dynode.video_editing.edit_request import ITEM, EditRequest, frame_path, is_keyframes
from dynode.video_editing.edit_result import EditResult, range_warnings, remarks, stride_remark
from dynode.video_editing.edited_codes import EditedCodes
from dynode.video_editing.edited_video import write_side_by_side
from dynode.video_editing.footage import Footage
from dynode.video_editing.keyframes import edit_of
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.own_codes import OwnCodes
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.per_frame import rows_of
from dynode.video_editing.registry import System, scaled, system_class, taken_by
from dynode.video_editing.systems.tuning_system import TuningSystem
from dynode.video_editing.video_editor import VideoEditor


@public
def edit(
    source: str | Path | Clip,
    edits: Mapping[str, float | str] | Iterable[str],
    output: str | Path,
    *,
    device: torch.device | str = "auto",
    **choices,
) -> EditResult:
    """Edit a video and write it, as `dynode edit` does: an .mp4 that says it is edited, and a record beside it.

        edit("single_face.1", {"smile": 2.0}, "smile.mp4")
        edit("talk.mp4", ["smile=0:0,1:1.5"], "smile.mp4", stride=8, dynamics={"field.depth": 4})

    source: a clip, the name of a shipped one, or a clip file; or a video, by path or by the name of an asset.
    edits: attribute -> strength in the editor's unit, or texts as on the command line.
    choices: the other fields of `EditRequest`.  Raises UserError for everything that cannot be done.
    """
    texts = [f"{name}={strength}" for name, strength in edits.items()] if isinstance(edits, Mapping) else edits
    legal = [f.name for f in dataclasses.fields(EditRequest) if f.name not in ("video", "output", "attribute")]
    for name in choices:
        choose("choice of an edit", name, legal)
        choices[name] = of_kind(choices[name], kinds_of(EditRequest)[name], name)
    attributes = (texts,) if isinstance(texts, str) else tuple(texts)
    return run(EditRequest(source, Path(output), attributes, **choices), runtime.device(str(device)))


def run(request: EditRequest, device: torch.device | str) -> EditResult:
    """Plan, render and write.  Raises UserError for everything that cannot be, before the long work where it can be known."""
    request.require_outputs()
    tracks, clip, counters, original = request.tracks, request.clip, Counters(), request
    if clip is None:
        request.require_of_video()
    else:
        request.require_of_clip(clip)
        request = request.of_keyframes(clip) if is_keyframes(clip) else request
    name = clip.meta.get("generator", "unknown") if clip else request.generator
    parts = parts_of(request, name)
    if parts["mask"].kind not in masks.KINDS:
        masks.face_parser(parts["mask"].kind)  # a file that is none is noticed before the inversion
    coded = meta_of(clip, name), f"The {'clip' if clip else 'video'} {request.source}", request.tuning
    generator, tuning = of_clip(*coded, device), tuned.marked(tuned.of_clip(*coded))
    if request.rows > generator.num_ws:
        raise UserError(f"The codes of {name} have {generator.num_ws} style rows, {request.rows} were to be edited.")
    edit = edit_of(tracks, request.editor, generator, rows_of(name) if request.rows < 0 else request.rows)
    editor = VideoEditor(generator=generator, codes=inverted_codes.kept_folder(), device=device, **parts)
    footage = footage_of(request, clip, editor, counters)
    if remark := stride_remark(footage, editor.system):
        print(remark)
    reset_peak_memory()
    codes = editor.plan(footage, edit, counters)
    count = write(request, editor, footage, codes, counters)
    if request.codes is not None:
        edited_clip(footage, codes, generator, request.codes.stem, tuning).save(request.codes)
    settings, stand_ins = editor.settings(edit) | tuning, editor.stand_ins(footage, edit)
    notes = (*range_warnings(request.editor, edit, name), *remarks(footage, codes, counters, stand_ins, bool(tuning)))
    notes += (f"side by side with the source: {request.compared}",) * request.side_by_side
    notes += (f"every number: {request.record}",)
    result = EditResult(request.output, codes, counters, count, settings, stand_ins, notes)
    record(original, result, device)
    return result


def meta_of(clip: Clip | None, generator_name: str) -> dict:
    """The metadata of a clip, or those of the codes that are to be made of a video."""
    return clip.meta if clip else {"generator": generator_name, "generator_hash": generators.hash_of(generator_name)}


def record(request: EditRequest, result: EditResult, device: torch.device | str) -> None:
    """Write every number of an edit, and what it was made with."""
    codes, stand_ins = result.codes, list(result.stand_ins)
    metadata = {"title": codes.title, "settings": result.settings, "told": codes.metadata, "stand_ins": stand_ins}
    if codes.quality:
        metadata["inversion"] = {"ts": codes.quality.ts, **codes.quality.values}
    named = {"clip": Path(request.source).stem, "method": request.method, "variant": codes.text}
    provenance = runtime.provenance(torch.device(device), command=request.command, **metadata)
    records.write(request.record, ITEM, "", result.counters.rows(**named), provenance)


def parts_of(request: EditRequest, generator_name: str) -> dict:
    """What a video editor is made of, for the generator of that name."""
    is_face = generators.category_of(generator_name) == "face"
    system = system_of(request)
    stitches = isinstance(system, TuningSystem)  # so there are no colours left to match
    projection = pivot_settings(generator_name, request.scale) if stitches else usual_settings("", generator_name)
    return {
        "system": system,
        "paste": PasteSettings("feather" if stitches and request.paste == "seamless" else request.paste),
        "mask": MaskSettings(request.mask or ("landmarks" if is_face else "whole")),
        "projection": changed(projection, request.projection),
    }


def pivot_settings(generator_name: str, scale: str) -> ProjectionSettings:
    """How pivots are made: each frame by itself, from the generator's encoder where it has one.

    The published scale keeps an encoder's codes as they are; the embedded one, whose tuning is short, takes the few steps of
    the protocol `independent` from there.
    """
    settings = usual_settings("independent", generator_name)
    alone = scale == "published" and settings.encoded
    return dataclasses.replace(settings, first_steps=0, conjugate_steps=0) if alone else settings


def system_of(request: EditRequest) -> System:
    """The system, with those of the request's settings that it takes.  Raises UserError for settings where it has none."""
    make = system_class(request.method)
    settings: dict[str, Any] = {"mode": request.mode, "stride": request.stride, "scale": request.scale}
    if request.dynamics:
        settings["method"] = changed(preset("dynode"), request.dynamics)
    if own := scaled(make, request.scale):
        settings["chosen"] = changed(own, request.system)
    taken = taken_by(make, settings)
    if request.dynamics and "method" not in taken:
        raise UserError(f"{request.method} fits no dynamics: leave out {', '.join(request.dynamics)}.")
    if request.system and "chosen" not in taken:
        raise UserError(f"{request.method} has no settings of its own: leave out {', '.join(request.system)}.")
    for name in ("mode", "stride", *(("scale",) * ("chosen" not in taken))):
        if name not in taken and settings[name] != getattr(EditRequest, name):
            raise UserError(f"{request.method} has no {name}: leave out --{name}, or choose another --method.")
    system = make(**taken)
    if request.projection and isinstance(system, OwnCodes):
        options = ", ".join(f"-p {name}" for name in request.projection)
        raise UserError(
            f"{request.method} inverts by itself, got {options}: its own settings are -p system.NAME=VALUE."
        )
    return system


def footage_of(request: EditRequest, clip: Clip | None, editor: VideoEditor, observer: Observer) -> Footage:
    """The footage of a clip, or a video whose face is found and followed now, with a clip's codes of its keyframes."""
    if clip is not None and not is_keyframes(clip):
        footage = footages.from_clip(clip, request.footage, request.beside)
        return footage.head(request.frames) if request.frames else footage
    path = assets.fetch(request.source) if request.source in assets.registry()[1] else Path(request.source)
    stretch = Stretch(request.first, request.frames, request.every)
    with tqdm(desc="find faces", unit="frame", mininterval=1, delay=0.1) as bar:
        footage = editor.follow(path, stretch, observer, face=request.face, progress=bar)
    if generators.category_of(footage.generator) == "face":
        print_warnings(footage.track, path)
    return footage if clip is None else dataclasses.replace(footage, keyframes=clip, quality=inversion_quality(clip))


def write(request: EditRequest, editor: VideoEditor, footage: Footage, codes: EditedCodes, observer: Observer) -> int:
    """Write the video, and its frames and a comparison where they are wanted; returns the number of frames."""
    with tqdm(desc="edit", unit="frame", mininterval=1, delay=0.1) as bar:

        def each(number: int, frame: np.ndarray) -> None:
            bar.update()
            if request.save_frames is not None:
                with files.written_whole(frame_path(request.save_frames, number)) as scratch:
                    imsave(scratch, frame, check_contrast=False)

        count = editor.write(request.output, footage, codes, observer, each)
    if request.save_frames is not None and (later := outputs.later_pictures(request.save_frames, count)):
        after = f"in {request.save_frames} come{'s' * (later == 1)} after {'this' if count == 1 else 'these'} {counted(count, 'frame')}"
        print(f"{counted(later, 'picture')} {after}: of a longer video.")
    if request.side_by_side:
        sources = footage.source_frames() if editor.pastes else editor.source_crops(footage)
        start = footage.first_time if editor.pastes else float(footage.track.ts[0])
        write_side_by_side(request.compared, request.output, sources, footage, start=start, title=editor.title(codes))
    return count


def edited_clip(footage: Footage, codes: EditedCodes, generator: Generator, name: str, tuning: dict) -> Clip:
    """The edited codes as a clip of that name, which `dynode fit` takes as any other; its metadata say that it is edited.

    tuning: more metadata, by which a tuned generator was named.
    """
    track, known = footage.track, footage.clip.meta if footage.clip else footage.metadata
    meta = {key: value for key, value in known.items() if key in ("source", "source_sha256", "stretch", "face")}
    meta |= {
        "name": name,
        "generator": generator.name,
        "generator_hash": generator.hash,
        "edited": codes.text,
        **tuning,
    }
    optional = {key: torch.from_numpy(getattr(track, key)) for key in clips.OPTIONAL}
    ts = torch.from_numpy(track.ts)
    return Clip(codes.edited, ts, observed=optional["detected"], meta=meta, **optional).halved()
