"""Worlds by name: renderers whose factors are known at every instant, and episodes of them.  A world is one module here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from dynode import runtime
from dynode.errors import UserError
from dynode.lazy import Registry
from dynode.settings import choose
from dynode.worlds.episodes import Episode, Motion, Motions
from dynode.worlds.factors import Factor, uniform

RAYS = {"cpu": 2**15, "cuda": 2**21}  # drawn at once: what fits a cache, what fills a GPU


@dataclass(frozen=True)
class World:
    """A renderer with its factors and the kinds of episodes it has.

    render(factors (B, F), resolution, samples=2) -> images (B, 3, R, R) in [-1, 1].
    kinds: name -> (motions, seconds) -> the motions of the factors that move, by the factor's name.
    pictures_per_second: of 64 pixels, drawn on two CPU cores; an order of magnitude, for estimates of time.
    order: where it stands in lists, low numbers first.
    """

    name: str
    title: str
    factors: tuple[Factor, ...]
    render: Callable[[torch.Tensor, int, int], torch.Tensor]
    kinds: Mapping[str, Callable[[Motions, float], dict[str, Motion]]]
    pictures_per_second: float = 10.0
    order: int = 100

    def sample(self, n: int, seed: int = 0) -> torch.Tensor:
        """n independent draws (n, F), every factor uniform over its range."""
        return uniform(self.factors, n, seed)

    def episode(self, kind: str, seed: int = 0, seconds: float = 2.0) -> Episode:
        """A seeded episode of a kind; its factors are exact at every time.

        Raises UserError for an unknown kind, and for a seed or a length that cannot be.
        """
        if not 0.001 <= seconds <= 3600:
            raise UserError(f"An episode lasts at least 0.001 and at most 3600 seconds, got {seconds:g}.")
        motions = Motions(self.factors, runtime.legal_seed(seed))
        moving = choose(f"episode of {self.name}", kind, self.kinds)(motions, seconds)
        return Episode(self.name, kind, seed, seconds, self.factors, motions.fixed, moving)

    def images(self, factors: torch.Tensor, resolution: int, **choices: Any) -> torch.Tensor:
        """Images (n, 3, R, R) of factors (n, F); choices as in `drawn`."""
        return torch.cat(list(self.drawn(factors, resolution, **choices)))

    @torch.no_grad()
    def drawn(
        self,
        factors: torch.Tensor,
        resolution: int,
        samples: int = 2,
        device: torch.device | str = "cpu",
        progress: bool = False,
    ) -> Iterator[torch.Tensor]:
        """The same images a few at a time, on the CPU.  samples: rays per pixel side.

        Raises UserError for a resolution beyond 8 to 2048 pixels.
        """
        if not 8 <= resolution <= 2048:
            raise UserError(f"A picture of a world has 8 to 2048 pixels a side, got {resolution}.")
        size = max(1, RAYS[torch.device(device).type] // (resolution * samples) ** 2)
        bar = tqdm(total=len(factors), desc=f"draw {self.name}", unit="frame", disable=not progress, mininterval=1)
        with bar:
            for part in factors.split(size):
                yield self.render(part.to(device), resolution, samples).cpu()
                bar.update(len(part))


class Worlds(Registry[World]):
    """Worlds by name, in their own order."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.load(), key=lambda name: (self[name].order, name)))


WORLDS = Worlds("dynode.worlds", "dynode.worlds")


def register(world: World) -> World:
    """Make a world known by its name; the last line of a world's module."""
    return WORLDS.add(world.name, world)


def world(name: str) -> World:
    """The world of that name, or a UserError naming the nearest legal one."""
    return choose("world", name, WORLDS)
