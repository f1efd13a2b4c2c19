"""Invert all frames of a source window by window, keep what is finished, return a clip: IGCI as an inversion.

A window slides by one frame and gives the code of its first; those of the last frames of a shot come from its last window
in reverse order.  A shot that is shorter than a window is one window.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.border import public
from dynode.generators import registry, tuned
from dynode.inversion import aligned_video, protocols
from dynode.inversion import encoder_files as encoders
from dynode.inversion.frame_sources import FrameSource, from_track
from dynode.inversion.invert_frames import (
    CPU_SECONDS_PER_STEP,
    assembled,
    computed_in,
    duration,
    noting_what_is_kept,
    print_warnings,
)
from dynode.inversion.joint import image_flow
from dynode.inversion.joint.window_losses import WindowLoss
from dynode.inversion.joint.window_settings import EMBEDDED, WindowSettings, fitted_to
from dynode.inversion.joint.windows import WindowInverter
from dynode.inversion.observer import NoObserver, ObservedCalls, Observer, observed_generator
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection, Projector
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.inversion.projection_settings import settings_for as projection_settings_for
from dynode.io import assets, locks
from dynode.io.images import resampled
from dynode.io.video import Stretch
from dynode.perception.face_detection import FaceDetector
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS

NAME = "igci"


@dataclass(frozen=True)
class Window:
    """Frames in the order in which they are inverted; of the first `kept` of them the codes are kept.

    follows: whether it starts from the code of the frame before its first.
    """

    frames: tuple[int, ...]
    kept: int
    follows: bool
    steps: int

    @property
    def order(self) -> np.ndarray:
        """Where the kept frames, sorted in time, stand in the window."""
        return np.argsort(self.frames[: self.kept])


def windows_of(source: FrameSource, settings: WindowSettings) -> list[Window]:
    """All windows of a source, shot by shot; frames without the face are left out."""
    windows, s = [], settings
    for shot in np.unique(source.shots):
        frames = tuple(np.flatnonzero(source.detected & (source.shots == shot)).tolist())
        length = min(s.window, len(frames))
        for k in range(len(frames) - length + 1 if length else 0):
            follows = k > 0 and s.start == "previous"
            windows.append(Window(frames[k : k + length], 1, follows, s.steps if follows else s.first_steps))
        if length > 1:
            windows.append(Window(frames[: -length - 1 : -1], length - 1, False, s.first_steps))
    return windows


class Pictures:
    """The images of a source's frames, each read once, for windows that slide."""

    def __init__(self, source: FrameSource, windows: list[Window], size: int):
        order = np.unique([k for window in windows for k in window.frames]).astype(int)
        self.held: dict[int, torch.Tensor] = {}
        self.coming: Iterator[tuple[int, torch.Tensor]] = zip(order.tolist(), source.images(order, size), strict=False)

    def of(self, window: Window) -> torch.Tensor:
        """(n, 3, R, R); frames before the window's first are forgotten."""
        self.held = {k: image for k, image in self.held.items() if k >= min(window.frames)}
        while max(window.frames) not in self.held:
            k, image = next(self.coming)
            self.held[k] = image
        return torch.stack([self.held[k] for k in window.frames])


class SourceInversion:
    """The inversion of one source: its networks, and how the frames that are kept are judged."""

    def __init__(self, name: str, settings: WindowSettings, device: torch.device | str, observer: Observer):
        network, of_faces = generators.load(name, device), generators.category_of(name) == "face"
        self.bare, self.observer, self.generator = network, observer, observed_generator(network, observer)
        self.settings = fitted_to(settings, network.resolution)
        vgg = LPIPS("vgg").to(device)
        self.inverter = WindowInverter(self.generator, WindowLoss(self.settings, vgg, observer), self.settings)
        judging = judged_by(projection_settings_for(network.resolution), self.settings)
        identity = Identity().to(device) if of_faces else None
        perceptual = vgg if judging.lpips_net == "vgg" else LPIPS(judging.lpips_net).to(device)
        self.judge = Projector(self.generator, perceptual, judging, identity)
        self.encoder = None
        if self.settings.start == "encoder" or (self.settings.encoded and network.name in encoders.shipped()):
            self.encoder = encoders.load(encoders.shipped_for(network), network)

    def start(self, images: torch.Tensor) -> torch.Tensor:
        """The first base (L, D) of a window (n, 3, R, R) without a predecessor."""
        average = self.generator.w_avg.expand(self.generator.num_ws, -1)
        if self.settings.start == "zero":
            return torch.zeros_like(average)
        if self.encoder is None:
            return average
        encode = ObservedCalls(self.encoder, self.observer, "encoder_passes")
        return encode(resampled(images[:1].to(average), min(256, self.generator.resolution)))[0]

    def quality(self, ws: torch.Tensor, images: torch.Tensor) -> list[Projection]:
        """Codes (n, L, D) of images (n, 3, R, R), judged as those of a projection, one after the other."""
        small = resampled(images, self.judge.settings.resolution)
        pairs = zip(ws.split(1), small.split(1), strict=True)
        return [each for w, image in pairs for each in self.judge.judged(w, self.judge.target(image))]

    def job(self, name: str, frames: int) -> dict:
        """What the inversion is, for a clip's metadata: results of one that differs in any of it cannot be continued."""
        job = {"frames": frames, "inversion": NAME, "generator": registry.base_of(name)}
        job |= {"generator_hash": self.bare.hash, "settings": recorded(self.settings, self.judge.settings)}
        job |= {"flow": image_flow.STAND_IN} if self.settings.lambda_flow else {}
        job |= {"encoder_hash": encoders.hash_of(encoders.shipped_for(self.bare))} if self.encoder is not None else {}
        return job | tuned.marked(registry.tuning_of(name))


def judged_by(usual: ProjectionSettings, settings: WindowSettings) -> ProjectionSettings:
    """A generator's usual settings of projection, by which codes are judged, at no higher a resolution than the windows'."""
    return dataclasses.replace(usual, resolution=min(usual.resolution, settings.resolution))


def recorded(settings: WindowSettings, judging: ProjectionSettings) -> dict:
    """The settings as a clip records them, with the network of its LPIPS."""
    return dataclasses.asdict(settings) | {"lpips_net": judging.lpips_net}


def invert_windows(
    source: FrameSource,
    output: Path | str,
    identity: dict,
    settings: WindowSettings,
    generator: str,
    *,
    metadata: dict | None = None,
    device: torch.device | str = "cpu",
    observer: Observer | None = None,
) -> clips.Clip:
    """Invert all frames of a source, window by window; write and return the clip.

    identity, metadata, observer: as in `invert_frames.invert_source`, and as there a run that was killed goes on.
    Raises UserError for codes that became NaN, and for a partial result of another inversion.
    """
    observer, started, output = observer or NoObserver(), time.time(), Path(output)
    inversion = SourceInversion(generator, settings, device, observer)
    job = identity | inversion.job(generator, len(source))
    with locks.claimed(output):
        partial = Partial(output, job)
        observer.count("steps_before", partial.steps)
        invert_all(inversion, source, partial, torch.device(device))
        meta = {"name": output.stem, "optimiser_steps": partial.steps, "protocol": "chain"} | job | (metadata or {})
        clip = assembled(source, partial, meta, device, round(time.time() - started)).halved()
        clip.save(output)
        partial.remove()
    return clip


@public
def invert(
    video_path: Path | str,
    output: Path | str,
    *,
    settings: WindowSettings = EMBEDDED,
    stretch: Stretch | None = None,
    face: str = "largest",
    generator: str = "mobilestylegan-ffhq",
    device: torch.device | str = "cpu",
) -> clips.Clip:
    """Invert the frames of a video that show the face, window by window; write and return the clip.

    Faces are followed and aligned as by `dynode.invert`, which this raises the same as; of a generator of anything else
    the middle square of every frame is taken.
    """
    device, stretch, chain = runtime.device(device), stretch or Stretch(), protocols.Protocol("chain")
    of_faces = generators.category_of(generator) == "face"
    with tqdm(desc="find faces" if of_faces else "read", unit="frame", mininterval=1, delay=0.1) as bar:
        if of_faces:
            track, _ = aligned_video.align_face(video_path, stretch, chain, face, FaceDetector(device), bar)
            print_warnings(track, video_path)
        else:
            track, _ = aligned_video.align_centre(video_path, stretch, chain, bar)
    identity = {"source": Path(video_path).name, "source_sha256": assets.sha256_of(Path(video_path))}
    identity |= {"stretch": dataclasses.asdict(stretch)} | ({"face": face} if of_faces else {})
    metadata = {"face_width": round(track.width, 1)} if of_faces else {}
    source = from_track(track, video_path)
    return invert_windows(source, output, identity, settings, generator, metadata=metadata, device=device)


def invert_all(inversion: SourceInversion, source: FrameSource, partial: Partial, device: torch.device) -> None:
    """Invert the windows that `partial` does not hold yet, with a progress bar in optimiser steps."""
    windows, done, s = windows_of(source, inversion.settings), len(partial.done), inversion.settings
    while done > 0:
        done -= windows.pop(0).kept
    print_estimate(windows, s, device)
    pictures = Pictures(source, windows, s.resolution)
    bar = tqdm(total=sum(window.steps for window in windows), desc="invert", unit="step", mininterval=2, delay=0.1)
    with bar, noting_what_is_kept(partial):

        def step() -> None:
            bar.update()
            inversion.observer.count("optimiser_steps")

        for window in windows:
            images = pictures.of(window)
            start = partial.done[-1].ws if window.follows else inversion.start(images)
            ws = inversion.inverter.invert(images, start, window.steps, step)
            projections = inversion.quality(ws[: window.kept], images[: window.kept])
            bar.set_postfix(mse=f"{projections[-1].mse:.4f}", lpips=f"{projections[-1].lpips:.3f}", refresh=False)
            partial.append([projections[k] for k in window.order], steps=window.steps)


def print_estimate(windows: list[Window], settings: WindowSettings, device: torch.device) -> None:
    """Print how long the windows will take about; on a GPU how much there is to do."""
    passes = sum(len(window.frames) * window.steps for window in windows)
    if not passes:
        return
    amount = f"{len(windows)} windows, {sum(window.steps for window in windows)} optimiser steps, {passes} passes of the generator"
    if device.type == "cpu":
        seconds = CPU_SECONDS_PER_STEP[computed_in(settings.precision, device)] * (settings.resolution / 256) ** 2
        amount += f": about {duration(seconds * passes)} on a CPU, less on a GPU"
    print(f"{amount}. It can be stopped and resumed at any window.")
