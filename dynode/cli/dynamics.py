"""Commands that turn a video into a clip, a clip into a fit, and a fit into a video."""

import shlex
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from dynode.cli.parameters import Output, Parameters, assignments
from dynode.io import files


def invert(
    video: Positional[str],
    output: Output = Path("clip.safetensors"),
    *,
    first: int = 0,
    frames: int = 0,
    every: int = 1,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
    encoder: str = "",
    p: Parameters = (),
    compiled: bool = False,
    device: str = "auto",
) -> None:
    """Find the face in a video, align it and project every frame into W+; writes a clip.

    Args:
        video: A video file, or the name of a video asset such as single-face-video.
        output: The clip to write; a killed run resumes from what lies beside it.
        first: The first frame to take.
        frames: How many frames to take, 0 for all.
        every: Take only every so many frames.
        face: largest, or a number counted from the left (0 first).
        generator: A shipped generator or a file of weights; other than of faces, it gets the middle of every frame.
        encoder: The file of an encoder, for -p start=encoder; the shipped one of the generator where none is named.
        p: Change a projection setting, such as steps=80 or start=w_avg (every frame by itself, as the paper did).
        compiled: Use torch.compile: a minute longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import generators, runtime
    from dynode.inversion.invert_frames import invert as run_inversion
    from dynode.inversion.projection import settings_for
    from dynode.io import assets
    from dynode.io.video import Stretch
    from dynode.settings import changed

    files.require_writable(output)
    settings = changed(settings_for(generators.resolution_of(generator)), assignments(p))
    path = assets.fetch(video) if video in assets.registry()[1] else Path(video)
    clip = run_inversion(
        path,
        output,
        settings=settings,
        stretch=Stretch(first, frames, every),
        face=face,
        generator=generator,
        encoder=encoder,
        device=runtime.device(device),
        compiled=compiled,
    )
    print(f"{output}: {told(clip)}")


def told(clip) -> str:
    """How many frames an inversion has, and how near they come, for the user's eyes."""
    names = {"mse": "MSE", "lpips_vgg": "LPIPS-VGG", "lpips_alex": "LPIPS-Alex", "identity": "identity cosine"}
    found = {name: clip.meta[key] for key, name in names.items() if key in clip.meta}
    means = [f"mean {name} {sum(values) / len(values):.4f}" for name, values in found.items()]
    return ", ".join([f"{len(clip)} frames", *means])


def fit(
    clip: Positional[str],
    output: Output = Path("fit.safetensors"),
    *,
    preset: str = "dynode",
    stride: int = 1,
    sampling: str = "regular",
    hidden_end: int = 0,
    seed: int = 0,
    p: Parameters = (),
    latent_only: bool = False,
    device: str = "auto",
) -> None:
    """Learn the dynamics of a clip; writes a fit.

    Args:
        clip: A clip file, or the name of a shipped clip such as single_face.warm.
        output: The fit to write; a killed run goes on from the checkpoint that lies beside it.
        preset: dynode (recommended), calm, visible, exact, subspace, robust, paper or demo; a relative: gru, ode_rnn, latent_ode, cde, sde; or prior, learned from other clips.
        stride: Show the fit every so many frames only.
        sampling: Which frames are shown: regular or irregular.
        hidden_end: Show the fit none of the last so many frames.
        seed: Seeds the field, the draws and the irregular sampling.
        p: Change a setting, such as training.iterations=500 or field.depth=4; hidden=64 of a relative.
        latent_only: Drop the losses in images (preset paper), which want a GPU.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import clips, runtime
    from dynode.dynamics import fit_files, methods
    from dynode.dynamics.fitting import store as fits
    from dynode.settings import changed

    files.require_writable(output)
    settings = changed(methods.learned(preset, latent_only), assignments(p))
    shown = clips.load(clip).sampled(sampling, stride, seed, hidden_end)
    place = runtime.device(device)
    if methods.in_images(settings):
        print(
            f"{settings.training.total} iterations with losses in images: about {settings.training.batch * 1.2:.0f} s "
            "each on 2 CPU cores, a tenth of a second on a GPU. It can be stopped and resumed."
        )
    fitted = fits.fit_to_file(output, preset, shown, settings, seed, device=place, progress=True)
    print(f"{output}: {int(shown.observed.sum())} of {len(shown)} frames observed")
    for shot in fit_files.shots_of(fitted):
        log = shot.log
        told = [f"relative error there {log['observed_error']:.2e}", f"{log['seconds']:.1f} s"]
        told += [f"{log['nfe']} field evaluations"] if "nfe" in log else []  # relatives do not count theirs
        print(f"{shot.meta['clip']['name']}: {', '.join(told)}, {log['parameters']} parameters")


def render(
    fit: Positional[Path],
    output: Output = Path("out.mp4"),
    *,
    fps: float = 60,
    resolution: int = 0,
    speed: float = 1.0,
    reverse: bool = False,
    loop: str = "",
    device: str = "auto",
) -> None:
    """Decode a fitted trajectory at any frame rate, speed and direction; writes an .mp4.

    Args:
        fit: A fit, as `dynode fit` writes it.
        output: The video to write.
        fps: Frames per second of the video.
        resolution: Pixels, a power of two up to the generator's own; 0: that, at most 512.
        speed: How many times faster than it was, 0.001 to 1000.
        reverse: Show it from its end to its beginning.
        loop: Make a video that can be repeated without a seam: blend its end into its beginning, or swing there and back.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode.rendering import render_fit

    files.require_writable(output)
    shown = {"speed": speed, "backward": reverse, "loop": loop}
    frames = render_fit(fit, output, fps=fps, resolution=resolution, device_name=device, **shown)
    print(f"{output}: {frames} frames at {fps:g} fps")


def evaluate(
    fits: Positional[tuple[Path, ...]],
    output: Annotated[Path | None, arg(aliases=["-o"])] = None,
    *,
    clip: str = "",
    source: bool = False,
    device: str = "auto",
) -> None:
    """Compare fits with their clip at observed, unobserved and extrapolated times; prints a table.

    Args:
        fits: Fits, as `dynode fit` writes them, of one clip.
        output: Also write every number as a record (.json).
        clip: The clip file; not needed for shipped clips.
        source: Also compare with the footage itself, where it is one of the assets.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.evaluation import compare_fits, records
    from dynode.reporting import tables

    if output is not None:
        records.require_place(output, "evaluate")
    rows = compare_fits.of_fits(fits, clip, with_source=source, device=runtime.device(device))
    print(tables.comparison_table(rows).markdown(), end="")
    if output is not None:
        command = shlex.join(["dynode", "evaluate", *map(str, fits), *(["--source"] if source else [])])
        print(f"every number: {compare_fits.write(output, rows, fits, command)}")


def choose_depth(
    clips: Positional[tuple[str, ...]],
    output: Annotated[Path | None, arg(aliases=["-o"])] = None,
    *,
    depths: tuple[int, ...] = (1, 2, 3, 4, 5),
    preset: str = "dynode",
    stride: int = 4,
    seeds: tuple[int, ...] = (0,),
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Choose DEPTH for some clips by observed frames that fits are not shown; prints a table.

    Args:
        clips: Clip files, or names of shipped clips.
        output: Also write every number as a record (.json).
        depths: What to choose from.
        preset: dynode (recommended), robust, paper or demo.
        stride: One frame in so many is observed; half of those are shown, half judge.
        seeds: Fits of each clip and depth.
        p: Change a setting of the preset, such as training.iterations=200.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import clips as known
    from dynode import runtime
    from dynode.dynamics import presets
    from dynode.evaluation import model_selection, records
    from dynode.reporting import tables
    from dynode.settings import changed

    if output is not None:
        records.require_place(output, "choose-depth")
    footage, place = [known.load(name) for name in clips], runtime.device(device)
    settings = changed(presets.latent_only(presets.preset(preset)), assignments(p))
    found = model_selection.of_depths(
        footage, depths, settings, stride=stride, seeds=seeds, device=place, progress=True
    )
    print(tables.depth_table(found).markdown(), end="")
    print(f"DEPTH {model_selection.best(found)}")
    if output is not None:
        command = shlex.join(["dynode", "choose-depth", *clips, "--stride", str(stride)])
        records.write(output, "choose-depth", "", found, runtime.provenance(place, command=command))
        print(f"every number: {output}")


def diagnose(clip: Positional[str], output: Output = Path("diagnosis.png")) -> None:
    """Tell how fit a clip is for dynamics: reconstruction, code norms, jitter, step lengths, cuts, a stride.

    Args:
        clip: A clip file, or the name of a shipped clip.
        output: The figure to write.
    """
    from dynode import clips
    from dynode.evaluation import diagnosis
    from dynode.reporting import plots
    from dynode.reporting.outputs import save_figure

    files.require_writable(output)
    found = diagnosis.diagnose(clips.load(clip))
    print(found.text())
    save_figure(plots.diagnosis(found), output)
    print(f"figure: {output}")
