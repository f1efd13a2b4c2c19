"""Checks of T1: a video is a path."""

import operator
from collections.abc import Callable
from typing import Any

import torch

from dynode import clips
from dynode.experiments.teaching.checks import exercise, returned

STRIDES = range(2, 13)
BOUND = 0.1  # of the variance of the codes


def sample(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(one: Any, other: torch.Tensor) -> bool:
    """Whether a tensor has the shape of another and nearly its values."""
    return one.shape == other.shape and bool(torch.allclose(one.double(), other.double(), rtol=1e-5, atol=1e-6))


@exercise("T1.lerp", "at x = 0 the first code, at x = 1 the second, in between as much of each as x says.")
def lerp(of: Callable) -> str:
    a, b = sample(2, 5, 4)
    if not close(returned(of, a, b, 0.0), a):
        return "at x = 0 the first code is wanted as it is." if not close(of(a, b, 0.0), b) else "the ends are swapped."
    if not close(returned(of, a, b, 1.0), b):
        return "at x = 1 the second code is wanted as it is."
    return "" if close(of(a, b, 0.25), 0.75 * a + 0.25 * b) else "a quarter of the way is not at equal speed."


def linear(ws: torch.Tensor, stride: int) -> torch.Tensor:
    """The codes (T, L, D) that linear interpolation predicts from every stride-th frame and the last."""
    known = sorted({*range(0, len(ws), stride), len(ws) - 1})
    frames = torch.arange(len(ws))
    right = torch.bucketize(frames, torch.tensor(known), right=False).clamp(min=1)
    left_frame, right_frame = torch.tensor(known)[right - 1], torch.tensor(known)[right]
    x = ((frames - left_frame) / (right_frame - left_frame))[:, None, None].to(ws)
    return torch.lerp(ws[left_frame], ws[right_frame], x)


@exercise("T1.predicted", "for each frame the observed ones before and behind it, and how far it is between them.")
def predicted(of: Callable) -> str:
    even = torch.arange(11.0, dtype=torch.float64)[:, None, None] * sample(1, 3, 4)
    bent = sample(11, 3, 4)
    got = returned(of, even, 4)
    if got.shape != even.shape:
        return f"a code for each of the 11 frames is wanted, (11, 3, 4), got {tuple(got.shape)}."
    if close(of(bent, 4), bent):
        return "the codes of the frames between the observed ones must not be used."
    if not close(of(bent, 4)[[0, 4, 8]], bent[[0, 4, 8]]):
        return "at the observed frames their own codes are wanted."
    if not close(got[:9], even[:9]):
        return "on a path of constant velocity the prediction between two observed frames must be exact."
    if not close(got, even):
        return "it is off in the last interval alone: the last frame is observed too, and is nearer than a stride."
    return "" if close(of(bent, 4), linear(bent, 4)) else "between two observed frames the codes are not on a line."


@exercise("T1.skill", "one minus a ratio of two sums of errors: that of the method, and that of linear interpolation.")
def skill(of: Callable) -> str:
    errors, reference = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 18.0])
    value = float(returned(of, errors, reference))
    if abs(value - 0.8) < 1e-6:
        return "" if abs(float(of(reference, reference))) < 1e-6 else "against itself linear interpolation has skill 0."
    if abs(value - 0.2) < 1e-6:
        return "that is the ratio: a method without errors must have skill 1."
    if abs(value - (1 - (1 / 2 + 3 / 18) / 2)) < 1e-6:
        return "a mean of ratios lets one easy frame decide: sum first, divide afterwards."
    return "twice the reference's errors are a skill of -1, none at all is 1."


def relative_error(ws: torch.Tensor, stride: int) -> float:
    """The squared error of linear interpolation over unobserved frames, relative to the variance of the codes."""
    hidden = [k for k in range(len(ws) - 1) if k % stride]
    missed = (linear(ws, stride) - ws).square().sum((1, 2))[hidden].mean()
    return float(missed / (ws - ws.mean(0)).square().sum((1, 2)).mean())


@exercise("T1.stride", "go through the strides in order and stop before the first that misses too much.")
def stride(value: Any) -> str:
    ws = clips.load("bird.flight").ws.double()
    right = max(n for n in STRIDES if all(relative_error(ws, each) < BOUND for each in range(2, n + 1)))
    try:
        value = operator.index(value)
    except TypeError:
        return "a whole number of frames is wanted."
    if value == right + 1:
        return "that is the first stride that misses too much: which one is the last that does not?"
    return "" if value == right else "look at the figure again: where does the curve of the bird cross the dashed line?"
