"""The command line. Mistakes of the user end in one sentence and exit code 2, never in a traceback."""

import errno
import shlex
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
    first: int = 0,
    frames: int = 0,
    every: int = 1,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
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
        p: Change a projection setting, such as steps=80 or start=w_avg (every frame by itself, as the paper did).
        compiled: Use torch.compile: a minute longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import assets, generators, runtime
    from dynode.inversion.invert import invert as run_inversion
    from dynode.inversion.projection import settings_for
    from dynode.settings import changed
    from dynode.video import Stretch

    runtime.require_writable(output)
    settings = changed(settings_for(generators.resolution_of(generator)), assignments(p))
    path = assets.fetch(video) if video in assets.registry()[1] else Path(video)
    clip = run_inversion(
        path,
        output,
        settings=settings,
        stretch=Stretch(first, frames, every),
        face=face,
        generator=generator,
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


def invert_episode(
    world: Positional[str],
    kind: Positional[str],
    output: Output = Path("clip.safetensors"),
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    generator: str = "",
    p: Parameters = (),
    compiled: bool = False,
    device: str = "auto",
) -> None:
    """Draw an episode of a world and project every frame; writes a clip that knows its truth.

    Args:
        world: scene, bird or isaac3d.
        kind: See `dynode episode --help`.
        output: The clip to write; a killed run resumes from what lies beside it.
        seed: Seeds what stands still and how the rest moves.
        seconds: Length of the episode.
        fps: Frames per second.
        generator: That of the world where none is named; NAME@w or NAME@z for codes of one row.
        p: Change a projection setting, such as steps=80.
        compiled: Use torch.compile: a minute longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import generators, runtime, worlds
    from dynode.inversion.invert import invert_episode as run_inversion
    from dynode.inversion.projection import settings_for
    from dynode.settings import changed

    runtime.require_writable(output)
    drawn = worlds.world(world).episode(kind, seed, seconds)
    generator = generator or f"stylegan2-{world}"
    clip = run_inversion(
        drawn,
        output,
        fps=fps,
        settings=changed(settings_for(generators.resolution_of(generator)), assignments(p)),
        generator=generator,
        device=runtime.device(device),
        compiled=compiled,
    )
    print(f"{output}: {told(clip)}")


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
        preset: dynode (recommended), robust, paper or demo.
        stride: Show the fit every so many frames only.
        sampling: Which frames are shown: regular or irregular.
        hidden_end: Show the fit none of the last so many frames.
        seed: Seeds the field, the draws and the irregular sampling.
        p: Change a setting, such as training.iterations=500 or field.depth=4.
        latent_only: Drop the losses in images (preset paper), which want a GPU.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import clips, fits, runtime
    from dynode.dynamics import neural_ode, presets
    from dynode.settings import changed

    runtime.require_writable(output)
    whole = presets.preset(preset)
    settings = changed(presets.latent_only(whole) if latent_only else whole, assignments(p))
    shown = clips.load(clip).sampled(sampling, stride, seed, hidden_end)
    place = runtime.device(device)
    if settings.losses.in_images:
        print(
            f"{settings.training.total} iterations with losses in images: about {settings.training.batch * 1.2:.0f} s "
            "each on 2 CPU cores, a tenth of a second on a GPU. It can be stopped and resumed."
        )
    fitted = fits.fit_to_file(output, preset, shown, settings, seed, device=place, progress=True)
    print(f"{output}: {int(shown.observed.sum())} of {len(shown)} frames observed")
    for shot in neural_ode.shots_of(fitted):
        log = shot.log
        print(
            f"{shot.meta['clip']['name']}: relative error there {log['observed_error']:.2e}, {log['seconds']:.1f} s, "
            f"{log['nfe']} field evaluations, {log['parameters']} parameters"
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
    from dynode import runtime
    from dynode.inversion.decode import render_fit

    runtime.require_writable(output)
    frames = render_fit(fit, output, fps=fps, resolution=resolution, device_name=device)
    print(f"{output}: {frames} frames at {fps:g} fps, {resolution} px")


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
    from dynode import comparison, runtime

    if output is not None:
        runtime.require_writable(output)
    table, rows = comparison.of_fits(fits, clip, with_source=source, device=runtime.device(device))
    print(table.markdown(), end="")
    if output is not None:
        command = shlex.join(["dynode", "evaluate", *map(str, fits), *(["--source"] if source else [])])
        print(f"every number: {comparison.write(output, rows, fits, command)}")


def diagnose(clip: Positional[str], output: Output = Path("diagnosis.png")) -> None:
    """Tell how fit a clip is for dynamics: reconstruction, code norms, jitter, step lengths, cuts, a stride.

    Args:
        clip: A clip file, or the name of a shipped clip.
        output: The figure to write.
    """
    from dynode import clips, diagnosis, plots, runtime
    from dynode.report.outputs import save_figure

    runtime.require_writable(output)
    found = diagnosis.diagnose(clips.load(clip))
    print(found.text())
    save_figure(plots.diagnosis(found), output)
    print(f"figure: {output}")


def episode(
    world: Positional[str],
    kind: Positional[str],
    output: Output = Path("episode.mp4"),
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    resolution: int = 256,
    truth: Path | None = None,
    device: str = "auto",
) -> None:
    """Draw an episode of a world, a scene whose truth is known at every instant; writes an .mp4.

    Args:
        world: scene, bird or isaac3d.
        kind: scene: day, weather, winter. bird: flight, take_off, landing. isaac3d: robot_x, robot_y, camera, circle.
        output: The video to write.
        seed: Seeds what stands still and how the rest moves.
        seconds: Length of the episode.
        fps: Frames per second.
        resolution: Pixels a side.
        truth: Also write time and factors of every frame as .csv.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime, worlds
    from dynode.worlds.film import film

    for path in filter(None, (output, truth)):
        runtime.require_writable(path)
    drawn = worlds.world(world).episode(kind, seed, seconds)
    place = runtime.device(device)
    frames = film(drawn, output, fps=fps, resolution=resolution, truth=truth, device=place)
    print(f"{output}: {frames} frames at {fps:g} fps, {resolution} px")


def train_gan(
    world: Positional[str],
    output: Output = Path("generator.safetensors"),
    *,
    architecture: str = "stylegan2",
    p: Parameters = (),
    pictures: int = 12_288,
    measured: int = 2048,
    minutes: float = float("inf"),
    compiled: bool = False,
    device: str = "auto",
) -> None:
    """Train a generator on a world; writes its weights with a model card.

    Args:
        world: scene, bird or isaac3d.
        output: The weights to write; a killed run goes on from the checkpoint that lies beside them.
        architecture: stylegan2, or dcgan (small, without styles).
        p: Change a setting, such as distil=200000, play=0 or generator.resolution=128.
        pictures: How many different pictures to draw and learn from; kept in the cache.
        measured: How many pictures and samples the quality is measured on.
        minutes: Stop training after so many; the same command goes on.
        compiled: Use torch.compile: minutes longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime, worlds
    from dynode.gan import make

    runtime.require_writable(output)
    known = worlds.world(world)
    card = make.train(
        known,
        output,
        make.settings_for(known, assignments(p), architecture),
        distinct=pictures,
        measured=measured,
        minutes=minutes,
        device=runtime.device(device),
        compiled=compiled,
        progress=True,
    )
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.3f}")


def train_encoder(
    generator: Positional[str],
    output: Output = Path("encoder.safetensors"),
    *,
    p: Parameters = (),
    pictures: int = 12_288,
    minutes: float = float("inf"),
    compiled: bool = False,
    device: str = "auto",
) -> None:
    """Train an encoder for the generator of a world; writes its weights with a model card.

    Args:
        generator: Such as stylegan2-scene, or a file of weights.
        output: The weights to write; a killed run goes on from the checkpoint that lies beside them.
        p: Change a setting, such as pictures=20000, encoder.passes=3 or encoder.gradient=false.
        pictures: How many different pictures of the world to draw and learn from; kept in the cache.
        minutes: Stop training after so many; the same command goes on.
        compiled: Use torch.compile: minutes longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.inversion.train_encoder import TrainingSettings, train
    from dynode.settings import changed

    runtime.require_writable(output)
    card = train(
        generator,
        output,
        changed(TrainingSettings(), assignments(p)),
        distinct=pictures,
        minutes=minutes,
        device=runtime.device(device),
        compiled=compiled,
        progress=True,
    )
    print(f"{output}: {card['pictures_shown']} pictures shown in {card['hours']:.2f} hours")
    for name, value in card["quality"].items():
        print(f"{name}: {value:.4f}")


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
    if all and p:
        raise UserError("-p changes one item's notebook: name the item instead of --all.")
    executed = batch.run_all(profile) if all else [batch.run(item, profile, assignments(p))]
    for path in executed:
        print(f"executed notebook: {path}")


def assignments(pairs: tuple[str, ...]) -> dict:
    """("a=1", "b.c=[2, 3]") -> {"a": 1, "b.c": [2, 3]}, values read as YAML.  Raises UserError for anything else."""
    import yaml

    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UserError(f"-p wants NAME=VALUE, got {pair!r}.")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"-p {pair} cannot be read: a value is YAML, such as 5, 0.1, text or [1, 2].") from None
    return values


# What a machine refuses, as opposed to what we got wrong: a full disk or quota, no permission, a failing device.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
COMMANDS = {
    "fetch": fetch,
    "invert": invert,
    "diagnose": diagnose,
    "invert-episode": invert_episode,
    "fit": fit,
    "render": render,
    "episode": episode,
    "train-gan": train_gan,
    "train-encoder": train_encoder,
    "evaluate": evaluate,
    "list": list_items,
    "run": run,
}
DESCRIPTION = """The dynamics of a video in the latent space of a GAN, as a neural ODE.

Before anything is installed: `python -m dynode setup | reproduce | test`."""


def main(arguments: list[str]) -> int:
    """Run a command; 0 when done, 2 for a mistake of the user or a refusal of the machine, 130 when interrupted."""
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, args=arguments, prog="dynode", description=DESCRIPTION)
    except UserError as error:
        print(f"dynode: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        place = f" ({error.filename})" if error.filename else ""
        print(f"dynode: A file could not be read or written: {error.strerror}{place}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dynode: interrupted; finished frames are kept and the same command goes on from there.", file=sys.stderr)
        return 130
    return 0
