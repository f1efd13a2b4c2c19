"""Invert a video or an episode: project every frame, keep what is finished, return a clip."""

import dataclasses
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.errors import UserError
from dynode.inversion import encoder as encoders
from dynode.inversion import frame_sources
from dynode.inversion.frame_sources import Footage
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import ProjectionSettings, Projector, settings_for
from dynode.io import assets
from dynode.io.video import Stretch
from dynode.perception import face_tracking
from dynode.perception.face_detection import FaceDetector
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS
from dynode.worlds.episodes import Episode
from dynode.worlds.film import frame_times

CPU_SECONDS_PER_STEP = 1.2  # two cores; an order of magnitude for the estimate printed before the work starts
SMALL_FACE = 150  # pixels; below, much of what a projection shows was not in the footage


class Unwatched:
    """Who watches an inversion wraps its networks and is told of every optimiser step; this one does nothing."""

    def generator(self, network):
        return network

    encoder = generator

    def step(self) -> None:
        pass


def invert(
    video_path: Path | str,
    output: Path | str,
    *,
    settings: ProjectionSettings | None = None,
    stretch: Stretch | None = None,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
    encoder: Path | str = "",
    device="cpu",
    compiled: bool = False,
) -> clips.Clip:
    """Project the frames of a video that show the face; write and return the clip.

    Of a generator of anything else than faces the middle square of every frame is projected.
    encoder: a file of one, for settings that start from it; the shipped one of the generator where none is named.
    Frames where the face was not found get a code interpolated between their neighbours' and are marked: `detected`
    and `observed` are False.  A cut starts a new shot.  A run that was killed goes on where it stopped: finished
    frames lie in the folder `<output>.partial`.
    Raises UserError for an unreadable video, no face, a single frame, or a partial result of another job.
    """
    stretch, about_faces = stretch or Stretch(), generators.category_of(generator) == "face"
    with tqdm(desc="find faces" if about_faces else "read", unit="frame", mininterval=1) as bar:
        if about_faces:
            track = face_tracking.track(video_path, stretch, face=face, detector=FaceDetector(device), progress=bar)
            warn(track, video_path)
        else:
            track = face_tracking.middle(video_path, stretch, progress=bar)
    footage = frame_sources.of_track(track, video_path)
    named = {"source": Path(video_path).name, "source_sha256": assets.sha256_of(Path(video_path))}
    named |= {"stretch": dataclasses.asdict(stretch)} | ({"face": face} if about_faces else {})
    told = {"face_width": round(track.width, 1)} if about_faces else {}
    choices = {"encoder": encoder, "device": device, "compiled": compiled}
    return invert_footage(footage, output, named, settings, generator, told, **choices)


def invert_episode(
    episode: Episode,
    output: Path | str,
    *,
    fps: float = 24.0,
    settings: ProjectionSettings | None = None,
    generator: str = "",
    encoder: Path | str = "",
    device="cpu",
    compiled: bool = False,
) -> clips.Clip:
    """Project the frames of an episode of a world, drawn at the generator's resolution; write and return the clip.

    generator: that of the world where none is named; encoder: as in `invert`.  Resumes and raises as `invert` does.
    """
    footage = frame_sources.of_episode(episode, frame_times(episode, fps), device)
    told = {"world": episode.world, "kind": episode.kind, "seed": episode.seed, "seconds": episode.seconds}
    named = {"source": f"{episode.world}/{episode.kind}", "episode": told}
    choices = {"encoder": encoder, "device": device, "compiled": compiled}
    return invert_footage(footage, output, named, settings, generator or f"stylegan2-{episode.world}", **choices)


def invert_footage(
    footage, output, named, settings, generator, told=None, *, encoder="", device="cpu", compiled=False, watch=None
):
    """Project all frames of some footage; `named` says what it is and decides whether a partial result belongs to it.

    watch: such as `Unwatched`.
    """
    watch = watch or Unwatched()
    started, output, network = time.time(), Path(output), watch.generator(generators.load(generator, device))
    settings = settings or settings_for(network.resolution)
    job = named | {
        "frames": len(footage),
        "generator": generator,
        "generator_hash": network.hash,
        "settings": dataclasses.asdict(settings),
        "compiled": compiled,
    }
    if settings.start == "encoder":
        encoder = Path(encoder) if encoder else encoders.shipped_for(network)
        job["encoder_hash"] = encoders.hash_of(encoder)
    partial = Partial(output, job)
    identity = Identity().to(device) if generators.category_of(generator) == "face" else None
    projector = Projector(
        network,
        LPIPS(settings.lpips_net).to(device),
        settings,
        identity,
        compiled=compiled,
        encoder=watch.encoder(encoders.load(encoder, network)) if settings.start == "encoder" else None,
    )
    project_all(projector, footage, partial, settings, watch)
    meta = {"name": output.stem} | job | (told or {})
    clip = assembled(footage, partial, meta, device, round(time.time() - started)).halved()
    clip.save(output)
    partial.remove()
    return clip


def warn(track: face_tracking.FaceTrack, path) -> None:
    """Say what a user would want to know before hours are spent."""
    if track.width < SMALL_FACE:
        print(f"The face in {path} is cut out {track.width:.0f} pixels wide: the codes will invent what is not there.")
    if not track.detected.all():
        print(f"The face was not found in {int((~track.detected).sum())} of {len(track)} frames: interpolated, marked.")
    if track.shots[-1] > 0:
        print(f"{track.shots[-1] + 1} shots, separated by cuts: each gets its own trajectory.")


def runs(footage: Footage, settings: ProjectionSettings) -> list[tuple[int, int]]:
    """(frames, optimiser steps) of every batch, in order; frames without the face are not projected."""
    shots = footage.shots[footage.detected]
    if settings.independent:
        sizes = [min(settings.batch, len(shots) - k) for k in range(0, len(shots), settings.batch)]
        return [(size, settings.first_steps + settings.conjugate_steps) for size in sizes]
    opens = np.flatnonzero(np.diff(shots, prepend=-1))
    steps = [settings.first_steps if k in opens else settings.steps for k in range(len(shots))]
    return [(1, count + settings.conjugate_steps) for count in steps]


def project_all(projector: Projector, footage: Footage, partial: Partial, settings: ProjectionSettings, watch) -> None:
    """Project the frames that `partial` does not hold yet, with a progress bar in optimiser steps."""
    batches, done = runs(footage, settings), len(partial.done)
    while done > 0:
        done -= batches.pop(0)[0]
    steps = sum(count for _, count in batches)
    if steps > 100:
        left = sum(size for size, _ in batches)
        seconds = CPU_SECONDS_PER_STEP * (settings.resolution / 256) ** 2
        print(
            f"{left} frames, {steps} optimiser steps: about {steps * seconds / 60:.0f} minutes "
            "on 2 CPU cores, a few minutes on a GPU. It can be stopped and resumed at any frame."
        )
    left = np.flatnonzero(footage.detected)[len(partial.done) :]
    crops = footage.images(left, settings.resolution)
    with tqdm(total=steps, desc="project", unit="step", mininterval=2) as bar:

        def stepped(*_) -> None:
            bar.update()
            watch.step()

        for size, _ in batches:
            fresh = settings.independent or opens_shot(footage, len(partial.done))
            previous = None if fresh else partial.done[-1].ws
            images = torch.stack(list(islice(crops, size)))
            projections = projector.frames(images, previous, callback=stepped)
            bar.set_postfix(mse=f"{projections[-1].mse:.4f}", lpips=f"{projections[-1].lpips:.3f}")
            partial.append(projections)


def opens_shot(footage: Footage, k: int) -> bool:
    """Whether the k-th projected frame is the first of its shot."""
    shots = footage.shots[footage.detected]
    return k == 0 or shots[k] != shots[k - 1]


def assembled(footage: Footage, partial: Partial, meta: dict, device, seconds: int) -> clips.Clip:
    """The clip of a finished inversion: codes of all frames, the missing ones interpolated in time."""
    codes = torch.stack([p.ws for p in partial.done])
    detected = torch.from_numpy(footage.detected)
    ws = interpolated(codes, footage.ts, footage.detected)
    if not torch.isfinite(codes).all():
        raise UserError("The projection ended in NaN: lower the learning rates, or use precision float32.")
    net = meta.get("settings", {}).get("lpips_net", "vgg")
    quality = {"mse": "mse", f"lpips_{net}": "lpips", "identity": "identity"}
    found = {key: [getattr(p, name) for p in partial.done] for key, name in quality.items()}
    meta |= {key: values for key, values in found.items() if np.isfinite(values).all()}
    meta["provenance"] = runtime.provenance(torch.device(device), seconds_last_run=seconds)
    quads = None if footage.quads is None else torch.from_numpy(footage.quads)
    return clips.Clip(ws, footage.ts, detected, quads, detected, torch.from_numpy(footage.shots), meta)


def interpolated(codes: torch.Tensor, ts: np.ndarray, detected: np.ndarray) -> torch.Tensor:
    """Codes (T, L, D) of all times, from the codes (n, L, D) of the detected ones; linear between neighbours."""
    known = np.flatnonzero(detected)
    right = np.clip(np.searchsorted(known, np.arange(len(ts))), 1, len(known) - 1)
    before, after = ts[known[right - 1]], ts[known[right]]
    share = torch.from_numpy((ts - before) / (after - before)).to(codes)[:, None, None]
    return codes[right - 1].lerp(codes[right], share)
