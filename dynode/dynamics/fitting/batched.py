"""Batched fitting: many clips or seeds as one stacked problem, equal to sequential fits up to rounding.

Small networks on a few states spend most of their time in the overhead of calls, which a stacked call has once.
"""

import time
from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from dynode.border import ordinary_modes, own_random_numbers
from dynode.clips import Clip
from dynode.dynamics.fields import StackedFields, can_stack
from dynode.dynamics.fitting.single import PreparedFit
from dynode.dynamics.fitting.trainer import Trainer
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.solvers.rollout import rollout
from dynode.dynamics.trajectory import Trajectory, joined


def can_batch(settings: DynamicsSettings) -> bool:
    """Whether fits under these settings can be stacked: intervals only, a fixed step, no images, tube or early stopping.

    Fits that choose their depth are of different sizes.
    """
    training = settings.training
    sequential = (
        training.iterations
        or training.tolerance
        or training.tube
        or settings.losses.in_images
        or training.keep != "last"
    )
    return (
        not sequential
        and settings.path == "blended"
        and settings.segment_solver.fixed_step
        and can_stack(settings.field)
        and settings.field.depth > 0
    )


@ordinary_modes
@own_random_numbers
def fit_batched(
    clips: Sequence[Clip], seeds: Sequence[int], settings: DynamicsSettings, device: torch.device | str = "cpu"
) -> list[Trajectory]:
    """Learn the dynamics of every clip, with the seed of the same position; those with states of one shape are stacked.

    Raises ValueError for settings that `can_batch` refuses, and what `dynode.dynamics.fitting.single.fit` raises.
    """
    if not can_batch(settings):
        raise ValueError(f"fits of {settings.label} cannot be batched")
    prepared = [
        [PreparedFit.of(shot, settings, seed, device) for shot in clip.split()]
        for clip, seed in zip(clips, seeds, strict=True)
    ]
    groups: dict[tuple, list[PreparedFit]] = {}
    for each in (one for shots in prepared for one in shots):
        groups.setdefault(tuple(each.trainer.u.shape), []).append(each)
    for group in groups.values():
        BatchedTrainer([each.trainer for each in group], settings).run()
    return [joined([each.finished() for each in shots]) for shots in prepared]


class BatchedTrainer:
    """Fits of equal shape in progress: their weights stacked (B, ...), each with its own random numbers and loss.

    u (B, n, R, K): the observed states, at the field's times taus (B, n).
    """

    def __init__(self, trainers: Sequence[Trainer], settings: DynamicsSettings):
        self.trainers, self.settings = trainers, settings
        self.u, self.taus = (torch.stack([getattr(t, name) for t in trainers]) for name in ("u", "taus"))
        self.fields = StackedFields([t.field for t in trainers])
        t = settings.training
        self.optimiser = torch.optim.Adam(self.fields.parameters(), lr=t.lr, betas=t.betas, eps=t.eps, fused=True)
        self.rows = torch.arange(len(trainers))[:, None]
        self.stages = self.taus.new_zeros(
            0
        )  # where in an interval the solver evaluates the field, after the first solve

    def run(self) -> None:
        """All iterations; ends with every trainer as if it had run alone.  Its seconds are an equal part of the total."""
        began, t = time.time(), self.settings.training
        self.evaluate_fit()
        for iteration in range(1, t.total + 1):
            self.trainers[0].set_lr((iteration - 1) / t.total)
            self.optimiser.param_groups[0]["lr"] = self.trainers[0].optimiser.param_groups[0]["lr"]
            self.step([trainer.subset() for trainer in self.trainers])
            for trainer in self.trainers:
                trainer.iteration = iteration
            if iteration % t.check_every == 0 or iteration == t.total:
                self.evaluate_fit()
        self.fields.unstack([trainer.field for trainer in self.trainers])
        for trainer in self.trainers:
            trainer.seconds += (time.time() - began) / len(self.trainers)

    def step(self, frames: list[torch.Tensor]) -> None:
        """One iteration over the frames drawn for each fit.

        For a fit with fewer frames the last one is repeated: an interval of no length has no error and no gradient.
        """
        t, index = self.settings.training, pad_sequence(frames, batch_first=True, padding_value=-1).cummax(1).values
        states, ends, nfe = self.segments(index)
        losses = self.settings.losses.latent * (states - self.u[self.rows, ends]).square().sum((1, 2, 3))
        if t.reduction == "mean":
            intervals = torch.tensor([len(each) - 1 for each in frames]).to(losses) * (1 + t.both_ways)
            losses = losses / (self.u[0, 0].numel() * (intervals + t.count_start))
        self.optimiser.zero_grad()
        losses.sum().backward()
        self.clip_gradients(t.grad_clip)
        self.optimiser.step()
        for trainer in self.trainers:
            trainer.count(nfe)

    def segments(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
        """States (B, m', R, K) at the ends of all intervals between the frames `index` (B, m), those frames, evaluations."""
        starts, ends = index[:, :-1], index[:, 1:]
        if self.settings.training.both_ways:
            starts, ends = torch.cat([starts, ends], 1), torch.cat([ends, starts], 1)
        first = self.taus[self.rows, starts]
        length = self.taus[self.rows, ends] - first
        drifts, stages = iter(self.trend_velocities(first, length)), []

        def stretched(s: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
            stages.append(s)
            return length[..., None, None] * self.fields(first + s * length, u, next(drifts, None))

        span = self.taus.new_tensor([0.0, 1.0])
        solved = rollout(stretched, self.u[self.rows, starts], span, self.settings.segment_solver)
        self.stages = torch.stack(stages)
        return solved.states[1], ends, solved.nfe

    @torch.no_grad()
    def trend_velocities(self, first: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """The trends' velocities (S, B, m, R, K) at all stages of the solver, which are those of its last solve."""
        return self.fields.trend_velocity(first + self.stages[:, None, None] * length)

    def clip_gradients(self, norm: float) -> None:
        """Scale the gradients of each fit to at most this norm; 0: leave them."""
        if not norm:
            return
        gradients = [weight.grad.flatten(1) for weight in self.fields.parameters() if weight.grad is not None]
        squares = sum((each.square().sum(1) for each in gradients), gradients[0].new_zeros(()))
        for each in gradients:
            each.mul_((norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)[:, None])

    @torch.no_grad()
    def evaluate_fit(self) -> None:
        """Append, for each fit, the mean squared error of every interval from its true code over the states' variance."""
        every_frame = torch.arange(self.u.shape[1]).expand(len(self.u), -1)
        states, ends, _ = self.segments(every_frame)
        variance = self.u.var(1, unbiased=False).mean((1, 2)).clamp(min=1e-12)
        errors = (states - self.u[self.rows, ends]).square().mean((1, 2, 3)) / variance
        for trainer, error in zip(self.trainers, errors.tolist(), strict=True):
            trainer.fit_errors.append(error)
            trainer.best = error
