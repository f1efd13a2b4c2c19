"""A clip: a video as a path in W+. Everything below inversion knows clips, nothing there knows videos."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from dynode import runtime
from dynode.border import as_json, mask_of, numbers, ordinary_modes, public, require
from dynode.errors import UserError
from dynode.io import code_files, outputs
from dynode.io.tensor_files import read_safetensors, write_safetensors
from dynode.settings import choose

FORMAT = "dynode-clip-1"
OPTIONAL = ("quads", "detected", "shots")
PER_FRAME = {"observed": (), "quads": (4, 2), "detected": (), "shots": ()}  # what each frame has of them
MASKS = ("observed", "detected")
SAMPLINGS = ("regular", "irregular")
PROTOCOLS = {  # what the code of a frame may depend on
    "independent": "each frame by itself, its alignment too",
    "observed": "observed frames on each other, no frame on one that is held out",
    "chain": "each frame on the one before it, its alignment on all",
}
SMOOTHED = "independent codes, smoothed alignment"  # of clips that were made before protocols had names


class ObservedFrames:
    """The field `observed` of a clip: a mask (T,) bool, which the constructor may leave out, or take None for all frames."""

    @overload
    def __get__(self, clip: None, owner: type) -> None: ...

    @overload
    def __get__(self, clip: "Clip", owner: type) -> torch.Tensor: ...

    def __get__(self, clip: "Clip | None", owner: type) -> torch.Tensor | None:
        return None if clip is None else clip.__dict__["observed"]  # of the class: the constructor's default

    def __set__(self, clip: "Clip", observed: torch.Tensor | None) -> None:
        clip.__dict__["observed"] = observed  # a mask from `Clip.__post_init__` on


@dataclass(frozen=True, repr=False)
class Clip:
    """Codes ws (T, L, D) float32 at strictly increasing times ts (T,) float64 in seconds.

    observed (T,) bool: the frames a method may see.  quads (T, 4, 2): where each face was cut from its frame, px.
    detected (T,) bool: the face was detected in that frame.  shots (T,) int, not decreasing: a cut begins a new one.
    meta: generator, generator_hash, source, settings, ...
    All of them come as tensors, arrays or lists in any type of real numbers: they are taken off their graph and device.
    Raises UserError for shapes that do not fit, fewer than two frames, times that do not increase, or NaN.
    """

    ws: torch.Tensor
    ts: torch.Tensor
    observed: ObservedFrames = ObservedFrames()  # None: all frames
    quads: torch.Tensor | None = None
    detected: torch.Tensor | None = None
    shots: torch.Tensor | None = None
    meta: dict = field(default_factory=dict)

    @ordinary_modes
    def __post_init__(self):
        ws, ts = squeeze_singleton(numbers(self.ws, "The codes of a clip")), numbers(self.ts, "The times of a clip")
        if ws.dim() != 3 or ts.shape != ws.shape[:1] or 0 in ws.shape[1:]:
            raise UserError(
                f"A clip wants codes (T, L, D) and times (T,), got {tuple(ws.shape)} and {tuple(ts.shape)}: "
                "one code of L style rows and D numbers for each time."
            )
        if len(ws) < 2:
            raise UserError(f"A clip wants at least 2 frames, got {len(ws)}: dynamics need a motion to learn.")
        ws, ts = ws.float(), ts.double()
        require_increasing(ts)
        bad = (~torch.isfinite(ws)).flatten(1).any(1).nonzero().flatten().tolist()
        if bad:
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise UserError(
                f"The codes of frames {', '.join(map(str, bad[:5]))}{more} hold NaN or infinite numbers: leave these frames "
                "out, or make their codes again."
            )
        per_frame = {name: per_frame_numbers(name, getattr(self, name), len(ws)) for name in PER_FRAME}
        observed, shots = per_frame["observed"], per_frame["shots"]
        observed = torch.ones(len(ws), dtype=torch.bool) if observed is None else observed
        if observed.sum() < 2:
            raise UserError(f"A clip wants at least 2 observed frames, got {int(observed.sum())} of {len(ws)}.")
        if shots is not None and (shots.diff() < 0).any():
            raise UserError("The clip's shots must be one number for each frame, never decreasing.")
        require(self.meta, Mapping, "The metadata of a clip are a dictionary")
        for name, value in (per_frame | {"ws": ws, "ts": ts, "observed": observed, "meta": dict(self.meta)}).items():
            object.__setattr__(self, name, value)

    def __repr__(self):
        shape, span = tuple(self.ws.shape[1:]), f"{float(self.ts[0]):g} to {float(self.ts[-1]):g} s"
        protocol = f", protocol {self.protocol}" if self.protocol else ""
        return f"<Clip {self.name}: {len(self)} codes {shape}, {int(self.observed.sum())} observed, {span}{protocol}>"

    def __len__(self):
        return len(self.ws)

    @property
    def name(self) -> str:
        return self.meta.get("name", "clip")

    @property
    def protocol(self) -> str:
        """How the frames became codes: of PROTOCOLS, or SMOOTHED; "" where that is unknown; "; " is before what else is to be known.

        Files without a record of it are named after where their inversion started; followed faces had smoothed squares.
        """
        settings = self.meta.get("settings", {})
        if "protocol" in self.meta or "steps" not in settings:
            return self.meta.get("protocol", "")
        if settings.get("start", "previous") == "previous":
            return "chain"
        return SMOOTHED if "face" in self.meta else "independent"

    @property
    def optimiser_steps(self) -> int:
        """Steps that inverting these frames took; 0 for codes that were not inverted.

        The inversion's own count, while the clip holds all of its frames; otherwise, and for files without that count,
        what its settings imply for these frames.
        """
        if "optimiser_steps" in self.meta and self.meta.get("frames") == len(self):
            return self.meta["optimiser_steps"]
        settings = self.meta.get("settings", {})
        if "steps" not in settings:
            return 0
        shots = torch.zeros(len(self), dtype=torch.long) if self.shots is None else self.shots
        detected = torch.ones(len(self), dtype=torch.bool) if self.detected is None else self.detected
        return implied_steps(shots[detected], settings)

    @ordinary_modes
    def where(self, keep: torch.Tensor) -> "Clip":
        """The frames where `keep` (T,) is true."""
        keep = mask_of(keep, len(self), "The frames to keep are")
        optional = {k: None if getattr(self, k) is None else getattr(self, k)[keep] for k in OPTIONAL}
        return replace(self, ws=self.ws[keep], ts=self.ts[keep], observed=self.observed[keep], **optional)

    @ordinary_modes
    def observations(self) -> "Clip":
        """Only the observed frames: all that a method is allowed to see."""
        return self.where(self.observed)

    @public
    def head(self, frames: int) -> "Clip":
        """The first `frames` frames."""
        return self.where(torch.arange(len(self)) < frames)

    @ordinary_modes
    def split(self) -> list["Clip"]:
        """One clip for each shot that holds at least two observed frames, named after its shot where there are several."""
        shots = self.shots
        if shots is None or (shots == shots[0]).all():
            return [self]
        parts = {int(k): shots == k for k in shots.unique()}
        kept = {k: self.where(part) for k, part in parts.items() if (self.observed & part).sum() >= 2}
        if not kept:
            raise UserError(f"No shot of {self.name} holds 2 observed frames: dynamics need a motion to learn.")
        return [replace(clip, meta=clip.meta | {"name": f"{self.name}.shot{k}"}) for k, clip in kept.items()]

    @public
    def sampled(
        self, sampling: str = "regular", stride: int = 2, seed: int = 0, hidden_end: int = 0, draw: int = 0
    ) -> "Clip":
        """Mark fewer frames as observed, among those that are.

        "regular": every `stride`-th frame and the last.  "irregular": as many, drawn at random with both ends: one of many
        draws of a seed.  Both ends of every shot stay observed, of the last `hidden_end` frames none (to extrapolate to).
        Raises UserError for what cannot be, for less than two frames, and for codes made with other frames held out.
        """
        chosen = runtime.seed_of_draw(seed, draw)
        observed = sampled_frames(self.observed, self.shots, sampling, stride, chosen, hidden_end)
        fixed = self.protocol.partition("; ")[0] == "observed" and not self.observed.all()
        if fixed and not torch.equal(observed, self.observed):
            raise UserError(
                f"The codes of {self.name} were made by the protocol observed at stride {self.meta.get('stride')}: a method may "
                "observe exactly those frames; leave the sampling out, or take codes of the protocol independent."
            )
        return replace(self, observed=observed)

    @ordinary_modes
    def halved(self) -> "Clip":
        """The same with codes as half precision knows them, which `save` then stores in half the space.

        That moves images of projected codes by an MSE of 3e-9.  Raises UserError for codes beyond 65,504.
        """
        return replace(self, ws=self.ws.half().float())

    @public
    def save(self, path: Path | str) -> Path:
        """Write as safetensors, atomically; codes that half precision holds exactly take two bytes a number, else four."""
        optional = {k: getattr(self, k) for k in OPTIONAL if getattr(self, k) is not None}
        half = self.ws.half()
        ws = half if torch.equal(half.float(), self.ws) else self.ws
        tensors = {"ws": ws, "ts": self.ts, "observed": self.observed, **optional}
        outputs.require_suffix(path, outputs.CLIP)
        whole = {k: v.clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
        write_safetensors(path, whole, FORMAT, meta=json.dumps(self.meta, sort_keys=True, default=as_json))
        return Path(path)

    @classmethod
    @public
    def load(cls, path: Path | str) -> "Clip":
        """Read a clip file.  Raises UserError when it is missing or something else."""
        code_files.refuse_foreign(Path(path))
        tensors, metadata = read_safetensors(Path(path), FORMAT, "a clip (as `dynode invert` writes it)")
        held, legal = set(tensors), {"ws", "ts", *PER_FRAME}
        if not {"ws", "ts"} <= held <= legal:
            raise UserError(
                f"{path} holds {', '.join(sorted(held)) or 'nothing'}: a clip wants ws and ts, and may hold "
                f"{', '.join(PER_FRAME)}."
            )
        try:
            meta = dict(json.loads(metadata.get("meta", "{}")))
        except ValueError:
            raise UserError(f"{path} has metadata that are no JSON object: write the clip with Clip.save.") from None
        return cls(**tensors, meta=meta)


def require_increasing(ts: torch.Tensor) -> None:
    """Raises UserError for times (T,) that are not finite, or do not strictly increase."""
    if not torch.isfinite(ts).all():
        raise UserError("The clip's times hold NaN or infinite numbers: give the seconds of every frame.")
    if not (ts.diff() > 0).all():
        raise UserError("The clip's times must strictly increase, in seconds: sort the frames and drop repeats.")


def per_frame_numbers(name: str, given: Any, frames: int) -> torch.Tensor | None:
    """A field of PER_FRAME of a clip in its own type.  Raises UserError for another shape, and for a mask of other numbers."""
    if given is None:
        return None
    if name in MASKS:
        return mask_of(given, frames, f"The clip's {name} is")
    values, wanted = numbers(given, f"The clip's {name}"), (frames, *PER_FRAME[name])
    if values.shape != wanted:
        raise UserError(f"The clip's {name} must be {wanted}, got {tuple(values.shape)}.")
    if name == "shots" and (values != values.round()).any():
        raise UserError("The clip's shots are whole numbers, one for each frame.")
    if name == "quads":
        return values if values.dtype in (torch.float32, torch.float64) else values.double()
    return values.long()


def sampled_frames(
    observed: torch.Tensor,
    shots: torch.Tensor | None = None,
    sampling: str = "regular",
    stride: int = 2,
    seed: int = 0,
    held_out_end: int = 0,
) -> torch.Tensor:
    """The frames (T,) bool that stay observed of those that are, `observed` (T,), as in `Clip.sampled`.

    shots: (T,) int; None is one shot.  held_out_end: none of the last N frames is observed.
    Raises UserError for what cannot be, and when less than two frames would be left to observe.
    """
    choose("sampling", sampling, SAMPLINGS)
    if stride < 1:
        raise UserError(f"The stride must be at least 1, got {stride}: every N-th frame is observed.")
    if held_out_end < 0:
        raise UserError(f"The number of frames to hold out at the end must be 0 or more, got {held_out_end}.")
    frames, rng = len(observed), torch.Generator().manual_seed(runtime.legal_seed(seed))
    allowed = observed & (torch.arange(frames) < frames - held_out_end)
    if allowed.sum() < 2:
        raise UserError(
            f"{int(allowed.sum())} of {frames} frames can be observed, with the last {held_out_end} held out: "
            "at least 2 are wanted."
        )
    shots = torch.zeros(frames, dtype=torch.long) if shots is None else shots
    kept = torch.zeros_like(allowed)
    for shot in shots.unique():
        indices = (allowed & (shots == shot)).nonzero().flatten()
        kept[sampled_indices(indices, sampling, min(stride, frames), rng)] = True
    return kept


def sampled_indices(indices: torch.Tensor, sampling: str, stride: int, rng: torch.Generator) -> torch.Tensor:
    """The frames to observe among the increasing `indices` of one shot; both ends always."""
    if len(indices) <= 2:
        return indices
    regular = torch.cat([indices[indices % stride == 0], indices[[0, -1]]]).unique()
    if sampling == "regular":
        return regular
    inner = indices[1:-1][torch.randperm(len(indices) - 2, generator=rng)]
    return torch.cat([inner[: len(regular) - 2], indices[[0, -1]]])


def implied_steps(shots: torch.Tensor, settings: Mapping) -> int:
    """The optimiser steps that the settings of an inversion imply for frames of these shots (n,) int.

    settings: the fields of `dynode.inversion.projection_settings.ProjectionSettings`.
    """
    first_steps, refinement = settings["first_steps"], settings.get("conjugate_steps", 0)
    if settings.get("start", "previous") != "previous":
        return -(-len(shots) // settings.get("batch", 1)) * (first_steps + refinement)
    openings = len(shots.unique())
    return openings * first_steps + (len(shots) - openings) * settings["steps"] + len(shots) * refinement


def squeeze_singleton(ws: torch.Tensor) -> torch.Tensor:
    """(T, 1, L, D), as the authors store codes, -> (T, L, D)."""
    return ws.squeeze(1) if ws.dim() == 4 and ws.shape[1] == 1 else ws


def shipped_names() -> list[str]:
    """Names of the clips that come with the package."""
    return list(runtime.shipped("codes"))


@public
def load(name_or_path: Path | str) -> Clip:
    """A shipped clip by name (such as "single_face.1"), or any clip file by path."""
    if path := runtime.shipped("codes").get(str(name_or_path)):
        return Clip.load(path)
    if str(name_or_path) and Path(name_or_path).exists() and Path(name_or_path).suffix.lower() not in code_files.VIDEOS:
        return Clip.load(name_or_path)
    raise UserError(code_files.no_clip(str(name_or_path), shipped_names()))


def example_codes(path: Path | str) -> Clip:
    """The authors' `all_latents.pth` (T, 1, L, D); a code's time is its number.  Raises UserError for other content."""
    ws = code_files.read_codes(path)
    if ws.dim() < 3:
        raise UserError(f"{path} holds numbers {tuple(ws.shape)}, a tensor of codes (T, 1, L, D) was wanted.")
    return Clip(ws, torch.arange(len(ws), dtype=torch.float64), meta={"name": "dynode-example"})


def every_fourth(name_or_path: Path | str, count: int = 11) -> Clip:
    """Every fourth code of a clip, named as what it is: a stand-in for the authors' example."""
    clip = load(name_or_path)
    thinned = clip.where(torch.arange(len(clip)) % 4 == 0).head(count)
    return replace(thinned, meta=clip.meta | {"name": f"stand-in[{clip.name}]"})


def stand_ins(footage: Iterable[Clip]) -> tuple[str, ...]:
    """The synthetic sources among some clips, sorted: rendered worlds, and latent flows that made the path of the codes."""
    known = [clip.meta for clip in footage]
    worlds = {f"rendered world {meta['episode']['world']}" for meta in known if "episode" in meta}
    return tuple(sorted(worlds | {"path made by latent flows" for meta in known if "flows" in meta}))


def frame_rate(ts: torch.Tensor) -> float:
    """Median frames per second of times (T,)."""
    return float(1 / np.median(np.diff(ts.numpy())))
