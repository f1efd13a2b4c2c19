"""Invert a video: track the face, project every frame, keep what is finished, return a clip."""

import dataclasses
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from dynode import assets, clips, generators, runtime
from dynode.errors import UserError
from dynode.inversion.projection import STARTS, ProjectionSettings, Projector
from dynode.perception import faces
from dynode.perception.lpips import LPIPS
from dynode.settings import choose, to_json

FORMAT = "dynode-partial-inversion-1"
CPU_SECONDS_PER_STEP = 1.2  # two cores; an order of magnitude for the estimate printed before the work starts


@dataclasses.dataclass(frozen=True)
class Job:
    """What identifies an inversion: a partial result is resumed only by the very same job."""

    source_sha256: str
    frames: int
    generator: str
    generator_hash: str
    settings: str


class Partial:
    """Finished codes on disk beside the output, rewritten after every frame."""

    def __init__(self, output: Path, job: Job):
        self.path = output.with_suffix(".partial.safetensors")
        self.job = json.dumps(dataclasses.asdict(job), sort_keys=True)
        self.codes: list[torch.Tensor] = []
        self.quality: list[tuple[float, float]] = []
        if self.path.is_file():
            self.resume()

    def resume(self) -> None:
        tensors, metadata = clips.read_safetensors(self.path, FORMAT, "a partial inversion")
        if metadata["job"] != self.job:
            raise UserError(
                f"{self.path} belongs to another inversion (other video, settings or weights): "
                "delete it, or choose another output."
            )
        self.codes = list(tensors["ws"])
        self.quality = [tuple(row) for row in tensors["quality"].tolist()]

    def append(self, projection) -> None:
        self.codes.append(projection.ws)
        self.quality.append((projection.mse, projection.lpips))
        tensors = {"ws": torch.stack(self.codes), "quality": torch.tensor(self.quality, dtype=torch.float64)}
        with runtime.written_whole(self.path) as scratch:
            save_file(tensors, scratch, {"format": FORMAT, "job": self.job})


def total_steps(frames: int, settings: ProjectionSettings) -> int:
    if settings.start == "w_avg":
        return frames * settings.first_steps
    return settings.first_steps + (frames - 1) * settings.steps


def invert(
    video_path: Path | str,
    output: Path | str,
    *,
    settings: ProjectionSettings | None = None,
    frames: int | None = None,
    generator: str = "mobilestylegan-ffhq",
    device="cpu",
) -> clips.Clip:
    """Project the first `frames` frames (default all) of a video; write and return the clip.

    A run that was killed goes on where it stopped: finished frames lie in `<output>.partial.safetensors`.
    Raises UserError for an unreadable video, no face, a single frame, or a partial result of another job.
    """
    settings, output = settings or ProjectionSettings(), Path(output)
    choose("start", settings.start, dict.fromkeys(STARTS))
    with tqdm(desc="find faces", unit="frame", mininterval=1) as bar:
        track = faces.track(video_path, frames, settings.resolution, bar)
    if len(track.ts) < 2:
        raise UserError(f"{video_path} gave 1 frame, at least 2 are wanted: dynamics need a motion to learn.")
    source = assets.sha256_of(Path(video_path))
    job = Job(source, len(track.ts), generator, generators.hash_of(generator), to_json(settings))
    partial = Partial(output, job)
    started = time.time()
    projector = Projector(generators.load(generator, device), LPIPS("vgg").to(device), settings)
    project_all(projector, track.crops, partial, settings)
    meta = {
        "name": output.stem,
        "source": Path(video_path).name,
        **dataclasses.asdict(job),
        "settings": dataclasses.asdict(settings),
        "provenance": runtime.provenance(torch.device(device), seconds_last_run=round(time.time() - started)),
        "mse": [mse for mse, _ in partial.quality],
        "lpips_vgg": [lpips for _, lpips in partial.quality],
    }
    clip = clips.Clip(
        torch.stack(partial.codes),
        track.ts,
        torch.from_numpy(track.detected),
        torch.from_numpy(track.quads),
        torch.from_numpy(track.detected),
        meta,
    )
    clip.save(output)
    partial.path.unlink(missing_ok=True)
    return clip


def project_all(projector: Projector, crops: torch.Tensor, partial: Partial, settings: ProjectionSettings) -> None:
    """Project the frames that `partial` does not hold yet, with a progress bar in optimiser steps."""
    done, total = len(partial.codes), total_steps(len(crops), settings)
    left = total - (total_steps(done, settings) if done else 0)
    if left > 100:
        print(
            f"{len(crops) - done} frames, {left} optimiser steps: about {left * CPU_SECONDS_PER_STEP / 60:.0f} minutes "
            "on 2 CPU cores, a few minutes on a GPU. It can be stopped and resumed at any frame."
        )
    with tqdm(total=total, initial=total - left, desc="project", unit="step", mininterval=2) as bar:
        for image in crops[done:]:
            previous = partial.codes[-1] if partial.codes else None
            projection = projector.frame(image, previous, callback=lambda *_: bar.update())
            bar.set_postfix(mse=f"{projection.mse:.4f}", lpips=f"{projection.lpips:.3f}")
            partial.append(projection)
