"""Commands for edited videos, and for what one of their methods learns."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, UseAppendAction, arg

from dynode.cli.options import (
    WHOLE,
    Device,
    Excerpt,
    OptionalPath,
    Output,
    Tuning,
    VideoName,
    output_path,
    print_numbers,
    require_different,
    stem,
)
from dynode.cli.parameters import Parameters, assignments, is_list_in, settings_with
from dynode.cli.windows import load_clip, named_footage

Attributes = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=STRENGTH")]


@dataclass(frozen=True)
class Propagation:
    """How an edit reaches all frames."""

    method: str = "dynode+latent-transformer"
    """latent-transformer, igci, rigid, stit, tcsve (every frame edited), or dynode+latent-transformer, dynode+tcsve (one)."""
    mode: str = "offset"
    """How dynamics propagate an edit: offset, flow or tangent."""
    stride: int = 4
    """Invert every N-th frame (of methods with dynode)."""
    scale: str = "embedded"
    """How much igci, stit and tcsve compute: embedded (minutes on a CPU) or published (on a GPU)."""


@dataclass(frozen=True)
class Pasting:
    """How edited crops are put back into the video."""

    paste: str = "seamless"
    """seamless, poisson (cloned before the soft edge), feather (the soft edge alone, colours as they are), or none: write the aligned crops."""
    mask: str = ""
    """What is replaced: landmarks, ellipse, whole, or a TorchScript file of a face parser; by default landmarks for faces, else whole."""
    footage: str = ""
    """The video of a clip file, where it lies neither beside the clip nor in the current folder and is no asset."""


@dataclass(frozen=True)
class Copies:
    """What is written beside the video."""

    save_frames: OptionalPath = None
    """A folder for every frame as PNG."""
    codes: OptionalPath = None
    """A file for the edited codes, as a clip."""
    side_by_side: bool = False
    """Also write OUTPUT-side-by-side.mp4: the source at the left, the edit at the right."""


@dataclass(frozen=True)
class Judges:
    """The networks that judge."""

    identity: tuple[str, ...] = ("mobilefacenet",)
    """Identity network(s): mobilefacenet, dlib."""
    no_face: bool = False
    """The video shows no face: leave identity out, content is mean colour."""
    i3d: str = ""
    """StyleGAN-V's I3D TorchScript file, for a real FVD; or name it in DYNODE_I3D."""


PROPAGATION, PASTING, COPIES, JUDGES = Propagation(), Pasting(), Copies(), Judges()


def edit(
    video: VideoName,
    output: Output = None,
    *,
    attribute: Attributes = (),
    editor: str = "latent-transformer",
    rows: int = -1,
    strength_over_time: str = "",
    generator: str = "mobilestylegan-ffhq",
    tuning: Tuning = "",
    p: Parameters = (),
    device: Device = "auto",
    propagation: OmitArgPrefixes[Propagation] = PROPAGATION,
    pasting: OmitArgPrefixes[Pasting] = PASTING,
    excerpt: OmitArgPrefixes[Excerpt] = WHOLE,
    copies: OmitArgPrefixes[Copies] = COPIES,
) -> None:
    """Edit a video: writes an .mp4 marked as edited, and a record of what it took.

    A shipped clip comes with codes: under a minute on 2 CPU cores.  Any other video is inverted first, about ten seconds
    a frame there; that can be stopped and resumed, and the codes, which are kept in the cache, serve all further edits of the
    same frames, whatever the output.  `dynode editors` lists what can be edited, with units and recommended strengths.

    Args:
        video: A video file, the name of a video asset or of a window of one such as pexels.2, a clip file or the name of a shipped clip, such as single_face.warm.
        output: The video to write, by default VIDEO-edited.mp4, with the source's frame times and sound; its record gets its name and .json.
        attribute: What to change and how far, such as smile=1.5, or smile=0:0,0.5:1.5 from 0 at 0 s to 1.5 at 0.5 s; repeatable.
        editor: How one code is edited: latent-transformer, interfacegan, styleclip, ganspace or flow.
        rows: Edit the first N style rows; 0: all; -1: all but the fine ones of faces (16 of 23), which hold colours and texture.
        strength_over_time: SECONDS:FACTOR,... multiplies every strength, such as 0:0,1:1.
        generator: A shipped generator or a file of weights, such as a published StyleGAN2's .pkl or .pt, for a video.
        p: Change a setting of the projection (steps=80), the dynamics (dynamics.field.depth=4), the method (system.tuning.passes=20).
    """
    from dynode import clips, runtime
    from dynode.io import outputs
    from dynode.video_editing import edit_file

    named, excerpt = named_footage(video, excerpt, clips.shipped_names())
    changes = dict(zip(("projection", "dynamics", "system"), edit_settings(p, propagation.method), strict=True))
    groups = vars(propagation) | vars(pasting) | vars(excerpt) | vars(copies)
    chosen = {"attribute": attribute, "editor": editor, "rows": rows, "strength_over_time": strength_over_time}
    target = output or Path(f"{stem(video)}-edited.mp4")
    outputs.require_suffix(target, outputs.VIDEO)
    request = edit_file.EditRequest(named, target, **chosen, **groups, **changes, generator=generator, tuning=tuning)
    print(edit_file.run(request, runtime.device(device)).text)


def edit_settings(p: tuple[str, ...], method: str = PROPAGATION.method) -> tuple[dict, dict, dict]:
    """-p of an edit as changes of the projection, of the dynamics, and of the method: "dynamics." or "system." before a name.

    Raises UserError for a name that none of them has, with the nearest.
    """
    from dynode.dynamics.presets import preset
    from dynode.inversion.projection_settings import ProjectionSettings
    from dynode.settings import changed, choose, field_names
    from dynode.video_editing.registry import scaled, system_class

    groups = {"dynamics.": preset("dynode"), "system.": scaled(system_class(method), "embedded")}
    known = {prefix: settings for prefix, settings in groups.items() if settings is not None}
    legal = [*field_names(ProjectionSettings())]
    legal += [prefix + name for prefix, settings in known.items() for name in field_names(settings)]

    def prefix_of(name: str) -> str:
        return next((prefix for prefix in groups if name.startswith(prefix)), "")

    def is_list(name: str) -> bool:
        prefix = prefix_of(name)
        return prefix in known and is_list_in(known[prefix])(name.removeprefix(prefix))

    values = assignments(p, is_list)
    for name in values:
        if prefix_of(name) != "system.":  # a method without settings of its own refuses these with its name
            choose("setting of an edit", ".".join(name.split(".")[: 2 if prefix_of(name) else 1]), legal)
    parts = [
        {name.removeprefix(prefix): value for name, value in values.items() if prefix_of(name) == prefix}
        for prefix in ("", *groups)
    ]
    for prefix, changes in zip(groups, parts[1:], strict=True):
        if prefix in known:
            changed(known[prefix], changes)  # a wrong name or value is an error now, not after the inversion
    return parts[0], parts[1], parts[2]


def evaluate_edit(
    source: Positional[str],
    edited: Positional[str],
    output: Output = None,
    *,
    frames: int = 0,
    clip: str = "",
    p: Parameters = (),
    device: Device = "auto",
    judges: OmitArgPrefixes[Judges] = JUDGES,
) -> None:
    """Judge an edited video beside its source: identity, content, motion, warping, Fréchet distance; prints a table.

    Args:
        source: The source video, or the name of one of the assets.
        edited: The edited video: all or some of the source's frames, at their times and of the same size.
        output: Also write every number as a record (.json).
        frames: Compare the first N frames of the edited video, each with the source's of its time; 0: all.
        clip: A clip of the source, whose frames and alignment are those of both videos; by default faces are detected in each frame.
        p: Change a setting, such as clip_len=10, flow_size=192 or missing=raise.
    """
    from dynode import runtime
    from dynode.evaluation import edited_videos, matched_frames, records
    from dynode.perception import video_features
    from dynode.reporting import tables

    if output is not None:
        records.require_record_path(output_path(output, "", source, edited, clip), "evaluate-edit")
    chosen, settings = runtime.device(device), settings_with(edited_videos.VideoEvaluatorSettings(), p)
    pair = matched_frames.read_pair(source, edited, frames, clip)
    features = video_features.load(path=judges.i3d, device=chosen)
    judge = edited_videos.VideoEvaluator(settings, () if judges.no_face else judges.identity, features, chosen)
    category = "" if judges.no_face else "face"
    named = {"clip": Path(source).stem, "method": Path(edited).stem, "category": category}
    rows, warnings = edited_videos.edit_rows(
        *(judge.features_of(film, quads=pair.quads) for film in (pair.source, pair.edited)), **named
    )
    stand_ins = list(edited_videos.stand_ins(judge))
    notes = (*warnings, *(f"Stand-in: {name}." for name in stand_ins))
    print(tables.edit_measures_table(rows, notes).text(), end="")
    if output is not None:
        known = {"warnings": list(warnings), "stand_ins": stand_ins}
        stamp = runtime.provenance(chosen, command=shlex.join(["dynode", "evaluate-edit", source, edited]), **known)
        print(f"every number: {records.write(output, 'evaluate-edit', '', rows, stamp)}")


def train_rigid(
    clips: Positional[tuple[str, ...]],
    output: Output = None,
    *,
    footage: str = "",
    p: Parameters = (),
    minutes: float = float("inf"),
    device: Device = "auto",
) -> None:
    """Train RIGID's recurrent encoder on the footage of clips (a re-implementation); `dynode edit --method rigid` reads it.

    Args:
        clips: Clip files or names of shipped clips, such as single_face.1, all of one generator.
        output: The weights to write, by default GENERATOR.rigid.safetensors, where an edit looks for them; a killed run resumes from the checkpoint beside them.
        footage: The video of the clips, where it is neither in the current folder nor an asset.
        p: Change a setting, such as windows=4000, window=5, editor=flow or encoder.hidden=128.
        minutes: Stop training after that long; the same command resumes.
    """
    from dynode import runtime
    from dynode.inversion.joint import recurrent_files
    from dynode.training.rigid import train_rigid as make
    from dynode.training.rigid.rigid_settings import EMBEDDED

    require_different("clip", clips)
    loaded, settings = [load_clip(clip) for clip in clips], settings_with(EMBEDDED, p)
    output = output_path(output, recurrent_files.file_name(make.generator_of(loaded)), *clips, footage)
    choices = {"footage": footage, "minutes": minutes, "progress": runtime.bars(), "say": print}
    card = make.train_rigid(loaded, output, settings, device=runtime.device(device), **choices)
    print(f"{output}: {card['windows_shown']} of {card['of']} windows in {card['hours']:.2f} hours; {card['method']}")
    print_numbers({f"last {name}": value for name, value in card["curve"][-1].items() if name != "windows"}, digits=4)
