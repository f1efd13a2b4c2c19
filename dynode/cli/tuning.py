"""The command that tunes a generator to the frames of a clip, and the same behind an inversion."""

import contextlib
import dataclasses
import json
import shlex
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from tyro.conf import OmitArgPrefixes, UseAppendAction, arg

from dynode.cli.options import ClipName, Device, Observation, OptionalPath, Output, output_path, stem
from dynode.cli.parameters import Parameters, settings_with
from dynode.cli.windows import load_clip
from dynode.errors import UserError

if TYPE_CHECKING:
    import torch

    from dynode.clips import Clip
    from dynode.inversion.frame_sources import FrameSource
    from dynode.inversion.projection_settings import ProjectionSettings
    from dynode.inversion.tuning import TunedClip
    from dynode.inversion.tuning_settings import TuningSettings
    from dynode.io.video import Stretch

ALL = Observation()
Edits = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="METHOD:ATTRIBUTE=STRENGTH")]
SUFFIX = ".tuning.safetensors"


def tune(
    clip: ClipName,
    output: Output = None,
    *,
    observation: OmitArgPrefixes[Observation] = ALL,
    footage: str = "",
    update: str = "all",
    minutes: float = float("inf"),
    codes: OptionalPath = None,
    record: OptionalPath = None,
    edit: Edits = (),
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Tune the generator of a clip on its observed frames (PTI), so that its codes show them; writes a tuning.

    Commands that render take the tuning by --tuning; codes, fits and editors of the generator stay valid.  Prints how near
    images come to frames before and after, observed and held-out ones apart.

    Args:
        clip: A clip file, or the name of a shipped clip such as single_face.1.
        output: The tuning to write, by default CLIP.tuning.safetensors; a killed run resumes from the checkpoint beside it.
        footage: The video of the clip, where it is neither beside it nor in the current folder nor an asset.
        update: What is changed: all weights but those of the mapping; last-blocks; or low-rank, a small file.
        minutes: How long it takes in all, instead of a number of steps; with -p steps=N, whichever ends first. The learning rate falls to 0 by then.
        codes: A file for the clip as it is then: it names its tuning, and has refined codes with -p codes_lr=0.001.
        record: A file for every number, as a record (.json).
        edit: Also print how far an edit moves its attribute before and after, such as latent-transformer:smile=1.5; repeatable.
        p: Change a setting, such as steps=150, lpips_net=alex, lambda_id=0, regions=1, locality_every=4, rank=16 or stop_lpips=0.1.
    """
    from dynode import runtime
    from dynode.inversion.tuning import tune as run_tuning

    output = output_path(output, f"{stem(clip)}{SUFFIX}", clip, footage)
    require_other_outputs(output, codes, record, clip, footage)
    chosen, loaded, o = runtime.device(device), load_clip(clip), observation
    sampled = loaded.sampled(o.sampling, o.stride, o.seed, o.hidden_end) if o != ALL else loaded
    settings, edits = settings_of(sampled, update, minutes, p), edits_of(edit)
    require_editors(sampled, edits)
    film = film_of(sampled, footage, clip)
    parts = {"footage": film, "device": chosen, "progress": runtime.bars()}
    done = run_tuning(sampled, output, settings, minutes=minutes, **parts)
    print_done(done, codes)
    command = shlex.join(["dynode", "tune", clip, *options_of(o, update, minutes, p)])
    judged(sampled, done, record, command, parts, edits)


def film_of(clip: "Clip", footage: str, name: str) -> str:
    """The video of a clip, "" for that of a world.  Raises UserError for footage where there is none to name."""
    from dynode.inversion.frame_sources import source_video

    if clip.quads is not None:
        return str(source_video(clip, footage, beside=name))
    if footage:
        raise UserError(f"{clip.name} was not cut from a video, got --footage {footage}: leave it out.")
    return ""


def require_editors(clip: "Clip", edits: dict[str, float]) -> None:
    """Raises UserError for an editor that the clip's generator does not have, before a tuning takes its minutes."""
    from dynode import generators
    from dynode.editing import editors

    for name in edits:
        editors.load(name, generators.load(clip.meta["generator"]))


def print_done(done: "TunedClip", codes: Path | None) -> None:
    """Print what a tuning is, and write the clip as it left it where that is wanted."""
    print(summary(done))
    if codes is not None:
        print(f"the clip that names it: {done.clip.save(codes)}")


def edits_of(edit: tuple[str, ...]) -> dict[str, float]:
    """Strengths by METHOD:ATTRIBUTE.  Raises UserError for what is no such pair."""
    pairs = [each.rpartition("=") for each in edit]
    try:
        edits = {name: float(strength) for name, _, strength in pairs if ":" in name and isfinite(float(strength))}
    except ValueError:
        edits = {}
    if len(edits) != len(edit):
        raise UserError(
            f"An edit is METHOD:ATTRIBUTE=STRENGTH, such as latent-transformer:smile=1.5, each once, got {' '.join(edit)}."
        )
    return edits


def settings_of(clip: "Clip", update: str, minutes: float, p: tuple[str, ...]) -> "TuningSettings":
    """The settings of a tuning: as usual for the clip's generator, but for what was chosen."""
    from dynode.inversion.tuning import usual_settings
    from dynode.inversion.tuning_settings import UNLIMITED

    named: dict[str, Any] = {"update": update} if update != "all" else {}
    if minutes < float("inf") and not any(pair.startswith("steps=") for pair in p):
        named["steps"] = UNLIMITED
    return settings_with(usual_settings(clip), p, **named)


def tune_inverted(clip: "Clip", path: Path, footage: Path, device: Any) -> None:
    """Tune the generator of a clip that was just inverted, which is written again and names its tuning.  Prints what came of it."""
    from dynode import runtime
    from dynode.inversion.tuning import tune as run_tuning

    parts = {"footage": str(footage), "device": device, "progress": runtime.bars()}
    try:
        done = run_tuning(clip, path.with_suffix(SUFFIX), **parts)
    except KeyboardInterrupt as stop:
        again = shlex.join(["dynode", "tune", str(path), "-o", str(path.with_suffix(SUFFIX))])
        stop.add_note(f"The clip {path} is finished; `{again}` goes on with its tuning.")
        raise
    done.clip.save(path)
    print(summary(done))
    judged(clip, done, None, "", parts)


def finished(
    output: Path, footage: Path, *, stretch: "Stretch", face: str, device: "torch.device", **choices: Any
) -> "Clip | None":
    """The clip of a file, without its tuning, where it is what the same inversion by this version wrote; else None.

    choices: protocol, stride, settings, generator, encoder and compiled, as of `invert_frames.invert`.
    """
    from dynode import clips, runtime
    from dynode.border import as_json

    if not output.is_file():
        return None
    with contextlib.suppress(UserError):
        clip = clips.Clip.load(output)
        meta = {key: value for key, value in clip.meta.items() if key != "tuning"}
        wanted = described(clip, footage, stretch, face, device, **choices)
        untuned = meta | {key: value for key, value in wanted.items() if key == "tuning"}
        same = untuned | json.loads(json.dumps(wanted, default=as_json)) == untuned and "refined" not in meta
        if same and meta.get("provenance", {}).get("commit") == runtime.commit():
            print(f"The codes of {output} were finished before: they are kept.")
            return dataclasses.replace(clip, meta=untuned)
    return None


def described(
    clip: "Clip",
    footage: Path,
    stretch: "Stretch",
    face: str,
    device: "torch.device",
    *,
    protocol: str,
    stride: int,
    settings: "ProjectionSettings",
    generator: str,
    encoder: str,
    compiled: bool,
) -> dict[str, Any]:
    """What the metadata of a clip of this inversion hold of it."""
    from dynode import generators
    from dynode.inversion import encoder_files, invert_frames, protocols
    from dynode.io import assets

    network = generators.load(generator, device)
    if settings.encoded:
        encoder = encoder or str(encoder_files.shipped_for(network))
    source = cast("FrameSource", clip)  # of which only the number of frames counts
    job = invert_frames.job_of(source, network, generator, settings, encoder, compiled)
    frames = {"source_sha256": assets.sha256_of(footage), "stretch": dataclasses.asdict(stretch)}
    frames |= {"face": face} if generators.category_of(generator) == "face" else {}
    return frames | protocols.chosen(protocol, stride, settings).metadata | job


def require_other_outputs(output: Path, codes: Path | None, record: Path | None, *inputs: str) -> None:
    """Refuse further outputs that cannot be written, or that are the tuning."""
    from dynode.evaluation import records

    if codes is not None:
        output_path(codes, "codes.safetensors", output, *inputs)
    if record is not None:
        records.require_record_path(output_path(record, "", output, *inputs), "tune")


def options_of(observation: Observation, update: str, minutes: float, p: tuple[str, ...]) -> list[str]:
    """What was chosen of the frames, the update, its length and its settings, as it is typed."""
    chosen = {name: value for name, value in vars(observation).items() if value != getattr(ALL, name)}
    chosen |= {"update": update} if update != "all" else {}
    chosen |= {"minutes": f"{minutes:g}"} if minutes < float("inf") else {}
    named = [(f"--{name.replace('_', '-')}", str(value)) for name, value in chosen.items()]
    return [part for pair in (*named, *(("-p", each) for each in p)) for part in pair]


def summary(done: "TunedClip") -> str:
    """What a tuning is, and what it took."""
    from dynode.evaluation.counts import counted

    tuning, card = done.tuning, done.tuning.card
    size = tuning.path.stat().st_size / 1e6
    ended = ", stopped early" if card["stopped_early"] else ""
    frames, regions = card["clip"], card["regions"]
    lines = [
        f"{tuning.path}: {tuning.base} tuned on {len(frames['observed'])} of {frames['frames']} frames, {counted(card['steps'], 'step')} in "
        f"{card['seconds']:.0f} s{ended}, {size:.1f} MB"
    ]
    if regions.get("fixed"):
        lines.append(
            f"In {regions['fixed']} of {sum(regions.values())} frames no landmarks were usable: eyes and mouth are where the "
            "alignment puts them."
        )
    return "\n".join(lines)


def judged(
    clip: "Clip",
    done: "TunedClip",
    record: Path | None,
    command: str,
    parts: dict[str, Any],
    edits: Mapping[str, float] | None = None,
) -> None:
    """Print how near images come to frames before and after, and how far edits go; write every number where that is wanted."""
    from dynode import runtime
    from dynode.evaluation import compare_fits, records, tuned_edits, tuning_quality
    from dynode.generators import registry, tuned

    rows = tuning_quality.compared(clip, done, **parts)
    print(tuning_quality.text_of(rows))
    if edits:
        untuned = registry.of_clip(clip.meta, clip.name, tuned.NONE, parts["device"])
        changed = registry.of_clip(clip.meta, clip.name, done.tuning.path, parts["device"])
        edited = tuned_edits.edit_rows(clip, untuned, changed, edits, codes=done.clip.ws, device=parts["device"])
        print(tuned_edits.text_of(edited))
        rows += edited
    if remark := compare_fits.not_held_out(rows):
        print(remark)
    if record is not None:
        stamp = runtime.provenance(parts["device"], command=command, **tuned.marked(done.tuning), card=done.tuning.card)
        print(f"every number: {records.write(record, 'tune', '', rows, stamp)}")
