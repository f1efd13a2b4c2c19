"""The two phases of TCSVE (Xu et al. 2022): first codes, then weights are refined until edited frames are consistent.

Both go through the pairs of the anchor a and each other frame i, with

    loss = lambda_consistency C(a, i) + lambda_flow F(a, i) + lambda_outside O(i)

C is LPIPS of one frame and the other warped onto it where both are visible, F the error of the flow's round trip, O the LPIPS
of the edited frame and its source outside the face.  Phase W adds lambda_offset (|M(w_a)| + |M(w_i)|), phase G the locality of
pivotal tuning.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from dynode.editing.editors import first_rows
from dynode.editing.styleclip import STEP, Mapper, MapperSettings
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.inversion.observer import Observer
from dynode.inversion.tuning_losses import TuningLoss, Weights, near_pivot
from dynode.io import training_state
from dynode.io.images import resampled
from dynode.perception.lpips import LPIPS
from dynode.settings import choose, require_positive
from dynode.video_editing.systems import flow_consistency
from dynode.video_editing.systems.clip_tuning import SMALLEST
from dynode.video_editing.systems.kept_stages import Stage, digest_of
from dynode.video_editing.systems.scene import Scene, sized
from dynode.video_editing.systems.trained_weights import Differences, TrainedWeights, halved

ANCHORS = ("middle", "first")
REDUCED = 256  # pixels a side, at most, of the images that the terms compare
SOFT, WIDER = (
    0.08,
    0.04,
)  # of the square: the soft edge of the face and how much it is enlarged, for what is outside of it


@dataclass(frozen=True)
class PhaseSettings:
    """How edited frames are refined; the defaults are the published ones."""

    anchor: str = "middle"  # the frame of every pair; or "first"
    code_epochs: int = 10  # phase W; 0: no such phase
    code_lr: float = 1e-3
    scale: float = 0.05  # w <- w + scale M(w)
    width: int = 512  # of M's hidden layers
    weight_epochs: int = 3  # phase G; 0: no such phase
    weight_lr: float = 1e-4
    lambda_consistency: float = 1.0
    lambda_flow: float = 10.0
    lambda_offset: float = 0.2
    lambda_outside: float = 0.5
    outside_in_weights: float = 15.0  # times lambda_outside, in phase G
    lambda_near: float = 100.0  # of locality, in phase G
    lambda_locality: float = 0.1  # of squared error and LPIPS in it
    locality_distance: float = 30.0
    locality_psi: float = 0.5
    falloff: float = 5.0  # of visibility with the error of the round trip
    edited_counts: bool = True  # what the edit changed is visible, wherever flow fails
    flow_size: int = 128  # pixels a side of the images whose flow is estimated
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self):
        choose("anchor", self.anchor, ANCHORS)
        require_positive(self, "scale", "width", "flow_size", "locality_distance")
        if self.flow_size < flow_consistency.WINDOW:
            raise UserError(
                f"The flow_size must be at least {flow_consistency.WINDOW} pixels, got {self.flow_size}: a step of the flow "
                "is estimated in windows of this size."
            )

    def anchor_of(self, frames: int) -> int:
        """The number of the anchor frame."""
        return frames // 2 if self.anchor == "middle" else 0

    def pairs(self, frames: int) -> list[tuple[int, int]]:
        """(anchor, other frame) of every pair, in the order of the frames."""
        return [(self.anchor_of(frames), k) for k in range(frames) if k != self.anchor_of(frames)]


class Correction(nn.Module):
    """w + scale M(w) in the first `rows` rows (0: all), M a mapper as StyleCLIP's, which is 0 at first."""

    def __init__(self, settings: PhaseSettings, generator: Generator, rows: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.mapper = Mapper(MapperSettings(width=settings.width), generator.num_ws, generator.w_dim, "correction")
        self.scale, self.rows = settings.scale, rows
        self.to(generator.w_avg.device)

    def offset(self, ws: torch.Tensor) -> torch.Tensor:
        """M(w) (B, L, D) of codes (B, L, D)."""
        return first_rows(self.mapper.offset(ws) / STEP, torch.zeros_like(ws), self.rows)

    def forward(self, ws: torch.Tensor) -> torch.Tensor:
        return ws + self.scale * self.offset(ws)


class PairLoss:
    """The terms that both phases share, of a scene's frames."""

    def __init__(self, scene: Scene, settings: PhaseSettings, perceptual: LPIPS, observer: Observer):
        self.settings, self.perceptual, self.observer = settings, perceptual, observer
        self.size = min(REDUCED, scene.resolution)
        self.sources = resampled(scene.frames, self.size)
        face = (0.5 + (sized(scene.distances, self.size) + WIDER) / SOFT).clamp(0, 1)
        self.outside = (1 - face) ** 4  # (T, 1, R, R)
        self.smallest = SMALLEST if self.size < SMALLEST else 0

    def __call__(self, edited: torch.Tensor, pair: tuple[int, int], outside: float) -> torch.Tensor:
        """The loss () of the edited images (2, 3, R, R) of a pair; outside: the weight of that term."""
        s, edited = self.settings, resampled(edited, self.size)
        sources = self.sources[list(pair)].to(edited)
        maps = flow_consistency.distance_map(self.perceptual, edited, sources, self.smallest)
        terms = flow_consistency.pair_terms(
            self.perceptual,
            edited,
            maps.detach() if s.edited_counts else None,
            flow_size=s.flow_size,
            falloff=s.falloff,
            observer=self.observer,
            smallest=self.smallest,
        )
        around = (maps[1] * self.outside[pair[1]].to(maps)).mean()
        return s.lambda_consistency * terms.consistency + s.lambda_flow * terms.flow + outside * around


@dataclass(frozen=True)
class Phases:
    """Both phases for one scene: weights that are tuned already, codes (T, L, D) that are edited already.

    pivots (T, L, D): the codes before.  rows: which are edited, the first N (0: all).
    """

    scene: Scene
    tuned: Differences
    pivots: torch.Tensor
    edited: torch.Tensor
    rows: int
    settings: PhaseSettings
    perceptual: LPIPS
    observer: Observer

    @property
    def decided_by(self) -> dict:
        tensors = {"frames": self.scene.frames, "distances": self.scene.distances, "edited": self.edited}
        weights = digest_of({"weights": dict(self.tuned)})
        return {**self.scene.weights, **tensors, "rows": self.rows, "tuned": weights, "settings": self.settings}

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return self.settings.pairs(len(self.edited))

    def refined_codes(self) -> Stage:
        """Phase W: codes ("edited", (T, L, D)), and the loss of the first and of the last epoch."""
        if not (self.settings.code_epochs and self.pairs):
            return Stage({"edited": self.edited}, {"steps": 0})
        stage = self.scene.kept.stage("codes", self.decided_by, self.code_epochs, self.observer)
        for epoch in self.epochs:
            self.scene.kept.forget("epoch", epoch)
        return stage

    @property
    def epochs(self) -> list[dict]:
        """What decides each epoch of phase W."""
        return [self.decided_by | {"epoch": epoch} for epoch in range(self.settings.code_epochs)]

    def code_epochs(self) -> Stage:
        """All epochs of phase W; each is kept until the last is done."""
        correction = Correction(self.settings, self.scene.generator, self.rows)
        state, losses, steps = {}, [], 0
        for epoch in self.epochs:

            def make(state=state) -> Stage:
                return self.code_epoch(correction, state)

            stage = self.scene.kept.stage("epoch", epoch, make, self.observer)
            state, steps = stage.tensors, steps + stage.numbers["steps"]
            losses.append(stage.numbers["loss"])
        correction.load_state_dict(training_state.part(state, "correction."))
        with torch.no_grad():
            codes = correction(self.edited.to(self.scene.device)).cpu()
        return Stage({"edited": codes}, {"steps": steps, **ends("codes", losses)})

    def code_epoch(self, correction: Correction, state: Mapping[str, torch.Tensor]) -> Stage:
        """One epoch of phase W from a state: that of the correction and of its optimiser."""
        s = self.settings
        optimiser = torch.optim.Adam(correction.parameters(), lr=s.code_lr)
        if state:
            correction.load_state_dict(training_state.part(dict(state), "correction."))
            training_state.restore(optimiser, training_state.part(dict(state), "adam."))
        loss_of, weights = PairLoss(self.scene, s, self.perceptual, self.observer), self.weights(trainable=False)
        losses = []
        for pair in self.pairs:
            codes = self.edited[list(pair)].to(self.scene.device)
            offset = correction.offset(codes)
            loss = loss_of(weights.images(codes + s.scale * offset), pair, s.lambda_outside)
            loss = loss + s.lambda_offset * offset.abs().mean((1, 2)).sum()
            losses.append(self.stepped(optimiser, loss))
        tensors = {f"correction.{name}": value.detach().cpu() for name, value in correction.state_dict().items()}
        tensors |= {f"adam.{name}": value.cpu() for name, value in training_state.of_optimiser(optimiser).items()}
        return Stage(tensors, {"steps": len(losses), "loss": sum(losses) / len(losses)})

    def refined_weights(self, codes: torch.Tensor) -> Stage:
        """Phase G: differences of weights for edited codes (T, L, D), and the loss of the first and of the last epoch."""
        if not (self.settings.weight_epochs and self.pairs):
            return Stage(dict(self.tuned), {"steps": 0})
        decided_by = self.decided_by | {"codes": codes, "pivots": self.pivots}
        return self.scene.kept.stage("weights", decided_by, lambda: self.weight_epochs(codes), self.observer)

    def weight_epochs(self, codes: torch.Tensor) -> Stage:
        s, losses = self.settings, []
        weights, before = self.weights(), self.weights(trainable=False)
        loss_of = PairLoss(self.scene, s, self.perceptual, self.observer)
        optimiser = torch.optim.Adam(weights.groups(s.weight_lr))
        for epoch in range(s.weight_epochs):
            for k, pair in enumerate(self.pairs):
                images = weights.images(codes[list(pair)].to(self.scene.device))
                loss = loss_of(images, pair, s.outside_in_weights * s.lambda_outside)
                if s.lambda_near:
                    loss = loss + s.lambda_near * self.locality(weights, before, pair, epoch * len(self.pairs) + k)
                losses.append(self.stepped(optimiser, loss))
        per_epoch = [sum(part) / len(part) for part in zip(*[iter(losses)] * len(self.pairs), strict=True)]
        return Stage(halved(weights.update.parameters), {"steps": len(losses), **ends("weights", per_epoch)})

    def locality(
        self, weights: TrainedWeights, before: TrainedWeights, pair: tuple[int, int], step: int
    ) -> torch.Tensor:
        """How far the image of a code near the pivot of a pair's frame is from what it was before the phase, ()."""
        s, generator, device = self.settings, self.scene.generator, self.scene.device
        rng = torch.Generator(device).manual_seed(s.seed + step)
        loss = TuningLoss(self.perceptual, Weights(1.0, 1.0, 0.0, 1.0), enlarged=SMALLEST)
        with torch.no_grad():
            z = torch.randn(1, generator.z_dim, generator=rng, device=device)
            pivot = self.pivots[pair[1]][None].to(device)
            code = near_pivot(pivot, generator.mapping(z, s.locality_psi), s.locality_distance)
            wanted = before.images(code)
        return s.lambda_locality * loss.locality(weights.images(code), wanted)

    def weights(self, trainable: bool = True) -> TrainedWeights:
        parts = self.scene.generator, self.tuned, self.scene.resolution, self.observer, self.settings.precision
        return TrainedWeights(*parts, trainable=trainable)

    def stepped(self, optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> float:
        """One optimiser step; returns the loss.  Raises UserError where it is no number."""
        if not torch.isfinite(loss):
            raise UserError("The refinement of the edited frames ended in NaN: lower code_lr or weight_lr.")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        self.observer.count("tuning_steps")
        return loss.item()


def ends(name: str, losses: list[float]) -> dict[str, float]:
    """The first and the last of some losses, by name."""
    return {f"{name}_loss_first": losses[0], f"{name}_loss_last": losses[-1]} if losses else {}
