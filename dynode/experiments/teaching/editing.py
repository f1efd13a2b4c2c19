"""Checks of T5: edit one frame, move the clip."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.func import jvp

from dynode.editing.propagation import load_forward_rules
from dynode.experiments.teaching.checks import exercise, returned
from dynode.experiments.teaching.paths import close, sample
from dynode.io import video

TITLE = "edited with dynode: wall 4"


@exercise("T5.offset", "what the edit added to the first code, added to every code.")
def offset(of: Callable) -> str:
    path, (w0, edited) = sample(6, 3, 4), sample(2, 3, 4, seed=1)
    got = returned(of, path, w0, edited)
    if got.shape != path.shape:
        return f"a code for each of the 6 frames is wanted, (6, 3, 4), got {tuple(got.shape)}."
    if close(got, path + edited - w0):
        return ""
    if close(got, path + w0 - edited):
        return "the sign is turned round: the wall would change the other way."
    if close(got, edited.expand_as(path)):
        return "that holds the edited picture still: the motion of the path is lost."
    if close(got, path + edited):
        return "the edited code is added whole: only what the edit changed is wanted."
    return "an edit that changes nothing must leave the path as it is, and any other adds the same to every code."


def bent(t: Any, u: torch.Tensor) -> torch.Tensor:
    """A field of states (1, 3) that is no linear one."""
    load_forward_rules()  # without the warning of torch's first use
    return torch.sin(u @ sample(3, 3, seed=2)) * (1 + torch.as_tensor(t))


@exercise("T5.flow", "the field at the edited state, and the field at the state itself.")
def flow(of: Callable) -> str:
    u, d = sample(2, 1, 3, seed=3)
    got = returned(of, bent, 0.4, u, d)
    if close(got, bent(0.4, u + d)):
        return "that is the velocity of the edited state: the offset moves by what it has beyond the unedited one."
    if close(got, bent(0.4, u) - bent(0.4, u + d)):
        return "the sign is turned round."
    if close(got, jvp(lambda u: bent(0.4, u), (u,), (d,))[1]):
        return "that is right for small offsets only: it is the tangent, which comes next."
    return (
        "" if close(got, bent(0.4, u + d) - bent(0.4, u)) else "for an offset of zero the velocity of d must be zero."
    )


@exercise("T5.tangent", "torch.func.jvp of the field as a function of the state alone, at u, in the direction d.")
def tangent(of: Callable) -> str:
    u, d = sample(2, 1, 3, seed=3)
    right = jvp(lambda u: bent(0.4, u), (u,), (d,))
    got = returned(of, bent, 0.4, u, d)
    if isinstance(got, tuple | list):
        return "jvp returns the field's value and the product: the product alone is wanted."
    if close(got, right[0]):
        return "that is the field's value: the product is the other thing that jvp returns."
    if close(got, bent(0.4, u + d) - bent(0.4, u)):
        return "that is the flow: the tangent is linear in d, so that twice the offset moves twice as fast."
    if close(got, torch.func.vjp(lambda u: bent(0.4, u), u)[1](d)[0]):
        return "the Jacobian is transposed: jvp is wanted, not vjp."
    return (
        ""
        if close(got, right[1])
        else "twice the offset must move exactly twice as fast: it is a derivative at u, along d."
    )


@exercise(
    "T5.share", "two sums of squared differences from the truth: of the edited pictures, and of the unedited ones."
)
def share(of: Callable) -> str:
    edited, unedited, truth = sample(3, 5, 3, 4, 4)
    value, above = float(returned(of, edited, unedited, truth)), float((edited - truth).square().sum())
    right = above / float((unedited - truth).square().sum())
    if abs(value - right) < 1e-6:
        return ""
    if abs(value - 1 / right) < 1e-6:
        return "the ratio is turned round: pictures that equal the truth must have a share of 0."
    if abs(value - above / edited.numel()) < 1e-6:
        return "that is the error alone: what would it be if nothing had been edited?"
    if abs(value - (1 - right)) < 1e-6:
        return "that is a skill: doing nothing is to have a share of 1."
    if abs(value - right**0.5) < 1e-6:
        return "that is a ratio of lengths: the squares are summed, and no root is taken."
    return (
        "pictures that equal the truth have a share of 0, those without an edit 1: two sums of squares over all frames."
    )


class Shift:
    """An editor that adds its strength, to the first rows of a code or, for 0, to all."""

    name, space = "shift", "w+"

    def edit(self, ws: torch.Tensor, strength: Any, rows: int = 0) -> torch.Tensor:
        return torch.cat([ws[:, :rows] + strength, ws[:, rows:]], 1) if rows else ws + strength


@exercise("T5.cost", "edit(ws, strength, rows) hands on to the editor inside, after adding len(ws) to `count`.")
def cost(of: Callable) -> str:
    counted, ws = returned(of, Shift()), sample(4, 2, 3)
    if counted.count != 0:
        return "before the first edit the count is 0."
    if not close(returned(counted.edit, ws, 0.5, 0), ws + 0.5):
        return "it must return what the editor inside returns."
    if not close(returned(of(Shift()).edit, ws, 0.5, 1), Shift().edit(ws, 0.5, 1)):
        return "`rows` is handed on as well: it says how many rows of a code are edited."
    if counted.count == 1:
        return "an edit of four codes counts four: calls are not what an edit costs."
    counted.edit(ws[:1], 0.5)
    return "" if counted.count == 5 else "an edit of four codes and one of a single code are five."


def written(folder: Path, title: str) -> Path:
    """A small video with that title, "" for none."""
    path = folder / f"{len(title)}.mp4"
    video.write(path, (np.full((16, 16, 3), 60 * k, np.uint8) for k in range(3)), fps=8, title=title)
    return path


@exercise(
    "T5.marked", "av.open(path) has a dictionary `metadata`, whose title, where there is one, says what was done."
)
def marked(of: Callable[[Path], bool]) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        answers = [returned(of, written(Path(scratch), title)) for title in (TITLE, "", "a holiday by the sea")]
    if not all(isinstance(answer, bool) for answer in answers):
        return "True or False is wanted."
    if not answers[0]:
        return f'a video with the title "{TITLE}" is marked, and yours says that it is not.'
    return "a video that nobody edited is said to be marked." if any(answers[1:]) else ""
