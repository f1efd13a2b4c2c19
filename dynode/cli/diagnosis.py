"""The command that examines a clip: its codes, and how near its faces come to the footage."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from dynode.cli.options import ClipName, Device, OptionalPath, Output, Tuning, output_path, stem
from dynode.cli.windows import load_clip
from dynode.errors import UserError

if TYPE_CHECKING:
    import torch

    from dynode.clips import Clip


def diagnose(
    clip: ClipName,
    output: Output = None,
    *,
    faces: bool = False,
    footage: str = "",
    tuning: Tuning = "",
    record: OptionalPath = None,
    device: Device = "auto",
) -> None:
    """Check whether the codes of a clip suit dynamics, and on demand whether its faces look like the footage's.

    Args:
        clip: A clip file, or the name of a shipped clip.
        output: The figure to write, by default CLIP-diagnosis.png.
        faces: Also render every frame, about a second each on 2 CPU cores, and compare eyes, gaze, mouth, blinks and identity with the footage; looked for beside the clip, in the current folder and among the assets.
        footage: The video that the clip was made from, where it lies elsewhere; compares with it.
        record: A file for every number of that comparison, as a record (.json).
    """
    from dynode import runtime
    from dynode.evaluation import diagnosis, face_report, records
    from dynode.inversion.frame_sources import source_video
    from dynode.reporting import plots
    from dynode.reporting.outputs import save_figure

    output = output_path(output, f"{stem(clip)}-diagnosis.png", clip, footage, tuning)
    if record is not None:
        records.require_record_path(output_path(record, "", output, clip, footage, tuning), "diagnose")
    loaded, chosen = load_clip(clip), runtime.device(device)
    compared = faces or bool(footage or tuning) or record is not None
    result = diagnosis.diagnose(loaded)
    print(result.text(faces=compared))
    if compared:
        face_report.squares_of(loaded)
        film = source_video(loaded, footage, beside=clip)
        report = face_report.clip_fidelity(loaded, footage=film, tuning=tuning, device=chosen)
        print(report.text)
        if record is not None:
            options = [part for pair in (("--footage", footage), ("--tuning", tuning)) if pair[1] for part in pair]
            stamp = provenance(loaded, tuning, shlex.join(["dynode", "diagnose", clip, "--faces", *options]), chosen)
            rows = report.rows(clip=loaded.name, method="reconstruction", protocol=loaded.protocol)
            print(f"every number: {records.write(record, 'diagnose', '', rows, stamp)}")
    save_figure(plots.diagnosis(result), output)
    print(f"figure: {output}")


def provenance(clip: "Clip", tuning: str, command: str, device: "torch.device") -> dict:
    """What a record keeps of its origin, with the tuning that the clip was rendered by."""
    from dynode import runtime
    from dynode.generators import tuned

    chosen = tuned.of_clip(clip.meta, f"The clip {clip.name}", tuning)
    return runtime.provenance(device, command=command, **tuned.marked(chosen))


def print_faces(path: Path, footage: Path, device: "torch.device") -> None:
    """Print how near the faces of a clip that was just written come to its footage; nothing for a clip of anything else.

    A comparison that cannot be made is a sentence: the clip is whole without it.
    """
    from dynode import clips
    from dynode.evaluation import face_report
    from dynode.evaluation.inversion_quality import inversion_quality

    clip = clips.load(str(path))
    if not face_report.of_face(clip):
        return
    try:
        report = face_report.clip_fidelity(clip, footage=footage, device=device)
        said_before = report.size_warning  # by the inversion, before hours were spent
        print("\n".join([report.line, *(each for each in report.warnings if each != said_before)]))
    except UserError as error:
        print(f"The faces were not compared with the footage: {error}")
        if remark := inversion_quality(clip).identity_remark:
            print(remark)
    except KeyboardInterrupt as stop:
        stop.add_note(
            f"The clip {path} is finished; `dynode diagnose {shlex.quote(str(path))} --faces` compares its faces."
        )
        raise
