"""`dynode train dynamics`: a field and a context encoder for all clips of a world, by roll-outs under random samplings.

Its controls, sequence models that clips share, learn from the same episodes, samplings and number of batches by the same loss.
"""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dynode import generators, runtime
from dynode.dynamics.amortised import field_files
from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.dynamics.amortised.field_files import Shared, SharedField, SharedModel
from dynode.dynamics.amortised.network import AmortisedField, AmortisedNetworkSettings
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.settings import require_positive, to_json
from dynode.training.amortised.encoded_episodes import (
    FIRST,
    FPS,
    FRAMES,
    LAST,
    EncodedEpisodes,
    encode_episodes,
)
from dynode.training.amortised.held_out_quality import HELD_OUT, quality, seconds
from dynode.training.amortised.simulated_episodes import Batch, Episodes
from dynode.training.amortised.train_prior import train_prior
from dynode.training.loops import Loss, Trainer
from dynode.worlds import World

STEP = 2  # frames that a step of the solver goes; the one between is interpolated by the velocities
BEYOND = (2, 12)  # frames that a sampling may end before the last one: at least, below
WARM_UP = 12_800  # episodes over which the learning rate rises


@dataclass(frozen=True)
class AmortisedTrainingSettings:
    """How a field is trained.  The first `held_out` development episodes teach nothing; the next `encoded` are encoded."""

    network: AmortisedNetworkSettings = field(default_factory=AmortisedNetworkSettings)
    generator: str = ""  # whose codes; by default stylegan2-WORLD-factors
    held_out: int = 100
    encoded: int = 240
    total: int = 220_000  # episodes to show
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 1e-2
    beyond: float = 0.35  # how often a sampling ends before the last frame
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "held_out", "encoded", "total", "batch", "lr")
        if self.held_out + self.encoded > LAST + 1 - FIRST:
            raise UserError(f"There are {LAST + 1 - FIRST} development episodes: hold out and encode fewer.")

    def generator_of(self, world: World) -> str:
        return self.generator or f"stylegan2-{world.name}-factors"

    @property
    def seeds(self) -> range:
        """Of the episodes that teach."""
        return range(FIRST + self.held_out, LAST + 1)


class AmortisedTraining(Trainer):
    """The training of a field and its encoder, or of a sequence model, on episodes of states."""

    subject = "the dynamics"
    checkpoint_format = "dynode-amortised-training-1"
    unit = "episode"

    def __init__(self, settings: AmortisedTrainingSettings, episodes: Episodes, owner: dict[str, str]):
        super().__init__(settings.seed, "cpu")
        runtime.seed_everything(settings.seed)
        self.settings, self.episodes, self.owner = settings, episodes, owner
        self.batch, self.total = settings.batch, settings.total
        self.shared = field_files.untrained(settings.network, episodes.axes, owner)
        self.weights = [each for network in self.networks().values() for each in network.parameters()]
        self.optimiser = torch.optim.AdamW(self.weights, settings.lr, weight_decay=settings.weight_decay)

    def job(self) -> str:
        return to_json(self.settings) + self.owner["hash"]

    def networks(self) -> dict[str, nn.Module]:
        return self.shared.networks()

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser}

    def train_batch(self) -> Loss:
        passed = self.position() / self.total
        rate = min(1.0, (self.shown + self.batch) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * min(passed, 1.0)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr * rate * self.warmth()
        loss = self.error(self.episodes.draw(self.batch, self.rng))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def error(self, batch: Batch) -> torch.Tensor:
        """Mean squared error of roll-outs at all frames after the first, under random samplings of each episode.

        Of a sequence model with a likelihood it is its negative ELBO in the same unit; what that adds grows over the first half.
        """
        observed = samplings(batch.index, batch.valid, self.settings.beyond, self.rng)
        own = torch.Generator().manual_seed(
            self.seed + self.shown
        )  # so that all models get the same batches and samplings
        paths = paths_of(self.shared, batch.given, batch.index / FPS, observed, own)
        at = batch.index[..., None].expand(-1, -1, paths.shape[2])
        counted = batch.valid.float()
        counted[:, 0] = 0
        errors = (paths.gather(1, at) - batch.wanted).square().sum(2)
        error = (errors * counted).sum() / counted.sum()
        if isinstance(self.shared, SharedField):
            return error
        return error + min(1.0, 2 * self.position() / self.total) * self.shared.model.penalty().sum() / counted.sum()


def samplings(index: torch.Tensor, valid: torch.Tensor, beyond: float, rng: torch.Generator) -> torch.Tensor:
    """Which frames (B, M) bool are observed: always the first, a random share of the others, at times none near the end."""
    size = len(index)
    share = torch.rand(size, 1, generator=rng) * 0.75 + 0.2
    observed = (torch.rand(index.shape, generator=rng) < share) & valid
    observed[:, 0] = True
    whole = torch.rand(size, generator=rng) < 0.5
    observed[torch.arange(size)[whole], valid.sum(1)[whole] - 1] = True  # a sampling of a clip has both ends
    ends_before = torch.rand(size, generator=rng) < beyond
    last = FRAMES - 1 - ends_before * torch.randint(*BEYOND, (size,), generator=rng)
    return observed & (index <= last[:, None])


def paths_of(
    shared: Shared,
    given: torch.Tensor,
    ts: torch.Tensor,
    observed: torch.Tensor | None = None,
    rng: torch.Generator | None = None,
) -> torch.Tensor:
    """States (B, FRAMES, K) from those given (B, M, K) at times ts (B, M), of which `observed` (B, M) bool count."""
    if isinstance(shared, SharedModel):
        return shared.model(given, ts, torch.arange(FRAMES) / FPS, observed, rng)
    return rolled_out(shared.field, shared.encoder(given, ts, observed), given[:, 0])


def rolled_out(field: AmortisedField, context: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """States (B, FRAMES, K) from the first ones (B, K) on, by the classical Runge-Kutta method and cubic Hermite polynomials."""
    steps, h = math.ceil((FRAMES - 1) / STEP), STEP / FPS
    driven = field.driven((torch.arange(2 * steps + 1) * h / 2).expand(len(start), -1), context[:, None])
    u, states, velocities = start, [start], []
    for k in range(steps):
        before, half, after = driven[:, 2 * k], driven[:, 2 * k + 1], driven[:, 2 * k + 2]
        first = field.velocity(before, u)
        second = field.velocity(half, u + h / 2 * first)
        third = field.velocity(half, u + h / 2 * second)
        u = u + h / 6 * (first + 2 * second + 2 * third + field.velocity(after, u + h * third))
        states.append(u)
        velocities.append(first)
    velocities.append(field.velocity(driven[:, -1], u))
    at, speed = torch.stack(states, 1), torch.stack(velocities, 1)
    between = (at[:, :-1] + at[:, 1:]) / 2 + h / 8 * (speed[:, :-1] - speed[:, 1:])
    return torch.cat([torch.stack([at[:, :-1], between], 2).flatten(1, 2), at[:, -1:]], 1)[:, :FRAMES]


def train_amortised(
    world: World,
    output: Path,
    settings: AmortisedTrainingSettings,
    *,
    minutes: float = math.inf,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """Train, write the file, and return its card.  minutes: of training; device: of rendering and encoding."""
    generator = generators.load(settings.generator_of(world), device=device)
    seeds, owner = settings.seeds, {"name": generator.name, "hash": generator.hash}
    encoded = encode_episodes(world, seeds[: settings.encoded], generator, progress=progress)
    axes = axes_of(encoded, generator, settings.network.coordinates)
    if settings.network.model == "prior":
        return train_prior(output, encoded, held_out(world, generator, progress), axes, owner, to_json(settings))
    training = AmortisedTraining(settings, Episodes(world, generator, encoded, axes, seeds), owner)
    checkpoint = output.with_suffix(output.suffix + ".checkpoint")
    training.resume(checkpoint)
    training.loop(checkpoint, until=time.time() + 60 * minutes, progress=progress)
    for network in training.networks().values():
        network.eval()
    whole = held_out(world, generator, progress)
    card = {
        "settings": to_json(settings),
        "episodes_shown": training.shown,
        "hours": training.seconds / 3600,
        "losses": [round(loss, 5) for loss in training.losses[-50:]],
        "quality": shared_quality(training.shared, whole),
        "provenance": runtime.provenance(torch.device("cpu")),
    }
    field_files.save(training.shared, output, card)
    checkpoint.unlink(missing_ok=True)
    return card


def held_out(world: World, generator: Generator, progress: bool) -> EncodedEpisodes:
    """The whole episodes that the quality is measured on."""
    return encode_episodes(world, range(FIRST, FIRST + HELD_OUT), generator, whole=True, progress=progress)


def shared_quality(shared: Shared, whole: EncodedEpisodes) -> dict[str, float]:
    """`quality` of what is shared, alone."""
    states = shared.axes.encode(whole.ws)
    return quality(states, lambda shown: paths_of(shared, states[:, shown], seconds(shown, len(states))))


def axes_of(encoded: EncodedEpisodes, generator: Generator, coordinates: int) -> VisibleAxes:
    """The visible axes of the codes of encoded episodes."""
    device = generator.w_avg.device
    return VisibleAxes.fit(encoded.ws[encoded.valid], lambda ws: generator.synthesis(ws.to(device)).cpu(), coordinates)
