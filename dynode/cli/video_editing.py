"""Commands for edited videos."""

import shlex
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from dynode.cli.parameters import Output, Parameters, assignments

Attributes = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=STRENGTH")]


def edit(
    video: Positional[str],
    output: Output = Path("edited.mp4"),
    *,
    attribute: Attributes = (),
    method: str = "dynode+latent-transformer",
    editor: str = "latent-transformer",
    rows: int = -1,
    mode: str = "offset",
    stride: int = 4,
    strength_over_time: str = "",
    paste: str = "seamless",
    mask: str = "",
    footage: str = "",
    first: int = 0,
    count: int = 0,
    every: int = 1,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
    frames: Path | None = None,
    codes: Path | None = None,
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Edit a video: writes an .mp4 that says it is edited, a record of what it took, and the codes it inverted.

    A shipped clip comes with codes: under a minute on 2 CPU cores.  Any other video is inverted first, minutes a frame there; that can
    be stopped and resumed, and the codes serve all further edits.

    Args:
        video: A video file, the name of a video asset, a clip file or the name of a shipped clip, such as single_face.warm.
        output: The video to write, with the footage's own frame times and sound; its record gets its name and .json.
        attribute: What to change and how far, such as smile=1.5, or smile=0:0,0.5:1.5 from 0 at 0 s to 1.5 at 0.5 s; may be repeated.
        method: dynode+latent-transformer (some frames inverted, one edited, dynamics carry it on) or latent-transformer (every frame).
        editor: How one code is edited: latent-transformer, interfacegan, styleclip, ganspace or flow.
        rows: Edit the first so many style rows, 0 all, -1 all but the fine ones of faces (16 of 23): those hold colours and texture.
        mode: How dynamics carry an edit: offset, flow or tangent.
        stride: One frame in so many is inverted, of dynode+latent-transformer.
        strength_over_time: SECONDS:SHARE,... multiplies every strength, such as 0:0,1:1.
        paste: seamless, mixed, feather, smooth (no flicker), or none: write the aligned crops.
        mask: What is replaced: landmarks, ellipse, whole, or a TorchScript file of a face parser; by itself landmarks, whole where no face is meant.
        footage: The video of a clip file, where it is none of the assets.
        first: The first frame to take of a video; a clip has frames of its own.
        count: How many frames to take of a video or a clip, 0 for all.
        every: Take only every so many frames of a video.
        face: largest, or a number counted from the left (0 first).
        generator: A shipped generator or a file of weights, for a video.
        frames: Also write every frame as PNG into this folder.
        codes: Also write the edited codes, as a clip.
        p: Change a projection setting, such as steps=80, for a video.
        device: auto, cpu, cuda or cuda:N.
    """
    asked = locals()
    from dynode import runtime
    from dynode.video_editing import edit_file

    place, projection = runtime.device(asked.pop("device")), assignments(asked.pop("p"))
    print(edit_file.run(edit_file.Job(**asked, projection=projection), place).text)


def evaluate_edit(
    source: Positional[str],
    edited: Positional[str],
    output: Annotated[Path | None, arg(aliases=["-o"])] = None,
    *,
    frames: int = 0,
    clip: str = "",
    identity: tuple[str, ...] = ("mobilefacenet",),
    no_face: bool = False,
    i3d: str = "",
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Judge an edited video beside its source: identity, content, motion, warping, distance of clips; prints a table.

    Args:
        source: The source video, or the name of one of the assets.
        edited: The edited video: the same frames, at the same size.
        output: Also write every number as a record (.json).
        frames: Look at the first so many frames; 0: at all of them.
        clip: A clip of the source, whose alignment is used for both videos; without one faces are found anew in each frame.
        identity: Who tells identity: mobilefacenet, dlib, or both.
        no_face: The video shows no face: leave identity out, content is mean colour.
        i3d: StyleGAN-V's I3D TorchScript file, for a real FVD; DYNODE_I3D names it too.
        p: Change a setting, such as clip_len=10, flow_size=192 or missing=raise.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.evaluation import edited_videos, records
    from dynode.perception import video_features
    from dynode.reporting import tables
    from dynode.settings import changed

    if output is not None:
        records.require_place(output, "evaluate-edit")
    place, settings = runtime.device(device), changed(edited_videos.JudgeSettings(), assignments(p))
    *pair, quads = edited_videos.read_pair(source, edited, frames, clip)
    identities = () if no_face else identity
    judge = edited_videos.Judge(settings, identities, video_features.load(path=i3d, device=place), place)
    watched = [judge.watch(video, quads=quads) for video in pair]
    named = {"clip": Path(source).stem, "method": Path(edited).stem, "category": "" if no_face else "face"}
    rows, warnings = edited_videos.rows(*watched, **named)
    note = (*warnings, *(f"Stand-in: {name}." for name in edited_videos.stand_ins(judge)))
    print(tables.edits_table(rows, note, paper=()).markdown(), end="")
    if output is not None:
        command = shlex.join(["dynode", "evaluate-edit", source, edited])
        told = {"command": command, "warnings": list(warnings), "stand_ins": list(edited_videos.stand_ins(judge))}
        print(f"every number: {records.write(output, 'evaluate-edit', '', rows, runtime.provenance(place, **told))}")
