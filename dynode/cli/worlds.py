"""Commands that draw worlds and invert their episodes."""

from pathlib import Path

from tyro.conf import Positional

from dynode.cli.dynamics import told
from dynode.cli.parameters import Output, Parameters, assignments
from dynode.io import files


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
        kind: scene: day, weather, winter. bird: flight, beats, take_off, landing. isaac3d: robot_x, robot_y, camera, circle.
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
        files.require_writable(path)
    drawn = worlds.world(world).episode(kind, seed, seconds)
    place = runtime.device(device)
    frames = film(drawn, output, fps=fps, resolution=resolution, truth=truth, device=place)
    print(f"{output}: {frames} frames at {fps:g} fps, {resolution} px")


def invert_episode(
    world: Positional[str],
    kind: Positional[str],
    output: Output = Path("clip.safetensors"),
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    generator: str = "",
    encoder: str = "",
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
        encoder: The file of an encoder, for -p start=encoder; the shipped one of the generator where none is named.
        p: Change a projection setting, such as steps=80, or start=encoder first_steps=0 conjugate_steps=10: an encoder's
            codes, and ten conjugate gradient steps from there.
        compiled: Use torch.compile: a minute longer to start, then faster; takes a C++ compiler.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import generators, runtime, worlds
    from dynode.inversion.invert_frames import invert_episode as run_inversion
    from dynode.inversion.projection import settings_for
    from dynode.settings import changed

    files.require_writable(output)
    drawn = worlds.world(world).episode(kind, seed, seconds)
    generator = generator or f"stylegan2-{world}"
    clip = run_inversion(
        drawn,
        output,
        fps=fps,
        settings=changed(settings_for(generators.resolution_of(generator)), assignments(p)),
        generator=generator,
        encoder=encoder,
        device=runtime.device(device),
        compiled=compiled,
    )
    print(f"{output}: {told(clip)}")


def flow_episode(
    generator: Positional[str],
    flows: Positional[tuple[str, ...]],
    output: Output = Path("clip.safetensors"),
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    longest: float = 6.0,
    device: str = "auto",
) -> None:
    """Make an episode by editing: a random code carried along flows; writes a clip, marked as synthetic.

    Args:
        generator: Such as stylegan2-scene, or a file of weights.
        flows: Flows of that generator, files as `dynode train-flow` writes them or shipped ones such as scene.fog; the first goes there, the second and back, ...
        output: The clip to write.
        seed: Seeds the code.
        seconds: Length of the episode.
        fps: Frames per second.
        longest: The farthest that a flow is followed, in units of W.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode import runtime
    from dynode.editing import flow_episode as making

    files.require_writable(output)
    choices = {"seed": seed, "seconds": seconds, "fps": fps, "longest": longest, "device": runtime.device(device)}
    clip = making.flow_episode(generator, flows, output, **choices)
    print(f"{output}: {len(clip)} frames by {', '.join(clip.meta['flows'])}; synthetic, the easy case")
