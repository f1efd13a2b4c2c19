"""Development episodes multiplied: codes without rendering or encoding, distributed as those of an encoder.

A generator that copies its renderer maps the factors of any moment to a code.  A linear map, fitted to encoded frames, brings
the states of these codes to where the encoder would put them; what it leaves of an encoded episode is an offset of that episode
and jitter of its frames, and both are drawn from the encoded ones.  Nothing of a test episode has a part in it.
"""

from dataclasses import dataclass

import torch

from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.generators.protocol import Generator
from dynode.training.amortised.encoded_episodes import FRAMES, EncodedEpisodes, factors_of
from dynode.worlds import World
from dynode.worlds.factors import to_normal

RIDGE = 3.0  # of the linear map
AT_ONCE = 4096  # codes


@dataclass(frozen=True)
class Batch:
    """Frames `index` (B, M) of episodes: states as given (B, M, K), as wanted (B, M, K), and which exist (B, M)."""

    index: torch.Tensor
    given: torch.Tensor
    wanted: torch.Tensor
    valid: torch.Tensor


class Episodes:
    """Encoded and simulated episodes as states, to draw batches from.

    jitter_share: of the jitter of encoded frames that simulated ones get: what the map leaves of a moving frame is motion in
    part.  encoded_share: how often a batch is of encoded episodes.
    """

    def __init__(
        self,
        world: World,
        generator: Generator,
        encoded: EncodedEpisodes,
        axes: VisibleAxes,
        simulated: range,
        jitter_share: float = 0.8,
        encoded_share: float = 0.3,
    ):
        self.encoded, self.axes = encoded, axes
        self.jitter_share, self.encoded_share = jitter_share, encoded_share
        self.states = axes.encode(encoded.ws) * encoded.valid[..., None]
        wanted = self.states[encoded.valid]
        given = with_one(mapped(world, generator, axes, encoded.factors[encoded.valid]))
        penalty = RIDGE * torch.eye(given.shape[1])
        to_encoder = torch.linalg.solve(given.T @ given + penalty, given.T @ wanted)
        left = (wanted - given @ to_encoder).split(encoded.parts())
        self.offsets = torch.stack([each.mean(0) for each in left])
        self.jitter = torch.cat([each - each.mean(0) for each in left])
        every = torch.arange(FRAMES)
        factors = torch.cat([factors_of(world, seed, every) for seed in simulated])
        self.paths = (with_one(mapped(world, generator, axes, factors)) @ to_encoder).unflatten(0, (-1, FRAMES))

    def draw(self, size: int, rng: torch.Generator) -> Batch:
        """A batch of encoded or of simulated episodes."""
        if float(torch.rand((), generator=rng)) < self.encoded_share:
            return self.draw_encoded(size, rng)
        return self.draw_simulated(size, rng)

    def draw_encoded(self, size: int, rng: torch.Generator) -> Batch:
        chosen = torch.randint(len(self.encoded), (size,), generator=rng)
        states = self.states[chosen]
        return Batch(self.encoded.index[chosen], states, states, self.encoded.valid[chosen])

    def draw_simulated(self, size: int, rng: torch.Generator) -> Batch:
        count = self.encoded.index.shape[1]
        chosen = torch.randint(len(self.paths), (size,), generator=rng)
        offsets = self.offsets[torch.randint(len(self.offsets), (size,), generator=rng)]
        later = torch.rand(size, FRAMES - 1, generator=rng).argsort(1)[:, : count - 1].sort(1).values + 1
        index = torch.cat([torch.zeros(size, 1, dtype=torch.long), later], 1)
        wanted = (self.paths[chosen] + offsets[:, None]).gather(1, index[..., None].expand(-1, -1, offsets.shape[1]))
        jitter = self.jitter[torch.randint(len(self.jitter), (size, count), generator=rng)]
        return Batch(index, wanted + self.jitter_share * jitter, wanted, torch.ones(size, count, dtype=torch.bool))


def with_one(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], 1)


@torch.no_grad()
def mapped(world: World, generator: Generator, axes: VisibleAxes, factors: torch.Tensor) -> torch.Tensor:
    """States (N, K) of the generator's own codes of factors (N, F)."""
    z = to_normal(world.factors, factors)
    z = torch.cat([z, z.new_zeros(len(z), generator.z_dim - z.shape[1])], 1)
    return torch.cat([axes.encode(generator.mapping(part).cpu()) for part in z.split(AT_ONCE)])
