"""Commands that draw worlds and invert their episodes."""

from tyro.conf import Positional

from dynode.cli.dynamics import inversion_summary
from dynode.cli.options import (
    Compiled,
    Device,
    GeneratorName,
    KindName,
    OptionalPath,
    Output,
    Protocol,
    WorldName,
    output_path,
    stem,
)
from dynode.cli.parameters import Parameters, assignments, settings_with


def episode(
    world: WorldName,
    kind: KindName,
    output: Output = None,
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    resolution: int = 256,
    truth: OptionalPath = None,
    device: Device = "auto",
) -> None:
    """Draw an episode of a world, a scene whose factors are known at every instant; writes an .mp4.

    Args:
        world: scene, bird or isaac3d.
        kind: scene: day, weather, winter. bird: flight, beats, take_off, landing,
            fast_flight, fast_take_off, fast_landing. isaac3d: robot_x, robot_y, camera, circle.
        output: The video to write, by default WORLD-KIND.mp4.
        seed: Seeds what stands still and how the rest moves.
        seconds: Length of the episode.
        fps: Frames per second.
        resolution: Pixels a side.
        truth: Also write time and factors of every frame as .csv.
    """
    from dynode import runtime, worlds
    from dynode.evaluation.counts import counted
    from dynode.worlds.film import film

    output = output_path(output, f"{world}-{kind}.mp4")
    truth = truth and output_path(truth, "")
    drawn = worlds.world(world).episode(kind, seed, seconds)
    chosen = runtime.device(device)
    frames = film(drawn, output, fps=fps, resolution=resolution, truth=truth, device=chosen)
    print(f"{output}: {counted(frames, 'frame')} at {fps:g} fps, {resolution} px")


def invert_episode(
    world: WorldName,
    kind: KindName,
    output: Output = None,
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    protocol: Protocol = "",
    stride: int = 0,
    generator: str = "",
    encoder: str = "",
    p: Parameters = (),
    compiled: Compiled = False,
    device: Device = "auto",
) -> None:
    """Draw an episode of a world and project every frame; writes a clip with its ground truth.

    Args:
        world: scene, bird or isaac3d.
        kind: See `dynode world episode --help`.
        output: The clip to write, by default WORLD-KIND.safetensors; a killed run resumes from the partial result beside it.
        seed: Seeds what stands still and how the rest moves.
        seconds: Length of the episode.
        fps: Frames per second.
        stride: Of the protocol observed, 4 by default: every N-th frame and the last are observed, the others held out.
        generator: By default that of the world; NAME@w or NAME@z for codes of one row.
        encoder: The file of an encoder, for -p start=encoder; by default the shipped one of the generator.
        p: Change a projection setting, such as steps=80; start=encoder first_steps=0 conjugate_steps=10: an encoder's codes and ten conjugate gradient steps.
    """
    from dynode import runtime, worlds
    from dynode.generators import registry
    from dynode.inversion.invert_frames import invert_episode as run_inversion
    from dynode.inversion.invert_frames import usual_settings

    output = output_path(output, f"{world}-{kind}.safetensors", generator, encoder)
    drawn = worlds.world(world).episode(kind, seed, seconds)
    generator = generator or registry.of_world(world)
    settings = settings_with(usual_settings(protocol, generator, assignments(p).get("start", "")), p)
    choices = {"generator": generator, "encoder": encoder, "compiled": compiled, "protocol": protocol, "stride": stride}
    clip = run_inversion(drawn, output, fps=fps, settings=settings, device=runtime.device(device), **choices)
    print(f"{output}: {inversion_summary(clip)}")


def flow_episode(
    generator: GeneratorName,
    flows: Positional[tuple[str, ...]],
    output: Output = None,
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24,
    longest: float = 6.0,
    device: Device = "auto",
) -> None:
    """Make an episode by editing: a random code is moved along flows; writes a clip, marked as synthetic.

    Args:
        generator: Such as stylegan2-scene-factors, or a file of weights.
        flows: Flows of that generator, files as `dynode train flow` writes them or shipped ones such as scene.fog; the first is followed there, the second there and back, ...
        output: The clip to write, by default FLOW-FLOW.safetensors.
        seed: Seeds the code.
        seconds: Length of the episode.
        fps: Frames per second.
        longest: The longest path along a flow, in units of W.
    """
    from dynode import runtime
    from dynode.editing import flow_episode as making

    output = output_path(output, f"{'-'.join(map(stem, flows)) or 'flow'}.safetensors", generator, *flows)
    choices = {"seed": seed, "seconds": seconds, "fps": fps, "longest": longest, "device": runtime.device(device)}
    clip = making.flow_episode(generator, flows, output, **choices)
    print(f"{output}: {len(clip)} frames by {', '.join(clip.meta['flows'])}; synthetic, the easy case")
