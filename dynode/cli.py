"""The command line. Mistakes of the user end in one sentence and exit code 2, never in a traceback."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, UseAppendAction, arg

from dynode.errors import UserError

Parameters = Annotated[UseAppendAction[tuple[str, ...]], arg(aliases=["-p"], metavar="NAME=VALUE")]
Output = Annotated[Path, arg(aliases=["-o"])]


def fetch(
    names: Positional[tuple[str, ...]] = (),
    *,
    list: bool = False,
    profile: Literal["", "smoke", "embedded", "paper"] = "",
) -> None:
    """Fetch third-party weights and videos into the user's cache, hash checked.

    Args:
        names: Assets to fetch.
        list: Show every asset with its size, licence and purpose instead.
        profile: Fetch all that a profile needs.
    """
    from dynode import assets

    known = assets.registry()[1]
    if list or not (names or profile):
        for asset in known.values():
            print(f"{asset.name:32} {asset.size / 1e6:7.1f} MB  {asset.purpose}  [{asset.licence}]")
        return
    wanted = {*names, *(asset.name for asset in known.values() if profile in asset.profiles)}
    for name in sorted(wanted):
        print(f"{name}: {assets.fetch(name)}", flush=True)


def invert(
    video: Positional[str],
    output: Output = Path("clip.safetensors"),
    *,
    frames: int | None = None,
    steps: int = 40,
    first_steps: int = 200,
    start: str = "previous",
    device: str = "auto",
) -> None:
    """Find the face in a video, align it and project every frame into W+; writes a clip.

    Args:
        video: A video file, or the name of a video asset such as single-face-video.
        output: The clip to write; a killed run resumes from what lies beside it.
        frames: Only the first so many frames.
        steps: Optimiser steps of a frame that starts from the previous code.
        first_steps: Optimiser steps of a frame that starts from the average code.
        start: "previous" (warm start) or "w_avg" (every frame by itself, as the paper did).
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import assets, runtime
    from dynode.inversion.invert import invert as run_inversion
    from dynode.inversion.projection import ProjectionSettings

    settings = ProjectionSettings(start=start, steps=steps, first_steps=first_steps)
    path = assets.fetch(video) if video in assets.registry()[1] else Path(video)
    clip = run_inversion(path, output, settings=settings, frames=frames, device=runtime.device(device))
    mse, lpips = (sum(clip.meta[key]) / len(clip) for key in ("mse", "lpips_vgg"))
    print(f"{output}: {len(clip)} frames, mean MSE {mse:.4f}, mean LPIPS-VGG {lpips:.3f}")


def fit(
    clip: Positional[str],
    output: Output = Path("fit.safetensors"),
    *,
    preset: str = "dynode",
    stride: int = 1,
    sampling: str = "regular",
    seed: int = 0,
    p: Parameters = (),
    device: str = "auto",
) -> None:
    """Learn the dynamics of a clip; writes a fit.

    Args:
        clip: A clip file, or the name of a shipped clip such as single_face.warm.
        output: The fit to write.
        preset: dynode (recommended), robust or paper.
        stride: Show the fit every so many frames only.
        sampling: Which frames are shown: regular or irregular.
        seed: Seeds the field, the draws and the irregular sampling.
        p: Change a setting, such as training.iterations=500 or field.depth=4.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import clips, runtime
    from dynode.dynamics import neural_ode, presets
    from dynode.settings import changed

    settings = changed(presets.preset(preset), assignments(p))
    shown = clips.load(clip).sampled(sampling, stride, seed)
    fitted = neural_ode.fit(shown, settings, seed, device=runtime.device(device), progress=True)
    fitted.save(output)
    log = fitted.log
    print(
        f"{output}: {int(shown.observed.sum())} of {len(shown)} frames observed, relative error there "
        f"{log['observed_error']:.2e}, {log['seconds']:.1f} s, {log['nfe']} field evaluations, "
        f"{log['parameters']} parameters"
    )


def render(
    fit: Positional[Path],
    output: Output = Path("out.mp4"),
    *,
    fps: float = 60,
    resolution: int = 512,
    device: str = "auto",
) -> None:
    """Decode a fitted trajectory at any frame rate; writes an .mp4.

    Args:
        fit: A fit, as `dynode fit` writes it.
        output: The video to write.
        fps: Frames per second of the video.
        resolution: Pixels, a power of two up to the generator's own (1024).
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode.inversion.decode import render_fit

    frames = render_fit(fit, output, fps=fps, resolution=resolution, device_name=device)
    print(f"{output}: {frames} frames at {fps:g} fps, {resolution} px")


def list_items() -> None:
    """Show the items of experiments.yaml: what can be regenerated, and what it costs."""
    from dynode import experiments

    for item in experiments.items().values():
        cost = item.minutes.get("embedded", {})
        told = ", ".join(f"{minutes} min on {where}" for where, minutes in cost.items())
        print(f"{item.name:16} {item.title}  [{item.regenerates}; {told}]")


def run(
    item: Positional[str] = "",
    *,
    profile: str = "embedded",
    p: Parameters = (),
    all: bool = False,
) -> None:
    """Regenerate an item of experiments.yaml: runs its notebook and writes figures, tables and a record.

    Args:
        item: The item, see `dynode list`.
        profile: smoke, embedded (default) or paper.
        p: Change a notebook parameter, such as seeds=[0,1,2].
        all: Run every item.
    """
    from dynode import batch

    if all == bool(item):
        raise UserError("Name one item, or give --all for every one: `dynode list` shows them.")
    executed = batch.run_all(profile) if all else [batch.run(item, profile, assignments(p))]
    for path in executed:
        print(f"executed notebook: {path}")


def assignments(pairs: tuple[str, ...]) -> dict:
    """("a=1", "b.c=[2, 3]") -> {"a": 1, "b.c": [2, 3]}, values read as YAML."""
    import yaml

    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UserError(f"-p wants NAME=VALUE, got {pair!r}.")
        values[name] = yaml.safe_load(value)
    return values


COMMANDS = {"fetch": fetch, "invert": invert, "fit": fit, "render": render, "list": list_items, "run": run}
DESCRIPTION = """The dynamics of a video in the latent space of a GAN, as a neural ODE.

Before anything is installed: `python -m dynode setup | reproduce | test`."""


def main(arguments: list[str]) -> int:
    """Run a command; 0 when done, 2 for a mistake of the user, 130 when interrupted."""
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, args=arguments, prog="dynode", description=DESCRIPTION)
    except UserError as error:
        print(f"dynode: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dynode: interrupted; finished frames are kept and the same command goes on from there.", file=sys.stderr)
        return 130
    return 0
