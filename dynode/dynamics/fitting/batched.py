"""Batched fitting: many clips or seeds as one stacked problem, equal to sequential fits up to rounding.

Small networks on a few states spend most of their time in the overhead of calls, which one stacked call shares.
"""

import time
from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from dynode.clips import Clip
from dynode.dynamics.fields import StackedFields, can_stack
from dynode.dynamics.fitting.trainer import PreparedFit, Trainer
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.solvers.rollout import rollout
from dynode.dynamics.trajectory import Trajectory, joined


def can_batch(settings: DynamicsSettings) -> bool:
    """Whether fits under these settings can share their steps: intervals only, no images, tube or early end, a fixed step."""
    training = settings.training
    alone = (
        training.iterations
        or training.tolerance
        or training.tube
        or settings.losses.in_images
        or training.keep != "last"
    )
    return not alone and settings.path == "blended" and settings.segment_solver.fixed_step and can_stack(settings.field)


def fit_batched(
    clips: Sequence[Clip], seeds: Sequence[int], settings: DynamicsSettings, device: torch.device | str = "cpu"
) -> list[Trajectory]:
    """Learn the dynamics of every clip, with the seed of the same position; those with states of one shape are stacked.

    Raises ValueError for settings that `can_batch` refuses, and what `dynode.dynamics.fitting.trainer.fit` raises.
    """
    if not can_batch(settings):
        raise ValueError(f"fits of {settings.label} cannot be made together")
    prepared = [
        [PreparedFit.of(shot, settings, seed, device) for shot in clip.split()]
        for clip, seed in zip(clips, seeds, strict=True)
    ]
    groups: dict[tuple, list[PreparedFit]] = {}
    for each in (one for shots in prepared for one in shots):
        groups.setdefault(tuple(each.training.u.shape), []).append(each)
    for group in groups.values():
        BatchedTrainer([each.training for each in group], settings).run()
    fits = [[each.finished() for each in shots] for shots in prepared]
    return [joined(shots) for shots in fits]


class BatchedTrainer:
    """Fits of equal shape in progress: their weights stacked (B, ...), each with its own random numbers and loss.

    u (B, n, R, K): the observed states, at the field's times taus (B, n).
    """

    def __init__(self, trainings: list[Trainer], settings: DynamicsSettings):
        self.trainings, self.settings = trainings, settings
        self.u, self.taus = (torch.stack([getattr(t, name) for t in trainings]) for name in ("u", "taus"))
        self.fields = StackedFields([t.field for t in trainings])
        t = settings.training
        self.optimiser = torch.optim.Adam(self.fields.parameters(), lr=t.lr, betas=t.betas, eps=t.eps, fused=True)
        self.rows = torch.arange(len(trainings))[:, None]
        self.stages = self.taus.new_zeros(0)  # where in an interval the solver evaluates the field, once known

    def run(self) -> None:
        """All iterations; ends with every training as if it had run alone.  Its seconds are an equal part of the whole."""
        began, t = time.time(), self.settings.training
        self.look()
        for iteration in range(t.total):
            self.trainings[0].set_lr(iteration / t.total)
            self.optimiser.param_groups[0]["lr"] = self.trainings[0].optimiser.param_groups[0]["lr"]
            self.step([training.subset() for training in self.trainings])
            for training in self.trainings:
                training.iteration += 1
            if training.iteration % t.check_every == 0 or training.iteration == t.total:
                self.look()
        self.fields.unstack([training.field for training in self.trainings])
        for training in self.trainings:
            training.seconds += (time.time() - began) / len(self.trainings)

    def step(self, drawn: list[torch.Tensor]) -> None:
        """One iteration over the frames drawn for each fit.

        Where fewer were drawn the last one is repeated: an interval of no length has no error and no gradient.
        """
        t, index = self.settings.training, pad_sequence(drawn, batch_first=True, padding_value=-1).cummax(1).values
        states, ends, nfe = self.segments(index)
        losses = self.settings.losses.latent * (states - self.u[self.rows, ends]).square().sum((1, 2, 3))
        if t.reduction == "mean":
            intervals = torch.tensor([len(each) - 1 for each in drawn]).to(losses) * (1 + t.both_ways)
            losses = losses / (self.u[0, 0].numel() * (intervals + t.count_start))
        self.optimiser.zero_grad()
        losses.sum().backward()
        self.clip_gradients(t.grad_clip)
        self.optimiser.step()
        for training in self.trainings:
            training.count(nfe)

    def segments(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
        """States (B, m', R, K) at the ends of all intervals between drawn frames, which frames those are, evaluations."""
        starts, ends = index[:, :-1], index[:, 1:]
        if self.settings.training.both_ways:
            starts, ends = torch.cat([starts, ends], 1), torch.cat([ends, starts], 1)
        first = self.taus[self.rows, starts]
        length = self.taus[self.rows, ends] - first

        pulls, stages = iter(self.pulls(first, length)), []

        def stretched(s, u):
            stages.append(s)
            return length[..., None, None] * self.fields(first + s * length, u, next(pulls, None))

        span = self.taus.new_tensor([0.0, 1.0])
        solved = rollout(stretched, self.u[self.rows, starts], span, self.settings.segment_solver)
        self.stages = torch.stack(stages)
        return solved.states[1], ends, solved.nfe

    @torch.no_grad()
    def pulls(self, first: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """The trends' velocities (S, B, m, R, K) at all stages of the solver, which are those of the last time."""
        return self.fields.trend_velocity(first + self.stages[:, None, None] * length)

    def clip_gradients(self, most: float) -> None:
        """To the norm `most` in each fit by itself; 0: as they are."""
        if not most:
            return
        gradients = [weight.grad.flatten(1) for weight in self.fields.parameters()]
        norms = sum(each.square().sum(1) for each in gradients).sqrt()
        for each in gradients:
            each.mul_((most / (norms + 1e-6)).clamp(max=1.0)[:, None])

    @torch.no_grad()
    def look(self) -> None:
        """Mean squared error of every interval from its true code over the states' variance, for each fit."""
        every_frame = torch.arange(self.u.shape[1]).expand(len(self.u), -1)
        states, ends, _ = self.segments(every_frame)
        variance = self.u.var(1, unbiased=False).mean((1, 2)).clamp(min=1e-12)
        errors = (states - self.u[self.rows, ends]).square().mean((1, 2, 3)) / variance
        for training, error in zip(self.trainings, errors.tolist(), strict=True):
            training.looks.append(error)
            training.best = error
