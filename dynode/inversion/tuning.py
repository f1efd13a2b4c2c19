"""Pivotal tuning (Roich et al. 2021): a generator's weights are changed until the codes of a clip show its frames.

Only observed frames take part.  The pivots, the clip's codes, stay fixed, or are refined together with the weights.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynode import generators, runtime
from dynode.border import public
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.inversion.frame_sources import reference_frames
from dynode.inversion.projection_settings import PRECISIONS
from dynode.inversion.tuning_losses import TuningLoss, Weights
from dynode.inversion.tuning_regions import FaceRegions
from dynode.inversion.tuning_settings import TuningSettings, settings_for
from dynode.inversion.tuning_steps import Tuner
from dynode.io import locks, names, outputs
from dynode.io.code_files import digest
from dynode.perception.face_api import Landmarks
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS


@dataclass(frozen=True)
class TunedClip:
    """A tuning and the clip that it was made of, which now names it; its observed codes are refined where they were to be."""

    tuning: tuned.Tuning
    clip: Clip


@public
def tune(
    clip: Clip,
    output: Path | str,
    settings: TuningSettings | None = None,
    *,
    footage: Path | str = "",
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> TunedClip:
    """Tune the generator of a clip on the clip's observed frames; writes the tuning, a .safetensors that names its base.

    footage: the clip's video, "" to look for it; frames of a world are rendered.  minutes: in all, also over several runs; the
    learning rate falls to 0 by then.  A run that was killed goes on from the checkpoint beside the output.
    Raises UserError for a clip without frames, of other weights, and for a checkpoint of another tuning.
    """
    output, device = Path(output), runtime.device(device)
    outputs.require_suffix(output, outputs.CLIP)
    settings = settings or usual_settings(clip)
    if not minutes > 0:
        raise UserError(f"The minutes of a tuning must be above 0, got {minutes:g}: leave them out to tune to the end.")
    generator, observed = loaded(clip, settings, device), clip.observations()
    loss = loss_of(clip, settings, device)
    checkpoint = names.beside(output, ".checkpoint")
    with locks.claimed(output):
        frames = reference_frames(observed, settings.resolution, footage)
        tuner = Tuner(generator, observed.ws, frames, settings, loss)
        job = json.dumps(job_of(observed, settings), sort_keys=True)
        tuner.resume(checkpoint, job)
        tuner.run(checkpoint, job, minutes=minutes, progress=progress)
        limit = {"minutes": minutes} if math.isfinite(minutes) else {}
        card = card_of(observed, clip, settings, tuner, loss) | limit | {"provenance": runtime.provenance(device)}
        base = clip.meta["generator"].partition("@")[0]
        tuned.write(output, tuner.differences(), base, generator.hash, card)
        checkpoint.unlink(missing_ok=True)
    tuning = tuned.read(output)
    return TunedClip(tuning, refined(clip, tuner.codes() if settings.codes_lr else None, tuning))


def usual_settings(clip: Clip) -> TuningSettings:
    """The settings for a clip's generator.  Raises UserError for a clip that names none."""
    if not clip.meta.get("generator"):
        raise UserError(f"{clip.name} names no generator of its codes: there is nothing to tune.")
    return settings_for(generators.resolution_of(clip.meta["generator"]))


def loaded(clip: Clip, settings: TuningSettings, device: torch.device) -> Generator:
    """The generator of a clip that can be tuned.  Raises UserError for a clip of other weights or without frames."""
    name = clip.meta.get("generator", "")
    generators.require_same(name, clip.meta.get("generator_hash", ""), f"The clip {clip.name}")
    if tuned.is_tuning(name):
        raise UserError(f"{clip.name} has codes of {name}, which is a tuning: tune the generator that it tunes.")
    if "flows" in clip.meta:
        raise UserError(f"{clip.name} was made in latent space: it has no frames to tune a generator on.")
    if clip.quads is None and "episode" not in clip.meta:
        raise UserError(
            f"The codes of {clip.name} came without the squares their frames were cut from, so there are no frames to tune a "
            "generator on: invert the video by `dynode invert`."
        )
    if settings.resolution > generators.resolution_of(name):
        raise UserError(
            f"The images of {name} have {generators.resolution_of(name)} pixels a side, the resolution of a tuning can be "
            f"no larger, got {settings.resolution}."
        )
    return generators.load(name, device)


def loss_of(clip: Clip, settings: TuningSettings, device: torch.device) -> TuningLoss:
    """The loss of a tuning, with its networks: LPIPS; of faces, identity and landmarks where they have a weight."""
    s, of_faces = settings, generators.category_of(clip.meta["generator"]) == "face"
    return TuningLoss(
        LPIPS(s.lpips_net, checked=False).to(device),
        Weights(s.lambda_mse, s.lambda_lpips, s.lambda_id, s.regions),
        Identity().to(device) if of_faces and s.lambda_id else None,
        FaceRegions(Landmarks().to(device)) if of_faces and s.regions != 1 else None,
        s.lpips_resolution,
        PRECISIONS[s.precision],
    )


def job_of(observed: Clip, settings: TuningSettings) -> dict[str, Any]:
    """What a tuning is: a checkpoint of one that differs in any of it cannot be continued."""
    meta = observed.meta
    known = {key: meta.get(key) for key in ("generator", "generator_hash", "source_sha256", "episode")}
    return known | {"ts": observed.ts.tolist(), "codes": digest(observed.ws), "settings": settings.identity}


def card_of(observed: Clip, clip: Clip, settings: TuningSettings, tuner: Tuner, loss: TuningLoss) -> dict[str, Any]:
    """What a tuning's file keeps: the clip and its observed frames, settings, loss curve, cost, how regions were made."""
    known = {key: clip.meta[key] for key in ("source", "source_sha256", "episode") if key in clip.meta}
    frames = clip.observed.nonzero().flatten().tolist()
    regions = loss.regions.by if isinstance(loss.regions, FaceRegions) else {}
    return {
        "clip": {"name": clip.name, **known, "frames": len(clip), "observed": frames}
        | {"ts": observed.ts.tolist(), "codes": digest(observed.ws)},
        "settings": settings.identity,
        "steps": tuner.done,
        "seconds": round(tuner.seconds, 1),
        "stopped_early": tuner.arrived,
        "curve": [[float(f"{value:.5g}") for value in row] for row in tuner.curve],  # loss, LPIPS, MSE of each step
        "regions": regions,
    }


def refined(clip: Clip, codes: torch.Tensor | None, tuning: tuned.Tuning) -> Clip:
    """The clip with its tuning in its metadata, and with refined codes (n, L, D) of its observed frames, whose times it keeps."""
    meta = clip.meta | {"tuning": tuning.mark}
    if codes is None:
        return dataclasses.replace(clip, meta=meta)
    ws = clip.ws.clone()
    ws[clip.observed] = codes.half().float()  # as `Clip.save` stores them in two bytes a number
    return dataclasses.replace(clip, ws=ws, meta=meta | {"refined": clip.ts[clip.observed].tolist()})
