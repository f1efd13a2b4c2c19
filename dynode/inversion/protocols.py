"""Protocols of an inversion: what the code of a frame may depend on, and the order of projections that follows from it."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dynode.clips import PROTOCOLS
from dynode.errors import UserError
from dynode.inversion.frame_sources import FrameSource
from dynode.inversion.projection_settings import ProjectionSettings, from_encoder, from_predecessor
from dynode.settings import choose

STRIDE = 4  # of `observed`, where none is given


@dataclass(frozen=True)
class Protocol:
    """A name of PROTOCOLS; stride: of `observed`, every N-th frame of the stretch and its last are observed; else 0."""

    name: str
    stride: int = 0

    def __post_init__(self):
        choose("protocol", self.name, PROTOCOLS)
        if self.name != "observed" and self.stride:
            raise UserError(
                f"A stride of {self.stride} belongs to the protocol observed, got the protocol {self.name}: leave it out, codes "
                "of this protocol are sampled when they are fitted."
            )
        if self.stride < 0:
            raise UserError(f"The stride must be at least 2, got {self.stride}: every N-th frame is observed.")
        if self.stride == 1:
            raise UserError(
                "The protocol observed holds frames out, and at a stride of 1 none is: choose a stride of 2 or more, or another "
                "protocol."
            )
        object.__setattr__(self, "stride", self.stride or STRIDE * (self.name == "observed"))

    @property
    def metadata(self) -> dict:
        """What a clip says of it."""
        return {"protocol": self.name} | ({"stride": self.stride} if self.stride else {})

    @property
    def identity(self) -> dict:
        """What it adds to the identity of a partial result; those of `chain` are older than the name."""
        return {} if self.name == "chain" else self.metadata


def chosen(name: str, stride: int, settings: ProjectionSettings) -> Protocol:
    """The protocol of that name, which the settings must fit; "" for the one that their start implies.

    Frames that start from the frame before them are a `chain`, all others `independent`.
    Raises UserError for a protocol whose frames start elsewhere than the settings say.
    """
    protocol = Protocol(name or ("independent" if settings.independent else "observed" if stride else "chain"), stride)
    if settings.independent and protocol.name != "independent":
        raise UserError(
            f"The protocol {protocol.name} starts a frame from the one before it, got start={settings.start}: choose "
            "start=moved or start=previous, or the protocol independent."
        )
    if protocol.name == "independent" and not settings.independent:
        raise UserError(
            f"The protocol independent starts each frame by itself, got start={settings.start}: choose start=encoder or "
            "start=w_avg, or another protocol."
        )
    if settings.independent and settings.stop_loss and settings.batch > 1:
        raise UserError(
            f"A stop_loss ends the {settings.batch} frames of a batch together, so they are not independent: choose batch=1."
        )
    return protocol


def settings_of(name: str, settings: ProjectionSettings, has_encoder: bool, has_curvature: bool) -> ProjectionSettings:
    """The settings that a protocol begins with, made of a generator's usual ones.

    Independent frames start from the encoder where one ships, and have few steps (`from_encoder`); else from w_avg.
    Others have few steps (`from_predecessor`) where the curvature that makes up for them ships.
    """
    if settings.independent:
        return settings
    if name != "independent":
        return from_predecessor(settings) if has_curvature else settings
    return from_encoder(settings) if has_encoder else dataclasses.replace(settings, start="w_avg")


@dataclass(frozen=True)
class Batch:
    """Frames of a source that are projected together, the observed frame whose code they start from, and their steps."""

    frames: tuple[int, ...]
    previous: int | None
    steps: int


def batches_of(source: FrameSource, settings: ProjectionSettings) -> list[Batch]:
    """All projections of a source in order: observed frames first, each of the others from the observed one before it.

    Frames without the face are not projected.
    """
    frames = source.projected.tolist()
    if settings.independent:
        steps = settings.first_steps + settings.conjugate_steps
        return [
            Batch(tuple(frames[k : k + settings.batch]), None, steps) for k in range(0, len(frames), settings.batch)
        ]
    previous = [observed_before(source, k) for k in frames]
    steps = [settings.first_steps if p is None else settings.steps for p in previous]
    return [Batch((k,), p, n + settings.conjugate_steps) for k, p, n in zip(frames, previous, steps, strict=True)]


def observed_before(source: FrameSource, k: int) -> int | None:
    """The last observed frame before frame k in its shot, None where there is none."""
    before = np.flatnonzero(source.observed[:k])
    return int(before[-1]) if len(before) and source.shots[before[-1]] == source.shots[k] else None
