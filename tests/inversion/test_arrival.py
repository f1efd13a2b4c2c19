"""Frames that do not arrive get more steps, then a start of their own; those that arrive are left alone."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dynode.inversion import arrival, invert_frames
from dynode.inversion.frame_sources import FrameSource
from dynode.inversion.observer import NoObserver
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection
from dynode.inversion.projection_settings import ProjectionSettings

IMAGE = torch.zeros(1, 3, 4, 4)


def projection(mse: float, lpips: float = 0.1) -> Projection:
    return Projection(torch.full((2, 3), mse), mse, lpips, float("nan"))


class Planned:
    """A projector whose results are planned, and which notes what it was called with."""

    def __init__(self, *results: Projection):
        self.settings, self.results, self.calls = ProjectionSettings(steps=40, first_steps=200), list(results), []

    def starts(self, images):
        return torch.full((1, 2, 3), -1.0)

    def project(self, images, starts, steps, lr, callback=None):
        self.calls.append((float(starts.mean()), steps, lr))
        for step in range(steps):
            callback(step, 0.0, 0.0)
        return [self.results.pop(0)]


def pursue(first: float, *later: Projection):
    projector, taken = Planned(*later), []
    best = arrival.pursued(projector, IMAGE, projection(first), 0.004, lambda *_: taken.append(1))
    return best, projector.calls, len(taken)


def test_a_frame_that_arrived_is_kept_and_takes_no_step():
    best, calls, taken = pursue(0.0099)
    assert best.mse == 0.0099 and not calls and not taken


def test_a_frame_that_did_not_goes_on_from_where_it_stands():
    best, calls, taken = pursue(0.0187, projection(0.006))
    assert best.mse == 0.006 and calls == [(pytest.approx(0.0187), 80, 0.01)] and taken == 80


def test_then_it_starts_afresh_and_the_best_is_kept():
    best, calls, taken = pursue(0.0187, projection(0.015), projection(0.005))
    assert best.mse == 0.005 and calls[1] == (-1.0, 200, 0.05) and taken == 280
    best, calls, _ = pursue(0.0187, projection(0.012), projection(0.03))
    assert best.mse == 0.012 and len(calls) == 2  # and no more is tried


def test_giving_up_is_said_with_times_errors_and_steps():
    sentence = arrival.given_up(projection(0.012), 0.004, 0.8, 320)
    assert "0.80 s" in sentence and "320 steps" in sentence and "0.0120" in sentence and "0.0040" in sentence
    assert arrival.given_up(projection(0.009), 0.004, 0.8, 40) == ""


def test_the_usual_error_follows_frames_that_arrive_and_stays_for_those_that_do_not():
    assert arrival.usual_error([0.004]) == 0.004
    assert arrival.usual_error([0.004, 0.006, 0.009]) == 0.009  # a scene may become harder bit by bit
    assert arrival.usual_error([0.004, 0.02, 0.03]) == 0.004
    assert arrival.usual_error([0.004, 0.02, 0.005]) == 0.005


class Chained(Planned):
    """The same, for the frames of a clip."""

    def frames(self, images, previous, callback):
        return self.project(images, torch.zeros(1, 2, 3), 1, 0.0, callback)


def test_an_inversion_goes_on_for_a_late_frame_counts_its_steps_and_names_it_in_the_end(tmp_path, capsys):
    every = np.ones(3, dtype=bool)
    source = FrameSource(
        np.arange(3) / 10,
        every,
        np.zeros(3, int),
        None,
        every,
        lambda indices, size: iter(torch.zeros(len(indices), 3, 4, 4)),
    )
    errors = (0.004, 0.02, 0.018, 0.015, 0.006)  # the first frame, the second and two more tries, the third
    projector, partial = Chained(*map(projection, errors)), Partial(tmp_path / "c.safetensors", {})
    invert_frames.project_all(projector, source, partial, projector.settings, NoObserver())
    assert [p.mse for p in partial.done] == [0.004, 0.015, 0.006] and partial.steps == 1 + (1 + 80 + 200) + 1
    assert "0.10 s has not arrived after 281 steps" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["single_face.warm", "scene.day"])
def test_every_frame_of_shipped_clips_has_arrived(name):
    from dynode import clips

    mse = clips.load(name).meta["mse"]
    before = SimpleNamespace(first=mse[:-1], then=mse[1:])
    usual = [arrival.usual_error(before.first[: k + 1]) for k in range(len(before.first))]
    assert all(arrival.has_arrived(projection(each), u) for each, u in zip(before.then, usual, strict=True))
