"""Fitting one clip: each shot is prepared, trained and turned into a trajectory; `batched` does so for many clips at once."""

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dynode import runtime
from dynode.border import ordinary_modes, own_random_numbers
from dynode.clips import Clip
from dynode.dynamics.fields import MLPField
from dynode.dynamics.fitting.checkpoints import Checkpoint, shot_checkpoints
from dynode.dynamics.fitting.depth_choice import DepthChoice, choose_depth
from dynode.dynamics.fitting.image_networks import ImageNetworks
from dynode.dynamics.fitting.trainer import Trainer
from dynode.dynamics.fitting.tube import Tube
from dynode.dynamics.neural_ode import Clock, NeuralODE
from dynode.dynamics.presets import DynamicsSettings, preset
from dynode.dynamics.state_spaces import StateSpace, fit_space
from dynode.dynamics.trajectory import Trajectory, described, joined
from dynode.dynamics.trend import Trend
from dynode.errors import UserError
from dynode.generators.curvature import curvature_of
from dynode.settings import to_json


@ordinary_modes
@own_random_numbers
def fit(
    clip: Clip,
    settings: DynamicsSettings | None = None,
    seed: int = 0,
    *,
    edits: torch.Tensor | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
) -> Trajectory:
    """Learn the dynamics of the observed frames of a clip; a clip with cuts gets one fit for each shot.

    edits: offsets of codes (M, L, D), for a tube of them (settings.training.tube above 0) instead of noise.
    checkpoint: a file that a killed fit resumes from, one for each shot; `checkpoints.forget` removes them once the fit is
    saved.
    Raises UserError when fewer than two frames are observed, and for losses in images of codes of another generator;
    SolverError (with a remedy) when the solve fails before anything was learned.
    """
    settings, shots = settings or preset("dynode"), clip.split()
    paths = shot_checkpoints(checkpoint, len(shots)) if checkpoint else [None] * len(shots)
    networks = ImageNetworks(device) if settings.losses.in_images else None
    fits = []
    for shot, path in zip(shots, paths, strict=True):
        prepared = prepared_with_depth(shot, settings, seed, device, edits)
        if networks is not None:
            prepared.add_image_loss(shot, networks)
        prepared.trainer.run(progress, Checkpoint(path, prepared.job(shot, edits)) if path else None)
        fits.append(prepared.finished())
    return joined(fits)


@dataclass
class PreparedFit:
    """A fit of one shot before its first iteration, with what its trajectory needs besides the field.

    choice: of the field's depth, where the settings leave it to the fit.
    """

    trainer: Trainer
    space: StateSpace
    clock: Clock
    span: tuple[float, float]
    meta: dict[str, Any]
    choice: DepthChoice | None = None

    @classmethod
    def of(
        cls,
        clip: Clip,
        settings: DynamicsSettings,
        seed: int,
        device: torch.device | str = "cpu",
        edits: torch.Tensor | None = None,
    ) -> "PreparedFit":
        """The fit of a clip of one shot.  The seed decides the field's first weights and all random numbers."""
        observed, began = clip.observations(), time.time()
        require_legal(settings, edits, observed.ws.shape[1:])
        runtime.seed_everything(seed)
        space = fit_space(settings.space, observed.ws, lambda: curvature_of(clip, device))
        clock = Clock.of(settings.clock, clip)
        net = MLPField(space.state_shape, settings.field, len(observed)).to(device)
        u, taus = space.encode(observed.ws).to(device), clock(observed.ts).float().to(device)
        if net.trend is not None:
            net.trend.fit(taus, u)
        elif settings.field.recurring and settings.field.time_features == "waves":
            process = Trend(space.state_shape, len(observed), recurring=True).to(device).fit(taus, u)
            net.period.copy_(process.period * process.recurs)
        if settings.field.scaled:
            net.scales.copy_(standard_deviations(u))
        trainer = Trainer(net, u, taus, settings, torch.Generator().manual_seed(seed))
        if settings.training.tube:
            trainer.tube = Tube.around(u, settings.training.tube, encoded_edits(space, observed.ws[:1], edits, device))
        trainer.seconds = time.time() - began  # space and trend are part of the fit
        return cls(trainer, space, clock, (float(observed.ts[0]), float(observed.ts[-1])), described(clip, seed))

    def add_image_loss(self, clip: Clip, networks: ImageNetworks) -> None:
        """Train with the losses in images too.  Raises UserError for codes of other weights than the generator's."""
        self.trainer.images = networks.image_loss(clip, self.trainer.settings.losses)
        self.trainer.decode = self.space.to(networks.device).decode

    def job(self, clip: Clip, edits: torch.Tensor | None) -> str:
        """What a checkpoint of this fit belongs to: settings, metadata and a hash of observed codes and edits."""
        ws = clip.observations().ws
        given = ws if edits is None else torch.cat([ws, edits.to(ws)])
        codes = hashlib.sha256(given.contiguous().numpy().tobytes()).hexdigest()
        return to_json(self.trainer.settings) + json.dumps(self.meta) + codes

    def finished(self) -> NeuralODE:
        """The trajectory of the trained field."""
        trainer, settings = self.trainer, self.trainer.settings
        net, space = trainer.field.cpu().requires_grad_(False), self.space.to("cpu")
        rolled = settings.path == "rollout"
        u, taus = trainer.u[: 1 if rolled else None].cpu(), trainer.taus.cpu()
        if rolled and settings.field.time_features != "waves":  # whose number is that of the observed frames
            taus = taus[:1]
        if net.trend is not None and settings.meets == "trend":
            u = net.trend.denoised(u)
        return NeuralODE(settings, net, space, self.clock, u, taus, self.span, self.log(), self.meta)

    def log(self) -> dict[str, Any]:
        """What was measured: losses, iterations, seconds, evaluations, parameters; a chosen depth; the period of a periodic trend."""
        trainer, trend = self.trainer, self.trainer.field.trend
        log = {
            "observed_error": trainer.best,
            "looks": trainer.fit_errors,
            "iterations": trainer.iteration,
            "seconds": round(trainer.seconds, 2),
            "nfe": trainer.nfe,
            "parameters": sum(p.numel() for p in trainer.field.parameters()),
            "stopped": trainer.stopped,
        }
        if self.choice is not None:
            log |= self.choice.log()
        period = trend.period * trend.recurs if trend is not None else getattr(trainer.field, "period", 0)
        if period:
            log["period"] = float(period / self.clock.rate(self.span[:1])[0])  # seconds
        return log | trainer.chosen


def standard_deviations(u: torch.Tensor) -> torch.Tensor:
    """Of states u (n, R, K) by coordinate (R, K), in units of their RMS; ones where nothing moves."""
    stds = u.std(0, unbiased=False)
    overall = stds.square().mean().sqrt()
    return stds / overall if overall > 0 else torch.ones_like(stds)


def prepared_with_depth(
    shot: Clip, settings: DynamicsSettings, seed: int, device: torch.device | str, edits: torch.Tensor | None
) -> PreparedFit:
    """The fit of one shot; a depth that the settings leave to it is chosen first, and is part of its cost."""
    if settings.field.depth:
        return PreparedFit.of(shot, settings, seed, device, edits)

    def fit_trial(kept: Clip, trial: DynamicsSettings) -> NeuralODE:
        prepared = PreparedFit.of(kept, trial, seed, device, edits)
        prepared.trainer.run(progress=False)
        return prepared.finished()

    choice = choose_depth(shot, settings, fit_trial)
    chosen = dataclasses.replace(settings, field=dataclasses.replace(settings.field, depth=choice.depth))
    prepared = PreparedFit.of(shot, chosen, seed, device, edits)
    prepared.choice = choice
    prepared.trainer.seconds += choice.seconds
    prepared.trainer.nfe += choice.nfe
    return prepared


def encoded_edits(
    space: StateSpace, ws: torch.Tensor, edits: torch.Tensor | None, device: torch.device | str
) -> torch.Tensor | None:
    """Edits (M, L, D) of a code ws (1, L, D) as offsets of its state (M, R, K); None without edits."""
    return None if edits is None else (space.encode(ws + edits) - space.encode(ws)).to(device)


def require_legal(settings: DynamicsSettings, edits: torch.Tensor | None, shape: torch.Size) -> None:
    """Raises UserError for settings that contradict each other, and for edits without a tube or of another shape (L, D)."""
    t = settings.training
    if t.tube and (t.newton_steps or not t.total):
        raise UserError(
            "A tube wants iterations, and no Gauss-Newton steps, which use the observed codes alone: set "
            "training.segment_iterations above 0 and training.newton_steps=0."
        )
    if edits is not None and not t.tube:
        raise UserError("`edits` needs training.tube > 0 (1 = up to the full edit).")
    if edits is not None and edits.shape[1:] != shape:
        raise UserError(f"Edits of codes {tuple(shape)} were wanted, got {tuple(edits.shape)}: (M, L, D).")
    f = settings.field
    legal = f.time_features == "waves" and f.scaled and f.zero_init and f.layout == "joint" and f.drift == "none"
    if t.probable_steps and not (legal and settings.path == "rollout"):
        raise UserError(
            "The most probable weights are those of a field of waves: with training.probable_steps set "
            "field.time_features=waves, field.scaled=true, field.zero_init=true, field.layout=joint, field.drift=none and path=rollout."
        )
    if settings.meets == "trend" and (settings.path, settings.field.drift) != ("blended", "trend"):
        raise UserError("meets='trend' requires path='blended' and field.drift='trend'.")
