"""Worlds with known truth: renderers whose factors are known at every instant, and episodes of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from tqdm import tqdm

from dynode.errors import UserError
from dynode.settings import choose
from dynode.worlds import bird, isaac3d, scene
from dynode.worlds.episodes import Episode, Motions
from dynode.worlds.factors import Factor, uniform

RAYS = {"cpu": 2**15, "cuda": 2**21}  # drawn at once: what fits a cache, what fills a GPU


@dataclass(frozen=True)
class World:
    """A renderer with its factors and the kinds of episodes it has.

    render(factors (B, F), resolution, samples=2) -> images (B, 3, R, R) in [-1, 1].
    """

    name: str
    title: str
    factors: tuple[Factor, ...]
    render: Callable
    kinds: dict[str, Callable]  # name -> (Motions, seconds) -> motions by factor

    def sample(self, n: int, seed: int = 0) -> torch.Tensor:
        """n independent draws (n, F), every factor uniform over its range."""
        return uniform(self.factors, n, seed)

    def episode(self, kind: str, seed: int = 0, seconds: float = 2.0) -> Episode:
        """A seeded episode of a kind; its factors are exact at every time.  Raises UserError for an unknown kind or length."""
        if not 0 < seconds <= 3600:
            raise UserError(f"An episode lasts above 0 and at most 3600 seconds, got {seconds:g}.")
        motions = Motions(self.factors, seed)
        moving = choose(f"episode of {self.name}", kind, self.kinds)(motions, seconds)
        return Episode(self.name, kind, seed, seconds, self.factors, motions.fixed, moving)

    def images(self, factors: torch.Tensor, resolution: int, **choices) -> torch.Tensor:
        """Images (n, 3, R, R) of factors (n, F); choices as in `drawn`."""
        return torch.cat(list(self.drawn(factors, resolution, **choices)))

    @torch.no_grad()
    def drawn(
        self, factors: torch.Tensor, resolution: int, samples: int = 2, device="cpu", progress: bool = False
    ) -> Iterator[torch.Tensor]:
        """The same images a few at a time, on the CPU; samples: rays a pixel's side."""
        if not 8 <= resolution <= 2048:
            raise UserError(f"A picture of a world has 8 to 2048 pixels a side, got {resolution}.")
        size = max(1, RAYS[torch.device(device).type] // (resolution * samples) ** 2)
        bar = tqdm(total=len(factors), desc=f"draw {self.name}", unit="frame", disable=not progress, mininterval=1)
        with bar:
            for part in factors.split(size):
                yield self.render(part.to(device), resolution, samples).cpu()
                bar.update(len(part))


WORLDS = {
    name: World(name, title, module.FACTORS, module.render, module.KINDS)
    for name, title, module in (
        ("scene", "a lake below mountains through days and weather", scene),
        ("bird", "a bird above foliage", bird),
        ("isaac3d", "a robot arm in a kitchen", isaac3d),
    )
}


def world(name: str) -> World:
    """The world of that name, or a UserError naming the nearest legal one."""
    return choose("world", name, WORLDS)
