"""Invert a video: follow the face, project every frame, keep what is finished, return a clip."""

import dataclasses
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import assets, clips, generators, runtime
from dynode.errors import UserError
from dynode.inversion.partial import Partial
from dynode.inversion.projection import ProjectionSettings, Projector
from dynode.perception import tracking
from dynode.perception.faces import FaceDetector
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS
from dynode.video import Stretch

CPU_SECONDS_PER_STEP = 1.2  # two cores; an order of magnitude for the estimate printed before the work starts
SMALL_FACE = 150  # pixels; below, much of what a projection shows was not in the footage


def invert(
    video_path: Path | str,
    output: Path | str,
    *,
    settings: ProjectionSettings | None = None,
    stretch: Stretch | None = None,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
    device="cpu",
    compiled: bool = False,
) -> clips.Clip:
    """Project the frames of a video that show the face; write and return the clip.

    Frames where the face was not found get a code interpolated between their neighbours' and are marked: `detected`
    and `observed` are False.  A cut starts a new shot.  A run that was killed goes on where it stopped: finished
    frames lie in the folder `<output>.partial`.
    Raises UserError for an unreadable video, no face, a single frame, or a partial result of another job.
    """
    settings, stretch, output = settings or ProjectionSettings(), stretch or Stretch(), Path(output)
    with tqdm(desc="find faces", unit="frame", mininterval=1) as bar:
        track = tracking.track(video_path, stretch, face=face, detector=FaceDetector(device), progress=bar)
    warn(track, video_path)
    job = {
        "source_sha256": assets.sha256_of(Path(video_path)),
        "frames": len(track),
        "stretch": dataclasses.asdict(stretch),
        "face": face,
        "generator": generator,
        "generator_hash": generators.hash_of(generator),
        "settings": dataclasses.asdict(settings),
        "compiled": compiled,
    }
    partial, started = Partial(output, job), time.time()
    networks = generators.load(generator, device), LPIPS("vgg").to(device), settings, Identity().to(device)
    project_all(Projector(*networks, compiled=compiled), track, video_path, partial, settings)
    seconds = round(time.time() - started)
    clip = assembled(track, partial, {"name": output.stem, "source": Path(video_path).name} | job, device, seconds)
    clip.save(output)
    partial.remove()
    return clip


def warn(track: tracking.FaceTrack, path) -> None:
    """Say what a user would want to know before hours are spent."""
    if track.width < SMALL_FACE:
        print(f"The face in {path} is cut out {track.width:.0f} pixels wide: the codes will invent what is not there.")
    if not track.detected.all():
        print(f"The face was not found in {int((~track.detected).sum())} of {len(track)} frames: interpolated, marked.")
    if track.shots[-1] > 0:
        print(f"{track.shots[-1] + 1} shots, separated by cuts: each gets its own trajectory.")


def runs(track: tracking.FaceTrack, settings: ProjectionSettings) -> list[tuple[int, int]]:
    """(frames, optimiser steps) of every batch, in order; frames without the face are not projected."""
    shots = track.shots[track.detected]
    if settings.start == "w_avg":
        sizes = [min(settings.batch, len(shots) - k) for k in range(0, len(shots), settings.batch)]
        return [(size, settings.first_steps) for size in sizes]
    opens = np.flatnonzero(np.diff(shots, prepend=-1))
    return [(1, settings.first_steps if k in opens else settings.steps) for k in range(len(shots))]


def project_all(projector: Projector, track, video_path, partial: Partial, settings: ProjectionSettings) -> None:
    """Project the frames that `partial` does not hold yet, with a progress bar in optimiser steps."""
    batches, done = runs(track, settings), len(partial.done)
    while done > 0:
        done -= batches.pop(0)[0]
    steps = sum(count for _, count in batches)
    if steps > 100:
        left = sum(size for size, _ in batches)
        print(
            f"{left} frames, {steps} optimiser steps: about {steps * CPU_SECONDS_PER_STEP / 60:.0f} minutes "
            "on 2 CPU cores, a few minutes on a GPU. It can be stopped and resumed at any frame."
        )
    at = np.flatnonzero(track.detected)[len(partial.done) :]
    left = dataclasses.replace(track, ts=track.ts[at], quads=track.quads[at])
    crops = left.crops(video_path, settings.resolution)
    with tqdm(total=steps, desc="project", unit="step", mininterval=2) as bar:
        for size, count in batches:
            fresh = settings.start == "w_avg" or count == settings.first_steps and opens_shot(track, len(partial.done))
            previous = None if fresh else partial.done[-1].ws
            images = torch.stack(list(islice(crops, size)))
            projections = projector.frames(images, previous, callback=lambda *_: bar.update())
            bar.set_postfix(mse=f"{projections[-1].mse:.4f}", lpips=f"{projections[-1].lpips:.3f}")
            partial.append(projections)


def opens_shot(track: tracking.FaceTrack, k: int) -> bool:
    """Whether the k-th projected frame is the first of its shot."""
    shots = track.shots[track.detected]
    return k == 0 or shots[k] != shots[k - 1]


def assembled(track, partial: Partial, meta: dict, device, seconds: int) -> clips.Clip:
    """The clip of a finished inversion: codes of all frames, the missing ones interpolated in time."""
    codes = torch.stack([p.ws for p in partial.done])
    detected = torch.from_numpy(track.detected)
    ws = interpolated(codes, track.ts, track.detected)
    if not torch.isfinite(codes).all():
        raise UserError("The projection ended in NaN: lower the learning rates, or use precision float32.")
    quality = {"mse": "mse", "lpips_vgg": "lpips", "identity": "identity"}
    meta |= {key: [getattr(p, name) for p in partial.done] for key, name in quality.items()}
    meta["face_width"] = round(track.width, 1)
    meta["provenance"] = runtime.provenance(torch.device(device), seconds_last_run=seconds)
    return clips.Clip(
        ws, track.ts, detected, torch.from_numpy(track.quads), detected, torch.from_numpy(track.shots), meta
    )


def interpolated(codes: torch.Tensor, ts: np.ndarray, detected: np.ndarray) -> torch.Tensor:
    """Codes (T, L, D) of all times, from the codes (n, L, D) of the detected ones; linear between neighbours."""
    known = np.flatnonzero(detected)
    right = np.clip(np.searchsorted(known, np.arange(len(ts))), 1, len(known) - 1)
    before, after = ts[known[right - 1]], ts[known[right]]
    share = torch.from_numpy((ts - before) / (after - before)).to(codes)[:, None, None]
    return codes[right - 1].lerp(codes[right], share)
