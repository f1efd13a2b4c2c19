"""The command that examines a clip: its codes, which method suits them, and how near its faces come to the footage."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from dynode.cli.options import (
    ALL_OBSERVED,
    ClipName,
    Device,
    Observation,
    OptionalPath,
    Output,
    Tuning,
    output_path,
    stem,
)
from dynode.cli.windows import load_clip
from dynode.errors import UserError

if TYPE_CHECKING:
    import torch

    from dynode.clips import Clip


def diagnose(
    clip: ClipName,
    output: Output = None,
    *,
    methods: bool = False,
    observation: OmitArgPrefixes[Observation] = ALL_OBSERVED,
    faces: bool = False,
    footage: str = "",
    tuning: Tuning = "",
    record: OptionalPath = None,
    device: Device = "auto",
) -> None:
    """Check whether the codes of a clip suit dynamics; on demand which method suits them, and whether its faces look like the footage's.

    Args:
        clip: A clip file, or the name of a shipped clip.
        output: The figure to write, by default CLIP-diagnosis.png.
        methods: Also compare quick methods, at the sampling of --stride, --sampling and --hidden-end, by their errors at observed frames left out one at a time, and recommend one; about a minute on 2 CPU cores, longer for hundreds of frames. Naming a sampling does so too.
        faces: Also render every frame, about a second each on 2 CPU cores, and compare eyes, gaze, mouth, blinks and identity with the footage; looked for beside the clip, in the current folder and among the assets.
        footage: The video that the clip was made from, where it lies elsewhere; compares with it.
        record: A file for every number of that comparison, as a record (.json).
    """
    from dynode import runtime
    from dynode.evaluation import diagnosis, records
    from dynode.reporting import plots
    from dynode.reporting.outputs import save_figure

    output = output_path(output, f"{stem(clip)}-diagnosis.png", clip, footage, tuning)
    if record is not None:
        records.require_record_path(output_path(record, "", output, clip, footage, tuning), "diagnose")
    loaded, chosen = load_clip(clip), runtime.device(device)
    compared = faces or bool(footage or tuning) or record is not None
    sampled = observation.of(loaded)
    result = diagnosis.diagnose(loaded)
    print(result.text(faces=compared))
    if compared:
        compare_faces(loaded, clip, footage, tuning, record, chosen)
    if methods or observation != ALL_OBSERVED:
        print_methods(sampled, observation.seed, chosen)
    save_figure(plots.diagnosis(result), output)
    print(f"figure: {output}")


def compare_faces(
    clip: "Clip", name: str, footage: str, tuning: str, record: Path | None, device: "torch.device"
) -> None:
    """Print how near the faces of a clip, given as `name`, come to its footage; write every number to a record, if one is named."""
    from dynode.evaluation import face_report, records
    from dynode.inversion.frame_sources import source_video

    face_report.squares_of(clip)
    film = source_video(clip, footage, beside=name)
    report = face_report.clip_fidelity(clip, footage=film, tuning=tuning, device=device)
    print(report.text)
    if record is not None:
        options = [part for pair in (("--footage", footage), ("--tuning", tuning)) if pair[1] for part in pair]
        stamp = provenance(clip, tuning, shlex.join(["dynode", "diagnose", name, "--faces", *options]), device)
        rows = report.rows(clip=clip.name, method="reconstruction", protocol=clip.protocol)
        print(f"every number: {records.write(record, 'diagnose', '', rows, stamp)}")


def print_methods(sampled: "Clip", seed: int, device: "torch.device") -> None:
    """Print the errors of quick methods at observed frames left out, and which method they recommend for each shot."""
    from dynode import runtime
    from dynode.dynamics import leave_one_out
    from dynode.dynamics.registry import How
    from dynode.evaluation.diagnosis import recommended_method
    from dynode.reporting import tables

    how = How(device, progress=runtime.bars())
    compared = {shot.name: leave_one_out.compare(shot, seed=seed, how=how) for shot in sampled.split()}
    print(f"{len(sampled.observations())} of {len(sampled)} frames observed, each shot with a choice of its own")
    print(tables.candidates_table(compared).markdown(), end="")
    for name, each in compared.items():
        print(f"{name}: {recommended_method(each)} `--preset auto` makes this choice itself.")


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
