"""Whether a frame that starts from the code of another has arrived, and what is tried where it has not.

A warm start has few steps, enough for a face that has hardly moved.  Where it has moved too far, the code stays between
two frames: its error is far above that of the frame it started from.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import torch

from dynode.inversion.projection import Callback, Projection, Projector

# No frame of the shipped clips that starts from the one before it has more than 1.5 times its MSE.
FAR = 2.5  # times the MSE of the last frame that arrived
LONGER = 2  # times the usual steps, of going on


def rule() -> dict:
    """What a frame that starts from the one before it gets where it has not arrived; other codes come of other rules."""
    return {"tried": "more steps, then afresh", "far": FAR, "longer": LONGER}


def usual_error(errors: Sequence[float]) -> float:
    """The MSE of the last frame that arrived, of those (n >= 1) that led to the next, the first of which counts as one."""
    usual = errors[0]
    for error in errors:
        usual = error if error <= FAR * usual else usual
    return usual


def pursued(
    projector: Projector, images: torch.Tensor, first: Projection, usual: float, callback: Callback | None = None
) -> Projection:
    """The best projection of one frame: the first where it has arrived, else of what is tried until one has.

    images: (1, 3, R, R), the frame.  usual: `usual_error` of the frames before it.  Tried are, once each, more steps from
    where it stands, and the start of a frame without a predecessor, so that a frame takes at most
    3 steps + first_steps in the settings' words.
    """
    best = first
    for attempt in () if has_arrived(best, usual) else attempts(projector, images, first, callback):
        best = min(best, dataclasses.replace(attempt, encoded=first.encoded), key=lambda each: loss_of(each, projector))
        if has_arrived(best, usual):
            break
    return best


def has_arrived(projection: Projection, usual: float) -> bool:
    return not projection.mse > FAR * usual  # an error that is no number is reported for the whole inversion


def loss_of(projection: Projection, projector: Projector) -> float:
    s = projector.settings
    return s.lambda_mse * projection.mse + s.lambda_lpips * projection.lpips


def attempts(
    projector: Projector, images: torch.Tensor, first: Projection, callback: Callback | None
) -> Iterator[Projection]:
    """Going on, then starting afresh."""
    s = projector.settings
    yield from projector.project(images, first.ws[None], LONGER * s.steps, s.lr, callback)
    yield from projector.project(images, projector.starts(images), s.first_steps, s.first_lr, callback)


def given_up(projection: Projection, usual: float, seconds: float, steps: int) -> str:
    """A sentence where a frame has not arrived after all, else ""."""
    if has_arrived(projection, usual):
        return ""
    return (
        f"The frame at {seconds:.2f} s has not arrived after {steps} steps: its MSE is {projection.mse:.4f}, that of the "
        f"frames before it {usual:.4f}; what its code shows is not in the footage."
    )
