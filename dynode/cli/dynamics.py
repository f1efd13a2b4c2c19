"""Commands that turn a video into a clip, a clip into a fit, and a fit into a video."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import OmitArgPrefixes, Positional

from dynode.cli.diagnosis import print_faces
from dynode.cli.options import (
    WHOLE,
    ClipName,
    Compiled,
    Device,
    Excerpt,
    FitFile,
    Output,
    Protocol,
    Tuning,
    VideoName,
    output_path,
    require_different,
    slug,
    stem,
)
from dynode.cli.parameters import Parameters, assignments, settings_with
from dynode.cli.tuning import SUFFIX, finished, tune_inverted
from dynode.cli.windows import load_clip, video_file
from dynode.errors import UserError
from dynode.settings import choose

if TYPE_CHECKING:
    from dynode.clips import Clip
    from dynode.dynamics.trajectory import Trajectory


def invert(
    video: VideoName,
    output: Output = None,
    *,
    excerpt: OmitArgPrefixes[Excerpt] = WHOLE,
    method: str = "projection",
    protocol: Protocol = "",
    stride: int = 0,
    generator: str = "mobilestylegan-ffhq",
    encoder: str = "",
    tune: bool = False,
    p: Parameters = (),
    compiled: Compiled = False,
    device: Device = "auto",
) -> None:
    """Find the face in a video, align it and project every frame into W+; writes a clip.

    Args:
        video: A video file, the name of a video asset such as single-face-video, or of a window of one such as pexels.2.
        output: The clip to write, by default VIDEO.safetensors; a killed run resumes from the partial result beside it.
        method: projection, each frame by itself or from the one before it, or igci, windows of five frames together.
        stride: Of the protocol observed, 4 by default: every N-th frame and the last are observed, the others held out.
        generator: A shipped generator or a file of weights, such as a published StyleGAN2's .pkl or .pt; one of anything but faces gets the middle square of every frame.
        encoder: The file of an encoder, for -p start=encoder; by default the shipped one of the generator.
        tune: Then tune the generator on the observed frames, as `dynode tune` does, into OUTPUT.tuning.safetensors, which the clip names; after a kill the same command goes on with the codes that are finished.
        p: Change a setting of the method, such as steps=80 or start=w_avg (every frame by itself, from the average code).
    """
    from dynode import runtime

    footage, excerpt = video_file(video, excerpt)
    output = output_path(output, f"{stem(video)}.safetensors", video, generator, encoder)
    own = {"protocol": protocol, "stride": stride, "encoder": encoder, "compiled": compiled}
    choices = {"generator": generator, "stretch": excerpt.stretch, "face": excerpt.face}
    choices |= {"device": runtime.device(device)}
    if choose("method of inversion", method, ["projection", "igci"]) == "igci":
        invert_windows(footage, output, p, choices, own | {"tune": tune})
        return
    if tune:
        output_path(output.with_suffix(SUFFIX), "", video, generator, encoder)
    project(footage, output, p, choices | own, tune)


def project(footage: Path, output: Path, p: Parameters, choices: dict, tune: bool) -> None:
    """The projection of a video, and the tuning to it where it is wanted."""
    from dynode.evaluation.face_report import of_face
    from dynode.inversion.invert_frames import invert as run_inversion
    from dynode.inversion.invert_frames import usual_settings

    usual = usual_settings(choices["protocol"], choices["generator"], assignments(p).get("start", ""))
    choices |= {"settings": settings_with(usual, p)}
    clip = finished(output, footage, **choices) if tune else None
    clip = clip or run_inversion(footage, output, **choices)
    print(f"{output}: {inversion_summary(clip, faces=of_face(clip))}")
    if tune:
        tune_inverted(clip, output, footage, choices["device"])
    print_faces(output, footage, choices["device"])


def invert_windows(footage: Path, output: Path, p: Parameters, choices: dict, refused: dict) -> None:
    """IGCI's inversion of a video.  refused: options that it does not have, by name.  Raises UserError where one is set."""
    from dynode.evaluation.face_report import of_face
    from dynode.inversion.joint import invert_windows as windows
    from dynode.inversion.joint.window_settings import EMBEDDED

    if given := [f"--{name}" for name, value in refused.items() if value]:
        raise UserError(f"The method igci inverts all frames in windows and has no {given[0]}: leave it out.")
    clip = windows.invert(footage, output, settings=settings_with(EMBEDDED, p), **choices)
    print(f"{output}: {inversion_summary(clip, faces=of_face(clip))}")
    print_faces(output, footage, choices["device"])


def inversion_summary(clip: "Clip", faces: bool = False) -> str:
    """How many frames an inversion has, its mean and worst errors, and a sentence for each thing that went wrong.

    faces: a comparison of the faces follows, which says more of their identity.
    """
    from dynode.evaluation.inversion_quality import inversion_quality

    quality = inversion_quality(clip)
    head = ", ".join(filter(None, [f"{len(clip)} frames", quality.text]))
    return "\n".join([head, *quality.remarks_before(faces)])


def fit(
    clip: ClipName,
    output: Output = None,
    *,
    preset: str = "dynode",
    stride: int = 1,
    sampling: str = "regular",
    hidden_end: int = 0,
    seed: int = 0,
    tuning: Tuning = "",
    p: Parameters = (),
    latent_only: bool = False,
    device: Device = "auto",
) -> None:
    """Learn the dynamics of a clip; writes a fit.

    Args:
        clip: A clip file, or the name of a shipped clip such as single_face.1.
        output: The fit to write, by default CLIP.fit, or CLIP.PRESET.fit of another preset; a killed run resumes from the checkpoint beside it.
        preset: dynode (the default), auto (the quick method that predicts observed frames best which are left out), "dynode[no z]", trend+mlp, trend, calm, visible, exact, subspace, robust, paper, paper_scaled or demo; a sequence model: gru, ode_rnn, latent_ode, cde, sde; prior, learned from other clips; or a baseline without settings, such as linear, cubic or gp.
        stride: Observe every N-th frame.
        sampling: How the observed frames are chosen: regular or irregular.
        hidden_end: Hold out the last N frames (scored as extrapolation).
        seed: Seeds the field, all random numbers and the irregular sampling.
        p: Change a setting, such as training.iterations=500, field.depth=4 (0: chosen by observed frames left out), or hidden=64 of a sequence model. training.segment_iterations=N, on single intervals, come before the iterations and are counted apart.
        latent_only: Drop the losses in images (presets paper and paper_scaled), which want a GPU.
    """
    from dynode import runtime
    from dynode.dynamics import methods
    from dynode.dynamics.fitting import store as fits
    from dynode.evaluation.tuned_clips import with_tuning
    from dynode.io.locks import claimed

    output = output_path(output, fit_name(clip, preset), clip, tuning)
    settings = settings_with(methods.settings_of(preset, latent_only), p)
    sampled = with_tuning(load_clip(clip), tuning).sampled(sampling, stride, seed, hidden_end)
    chosen = runtime.device(device)
    if methods.in_images(settings):
        print(image_loss_cost(settings))
    with claimed(output):
        fitted = fits.fit_to_file(output, sampled, settings or preset, seed, device=chosen, progress=runtime.bars())
    print(f"{output}: {len(sampled.observations())} of {len(sampled)} frames observed")
    print("\n".join(fit_summary(shot, sampled) for shot in fitted.shots))
    print_few_observed([sampled], stride)


def fit_name(clip: str, preset: str) -> str:
    """The default file of a fit; other presets than the default are part of the name."""
    from dynode.io import names

    return f"{stem(clip)}.fit" if preset == "dynode" else f"{stem(clip)}.{names.slug(preset)}.fit"


def image_loss_cost(settings: Any) -> str:
    """How long a fit with losses in images takes."""
    from dynode.evaluation.counts import counted

    return (
        f"{counted(settings.training.total, 'iteration')} with losses in images: about {settings.training.batch * 1.2:.0f} s "
        "each on 2 CPU cores, a tenth of a second on a GPU. It can be stopped and resumed."
    )


def fit_summary(shot: "Trajectory", clip: "Clip") -> str:
    """How closely a trajectory passes the observed codes of its clip, how well its field predicts them, and what it took."""
    log = shot.log
    counted = [f"{log['nfe']} field evaluations"] if "nfe" in log else []  # sequence models do not count theirs
    counted += [f"DEPTH {log['depth']} chosen"] if "depth" in log else []
    counted += [f"{log['chosen']} chosen"] if "chosen" in log else []
    cost = ", ".join([f"{log['seconds']:.1f} s", *counted, f"{log['parameters']} parameters"])
    missed = f"misses the observed codes by {observed_error(shot, clip):.1e} of their variance"
    if getattr(getattr(shot, "settings", None), "path", "") == "blended":
        missed += f" (its field alone, from each to the next, by {log['observed_error']:.1e})"
    return f"{shot.meta['clip']['name']}: {missed}, {cost}"


def print_few_observed(footage: list["Clip"], stride: int) -> None:
    """Print a sentence for each clip of which a stride leaves few frames."""
    from dynode.evaluation.diagnosis import few_observed

    for clip in footage:
        if remark := few_observed(clip.observed, clip.shots, stride):
            print(f"{clip.name}: {remark}")


def observed_error(shot: "Trajectory", clip: "Clip") -> float:
    """The mean squared error of a trajectory at the observed codes of its shot, over their variance."""
    import torch

    ts = torch.tensor(shot.meta["ts"], dtype=torch.float64)[torch.tensor(shot.meta["observed"])]
    ws = clip.ws[torch.searchsorted(clip.ts, ts)]
    variance = ws.var(0, unbiased=False).mean().clamp(min=1e-12)
    return float((shot(ts).to(ws) - ws).square().mean() / variance)


def render(
    fit: FitFile,
    output: Output = None,
    *,
    fps: float = 60,
    resolution: int = 0,
    speed: float = 1.0,
    reverse: bool = False,
    loop: str = "",
    tuning: Tuning = "",
    device: Device = "auto",
) -> None:
    """Decode a fitted trajectory at any frame rate, speed and direction; writes an .mp4.

    Args:
        fit: A fit, as `dynode fit` writes it.
        output: The video to write, by default FIT-60fps.mp4 (with its frame rate), or FIT-60fps-0.5x-reverse-swing.mp4.
        fps: Frames per second of the video.
        resolution: Pixels a side, a power of two up to the generator's own; 0: that, at most 512.
        speed: Playback speed, from 0.001 to 1000 times the original.
        reverse: Play from the end to the beginning.
        loop: Make a video that repeats without a seam: blend its end into its beginning, or swing there and back.
    """
    from dynode.evaluation.counts import counted
    from dynode.rendering import render as render_trajectory

    output = output_path(output, video_name(fit, fps, speed, reverse, loop), fit, tuning)
    choices = {"speed": speed, "reverse": reverse, "loop": loop, "tuning": tuning}
    frames = render_trajectory(fit, output, fps=fps, resolution=resolution, device=device, **choices)
    print(f"{output}: {counted(frames, 'frame')} at {fps:g} fps")


def video_name(fit: Path, fps: float, speed: float, reverse: bool, loop: str) -> str:
    """The default file of a rendered fit: its frame rate, and how it is played where that is not as it was."""
    played = [f"{speed:g}x"] * (speed != 1) + ["reverse"] * reverse + [slug(loop)] * bool(loop)
    return "-".join([stem(fit), f"{fps:g}fps", *played]) + ".mp4"


def evaluate(
    fits: Positional[tuple[Path, ...]],
    output: Output = None,
    *,
    clip: str = "",
    source: bool = False,
    footage: str = "",
    tuning: Tuning = "",
    all: bool = False,
    device: Device = "auto",
) -> None:
    """Compare fits and baselines with their clip at unobserved, extrapolated and observed times; prints a table.

    Args:
        fits: Fits, as `dynode fit` writes them, of one clip.
        output: Also write every number as a record (.json).
        clip: The clip file; not needed for shipped clips, and for one that lies beside the fit.
        source: Also compare with the footage itself, or the truth of a world; looked for beside the clip, in the current folder and among the assets.
        footage: The video that the clip was made from, where it lies elsewhere; compares with it.
        all: Print all metrics, identity and codes included, in the order of the record.
    """
    from dynode import runtime
    from dynode.evaluation import compare_fits, records
    from dynode.reporting import tables

    require_different("fit", fits)
    if output is not None:
        records.require_record_path(output_path(output, "", *fits, clip, tuning), "evaluate")
    choices = {"with_source": source, "footage": footage, "tuning": tuning}
    rows = compare_fits.of_fits(fits, clip, **choices, device=runtime.device(device))
    table = tables.comparison_table if all else tables.short_comparison_table
    print(table(rows).markdown(), end="")
    for remark in filter(None, (compare_fits.nothing_predicted(rows), compare_fits.not_held_out(rows))):
        print(remark)
    if output is not None:
        chosen = [*(["--clip", clip] if clip else []), *(["--source"] if source else [])]
        chosen += [*(["--footage", footage] if footage else []), *(["--tuning", tuning] if tuning else [])]
        command = shlex.join(["dynode", "evaluate", *map(str, fits), *chosen])
        print(f"every number: {compare_fits.write(output, rows, fits, command, clip_name=clip, tuning=tuning)}")


def choose_depth(
    clips: Positional[tuple[str, ...]],
    output: Output = None,
    *,
    depths: tuple[int, ...] = (1, 2, 3, 4, 5),
    preset: str = "dynode",
    stride: int = 4,
    seeds: tuple[int, ...] = (0,),
    p: Parameters = (),
    device: Device = "auto",
) -> None:
    """Select DEPTH for some clips on held-out observed frames (a validation split); prints a table.

    Args:
        clips: Clip files, or names of shipped clips.
        output: Also write every number as a record (.json).
        depths: What to choose from.
        preset: dynode (the default), trend+mlp, robust, paper or demo.
        stride: Every N-th frame is observed; half of those are fitted, the other half validate.
        seeds: Fits of each clip and depth.
        p: Change a setting of the preset, such as training.iterations=200.
    """
    from dynode import runtime
    from dynode.dynamics import presets
    from dynode.evaluation import model_selection, records
    from dynode.reporting import tables

    require_different("clip", clips)
    if output is not None:
        records.require_record_path(output_path(output, "", *clips), "choose-depth")
    footage, chosen = [load_clip(name) for name in clips], runtime.device(device)
    settings = settings_with(presets.latent_only(presets.preset(preset)), p)
    rows = model_selection.of_depths(
        footage, depths, settings, stride=stride, seeds=seeds, device=chosen, progress=runtime.bars()
    )
    print(tables.depth_table(rows).markdown(), end="")
    print(f"DEPTH {model_selection.best(rows)}")
    print_few_observed([clip.sampled("regular", stride) for clip in footage], stride)
    if output is not None:
        command = shlex.join(["dynode", "choose-depth", *clips, "--stride", str(stride)])
        records.write(output, "choose-depth", "", rows, runtime.provenance(chosen, command=command))
        print(f"every number: {output}")
