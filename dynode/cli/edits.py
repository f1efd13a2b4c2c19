"""Commands for edited videos."""

import shlex
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from dynode.cli.parameters import Parameters, assignments


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
    from dynode import edit_evaluation, records, runtime, tables
    from dynode.perception import video_features
    from dynode.settings import changed

    if output is not None:
        runtime.require_writable(output)
    place, settings = runtime.device(device), changed(edit_evaluation.JudgeSettings(), assignments(p))
    *pair, quads = edit_evaluation.read_pair(source, edited, frames, clip)
    identities = () if no_face else identity
    judge = edit_evaluation.Judge(settings, identities, video_features.load(path=i3d, device=place), place)
    watched = [judge.watch(video, quads=quads) for video in pair]
    named = {"clip": Path(source).stem, "method": Path(edited).stem, "category": "" if no_face else "face"}
    rows, warnings = edit_evaluation.rows(*watched, **named)
    note = (*warnings, *(f"Stand-in: {name}." for name in edit_evaluation.stand_ins(judge)))
    print(tables.edits_table(rows, note, paper=()).markdown(), end="")
    if output is not None:
        command = shlex.join(["dynode", "evaluate-edit", source, edited])
        told = {"command": command, "warnings": list(warnings), "stand_ins": list(edit_evaluation.stand_ins(judge))}
        print(f"every number: {records.write(output, 'evaluate-edit', '', rows, runtime.provenance(place, **told))}")
