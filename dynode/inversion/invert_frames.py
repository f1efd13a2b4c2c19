"""Invert a video or an episode: project every frame, keep what is finished, return a clip."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.border import public
from dynode.errors import UserError
from dynode.generators import registry, tuned
from dynode.generators.protocol import Generator
from dynode.inversion import aligned_video, arrival, frame_sources, protocols, whitening
from dynode.inversion import encoder_files as encoders
from dynode.inversion.frame_sources import FrameSource
from dynode.inversion.observer import NoObserver, ObservedCalls, Observer, observed_generator
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projector
from dynode.inversion.projection_settings import ProjectionSettings, settings_for
from dynode.inversion.protocols import Batch, batches_of
from dynode.io import assets, locks
from dynode.io.video import Stretch
from dynode.perception.face_detection import FaceDetector
from dynode.perception.face_tracking import FaceTrack
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS
from dynode.worlds.episodes import Episode
from dynode.worlds.film import frame_times

CPU_SECONDS_PER_STEP = {
    "float32": 1.2,
    "bfloat16": 0.7,
}  # an order of magnitude, for the estimate before the work starts
WORTH_SAYING = 100  # steps; shorter work needs no estimate
SMALL_FACE = 150  # pixels; below, much of what a projection shows was not in the footage


@public
def invert(
    video_path: Path | str,
    output: Path | str,
    *,
    protocol: str = "",
    stride: int = 0,
    settings: ProjectionSettings | None = None,
    stretch: Stretch | None = None,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
    encoder: Path | str = "",
    device: torch.device | str = "cpu",
    compiled: bool = False,
) -> clips.Clip:
    """Project the frames of a video that show the face; write and return the clip.

    Of a generator of anything else than faces the middle square of every frame is projected.
    protocol: independent, observed or chain (`clips.PROTOCOLS`); "" for chain, or independent with settings that start there.
    stride: of the protocol observed, 4 by default: every N-th frame and the last are observed, all others held out.
    encoder: a file of one, for settings that start from it; the shipped one of the generator where none is named.
    Frames where the face was not found get a code interpolated between their neighbours' and are marked: `detected`
    and `observed` are False.  A cut starts a new shot.  A run that was killed goes on where it stopped: finished
    frames lie in the folder `<output>.partial`.
    Raises UserError for an unreadable video, no face, a single frame, or a partial result of another job.
    """
    device, stretch = runtime.device(device), stretch or Stretch()
    of_faces = generators.category_of(generator) == "face"
    settings = settings or usual_settings(protocol, generator)
    by = protocols.chosen(protocol, stride, settings)
    with tqdm(desc="find faces" if of_faces else "read", unit="frame", mininterval=1, delay=0.1) as bar:
        if of_faces:
            detector = FaceDetector(device)
            track, observed = aligned_video.align_face(video_path, stretch, by, face, detector, bar)
            print_warnings(track, video_path)
        else:
            track, observed = aligned_video.align_centre(video_path, stretch, by, bar)
    identity = {"source": Path(video_path).name, "source_sha256": assets.sha256_of(Path(video_path))}
    identity |= {"stretch": dataclasses.asdict(stretch)} | ({"face": face} if of_faces else {}) | by.identity
    choices = {"encoder": encoder, "device": device, "compiled": compiled}
    choices["metadata"] = by.metadata | ({"face_width": round(track.width, 1)} if of_faces else {})
    source = frame_sources.from_track(track, video_path, observed)
    return invert_source(source, output, identity, settings, generator, **choices)


@public
def invert_episode(
    episode: Episode,
    output: Path | str,
    *,
    fps: float = 24.0,
    protocol: str = "",
    stride: int = 0,
    settings: ProjectionSettings | None = None,
    generator: str = "",
    encoder: Path | str = "",
    device: torch.device | str = "cpu",
    compiled: bool = False,
) -> clips.Clip:
    """Project the frames of an episode of a world, drawn at the generator's resolution; write and return the clip.

    generator: that of the world where none is named; protocol, stride, encoder: as in `invert`.  Resumes and raises as
    `invert` does.
    """
    generator = generator or registry.of_world(episode.world)
    settings = settings or usual_settings(protocol, generator)
    by, ts = protocols.chosen(protocol, stride, settings), frame_times(episode, fps)
    if len(ts) < 2:
        raise UserError(f"A clip wants at least 2 frames, {episode.seconds:g} s at {fps:g} per second are {len(ts)}.")
    source = frame_sources.from_episode(episode, ts, device, by.stride or 1)
    described = {"world": episode.world, "kind": episode.kind, "seed": episode.seed, "seconds": episode.seconds}
    identity = {"source": f"{episode.world}/{episode.kind}", "episode": described} | by.identity
    choices = {"encoder": encoder, "device": device, "compiled": compiled, "metadata": by.metadata}
    return invert_source(source, output, identity, settings, generator, **choices)


def usual_settings(protocol: str, generator: str, start: str = "") -> ProjectionSettings:
    """The settings of a generator that a protocol begins with; "" for `chain`, or for what a start that is wanted implies."""
    usual, base = settings_for(generators.resolution_of(generator)), registry.base_of(generator)
    if start == "w_avg":
        return dataclasses.replace(usual, start=start)
    protocol = protocol or ("independent" if start == "encoder" else "")
    return protocols.settings_of(protocol, usual, base in encoders.shipped(), base in whitening.shipped())


def invert_source(
    source: FrameSource,
    output: Path | str,
    identity: dict,
    settings: ProjectionSettings | None,
    generator: str,
    *,
    metadata: dict | None = None,
    encoder: Path | str = "",
    device: torch.device | str = "cpu",
    compiled: bool = False,
    observer: Observer | None = None,
) -> clips.Clip:
    """Project all frames of a source; write and return the clip.

    identity: what the frames are; a partial result with another identity is refused.  metadata: more for the clip.
    observer: notified of every generated image, encoder pass and optimiser step.
    """
    observer, started, output = observer or NoObserver(), time.time(), Path(output)
    network = observed_generator(generators.load(generator, device), observer)
    settings = settings or usual_settings("", generator)
    if settings.encoded:
        encoder = Path(encoder) if encoder else encoders.shipped_for(network)
    elif encoder:
        raise UserError(
            "An encoder is read with start=encoder or start=moved: add one of them, or leave the encoder out."
        )
    job = identity | job_of(source, network, generator, settings, encoder, compiled)
    with locks.claimed(output):
        partial = Partial(output, job)
        observer.count("steps_before", partial.steps)
        projector = projector_of(network, generator, settings, encoder, compiled, device, observer)
        project_all(projector, source, partial, settings, observer, device)
        meta = {"name": output.stem, "optimiser_steps": partial.steps} | job | (metadata or {})
        clip = assembled(source, partial, meta, device, round(time.time() - started)).halved()
        clip.save(output)
        partial.remove()
    return clip


def job_of(
    source: FrameSource,
    network: Generator,
    generator: str,
    settings: ProjectionSettings,
    encoder: Path | str,
    compiled: bool,
) -> dict:
    """What an inversion is, for a clip's metadata: results of one that differs in any of it cannot be continued.

    A tuned generator is named as any clip names it: codes belong to its base.
    """
    job = {
        "frames": len(source),
        "generator": registry.base_of(generator),
        "generator_hash": network.hash,
        "settings": dataclasses.asdict(settings),
        "compiled": compiled,
    }
    job |= {} if settings.independent else {"arrival": arrival.rule()}
    return job | tuned.marked(registry.tuning_of(generator)) | hashes_of(network, settings, encoder)


def hashes_of(network: Generator, settings: ProjectionSettings, encoder: Path | str) -> dict[str, str]:
    """What identifies the files that decide codes beside the generator: those that the settings have a use for."""
    hashes = {"encoder_hash": encoders.hash_of(encoder)} if settings.encoded else {}
    if settings.optimiser == "whitened" and (curvature := whitening.hash_for(network)):
        hashes["curvature_hash"] = curvature
    return hashes


def projector_of(
    network: Generator,
    generator: str,
    settings: ProjectionSettings,
    encoder: Path | str,
    compiled: bool,
    device: torch.device | str,
    observer: Observer,
) -> Projector:
    """The projector with its networks: LPIPS, for faces an identity network, and an encoder where frames start from one."""
    of_faces, from_encoder = generators.category_of(generator) == "face", settings.encoded
    return Projector(
        network,
        LPIPS(settings.lpips_net).to(device),
        settings,
        Identity().to(device) if of_faces else None,
        compiled=compiled,
        encoder=ObservedCalls(encoders.load(encoder, network), observer, "encoder_passes") if from_encoder else None,
    )


def print_warnings(track: FaceTrack, path: Path | str) -> None:
    """Print what a user would want to know before hours are spent."""
    if track.width < SMALL_FACE:
        print(f"The face in {path} is cut out {track.width:.0f} pixels wide: the codes will invent what is not there.")
    if not track.detected.all():
        print(f"The face was not found in {int((~track.detected).sum())} of {len(track)} frames: interpolated, marked.")
    if track.shots[-1] > 0:
        print(f"{track.shots[-1] + 1} shots, separated by cuts: each gets its own trajectory.")


def project_all(
    projector: Projector,
    source: FrameSource,
    partial: Partial,
    settings: ProjectionSettings,
    observer: Observer,
    device: torch.device | str = "cpu",
) -> None:
    """Project the frames that `partial` does not hold yet, with a progress bar in optimiser steps."""
    batches, done = batches_of(source, settings), len(partial.done)
    while done > 0:
        done -= len(batches.pop(0).frames)
    print_estimate(batches, settings, torch.device(device))
    crops, position = source.pictures(settings.resolution, len(partial.done)), positions(source)
    bar = tqdm(total=sum(batch.steps for batch in batches), desc="project", unit="step", mininterval=2, delay=0.1)
    with bar, noting_what_is_kept(partial):
        taken = 0

        def step(*_) -> None:
            nonlocal taken
            taken += 1
            bar.update()
            observer.count("optimiser_steps")

        for batch in batches:
            if settings.independent:
                projector.rng.manual_seed(0)  # code noise must not depend on how many frames came before
            previous = None if batch.previous is None else partial.done[position[batch.previous]]
            before, images = taken, torch.stack(list(islice(crops, len(batch.frames))))
            projections = projector.frames(images, previous, callback=step)
            if batch.previous is not None:
                usual = arrival.usual_error(errors_before(source, partial, batch.previous))
                projections = [arrival.pursued(projector, images, projections[0], usual, step)]
                if late := arrival.given_up(projections[0], usual, source.ts[batch.frames[0]], taken - before):
                    bar.write(late)
            bar.set_postfix(mse=f"{projections[-1].mse:.4f}", lpips=f"{projections[-1].lpips:.3f}", refresh=False)
            partial.append(projections, steps=taken - before)


def errors_before(source: FrameSource, partial: Partial, previous: int) -> list[float]:
    """The MSEs of the observed frames of a shot up to frame `previous`, from which the next one starts."""
    led = np.flatnonzero(source.observed[: previous + 1] & (source.shots[: previous + 1] == source.shots[previous]))
    position = positions(source)
    return [partial.done[position[int(k)]].mse for k in led]


def positions(source: FrameSource) -> dict[int, int]:
    """Where the projection of a frame stands among those of all."""
    return {int(k): n for n, k in enumerate(source.projected)}


@contextlib.contextmanager
def noting_what_is_kept(partial: Partial) -> Iterator[None]:
    """Note on an interruption how many finished frames are on disk, for the command line to print."""
    try:
        yield
    except KeyboardInterrupt as stop:
        count = len(partial.done)
        stop.add_note(
            f"{count} inverted {'frame is' if count == 1 else 'frames are'} kept and the same command goes on from there."
            if count
            else "no frame was finished yet, so nothing is kept: the same command begins anew."
        )
        raise


def print_estimate(batches: list[Batch], settings: ProjectionSettings, device: torch.device) -> None:
    """Print how long the batches will take about, where it is worth it; on a GPU how much there is to do."""
    frames, steps = sum(len(batch.frames) for batch in batches), sum(batch.steps for batch in batches)
    amount = f"{frames} frames, {steps} optimiser steps"
    if steps <= WORTH_SAYING:
        return
    if device.type == "cpu":
        seconds = (
            CPU_SECONDS_PER_STEP[computed_in(settings.precision, device)] * (settings.resolution / 256) ** 2 * steps
        )
        amount += f": about {duration(seconds)} on a CPU, less on a GPU"
    print(f"{amount}. It can be stopped and resumed at any frame.")


def computed_in(precision: str, device: torch.device) -> str:
    """The precision of the settings, or float32 where a device has no fast instructions for bfloat16."""
    return precision if runtime.fast_bfloat16(device) else "float32"


def duration(seconds: float) -> str:
    """Roughly how long that is: "1 minute", "35 minutes", "2.5 hours"."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 120 else f"{seconds / 3600:.1f} hours"


def assembled(
    source: FrameSource, partial: Partial, meta: dict, device: torch.device | str, seconds: int
) -> clips.Clip:
    """The clip of a finished inversion: codes of all frames, the missing ones interpolated in time."""
    done = [partial.done[n] for _, n in sorted(positions(source).items())]
    codes = torch.stack([p.ws for p in done])
    if not torch.isfinite(codes).all():
        raise UserError("The projection ended in NaN: lower the learning rates, or use precision float32.")
    ws, detected = interpolated(codes, source.ts, source.detected), torch.from_numpy(source.detected)
    net = meta.get("settings", {}).get("lpips_net", "vgg")
    names = {"mse": "mse", f"lpips_{net}": "lpips", "identity": "identity"}
    quality = {key: [getattr(p, name) for p in done] for key, name in names.items()}
    meta |= {key: values for key, values in quality.items() if np.isfinite(values).all()}
    meta["computed_in"] = computed_in(meta.get("settings", {}).get("precision", "float32"), torch.device(device))
    meta["provenance"] = runtime.provenance(torch.device(device), seconds_last_run=seconds)
    quads = None if source.quads is None else torch.from_numpy(source.quads)
    shots, observed = torch.from_numpy(source.shots), torch.from_numpy(source.observed)
    return clips.Clip(ws, torch.from_numpy(source.ts), observed, quads, detected, shots, meta)


def interpolated(codes: torch.Tensor, ts: np.ndarray, detected: np.ndarray) -> torch.Tensor:
    """Codes (T, L, D) of all times, from the codes (n, L, D) of the detected ones; linear between neighbours, held beyond."""
    known = np.flatnonzero(detected)
    right = np.clip(np.searchsorted(known, np.arange(len(ts))), 1, len(known) - 1)
    before, after = ts[known[right - 1]], ts[known[right]]
    weight = torch.from_numpy(((ts - before) / (after - before)).clip(0, 1)).to(codes)[:, None, None]
    return codes[right - 1].lerp(codes[right], weight)
