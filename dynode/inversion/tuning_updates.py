"""Which weights of a generator a tuning changes: all but the mapping's, those of the last blocks, or all by low-rank products.

The generator itself stays as it is: a tuned image is that of its weights plus differences, which alone are trained.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import nn
from torch.func import functional_call

from dynode.generators.protocol import Generator
from dynode.generators.tuned import LEFT, RIGHT, product, weights_of, whole
from dynode.settings import choose


class Update:
    """Differences to the weights of a generator, 0 at first.  parameters: what is trained, by name in a tuning's file."""

    def __init__(self, generator: Generator, parameters: dict[str, nn.Parameter]):
        self.generator, self.parameters = generator, parameters
        self.weights = weights_of(generator)

    def changed_weights(self) -> dict[str, torch.Tensor]:
        """The weights plus their differences, differentiable in the parameters."""
        changed = {}
        for name, value in self.parameters.items():
            if name.endswith(RIGHT):
                continue
            key = name.removesuffix(LEFT)
            weight = self.weights[key]
            difference = value if key == name else product(value, self.parameters[key + RIGHT], weight)
            changed[key] = weight + difference
        return changed

    def images(self, ws: torch.Tensor, resolution: int) -> torch.Tensor:
        """Images (B, 3, R, R) of the tuned generator, of ws (B, L, D), differentiable in codes and parameters."""
        weights = {f"{self.prefix}{key}": value for key, value in self.changed_weights().items()}
        return functional_call(self.caller, weights, (ws, resolution))

    @cached_property
    def caller(self) -> "Synthesis":
        return Synthesis(self.generator)

    @cached_property
    def prefix(self) -> str:
        """What stands before the names of weights in a caller."""
        return "network." if whole(self.generator) is self.generator else "network.generator."


class Synthesis(nn.Module):
    """A generator whose call is its synthesis."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.network = generator

    def forward(self, ws: torch.Tensor, resolution: int) -> torch.Tensor:
        return self.network.synthesis(ws, resolution)


def full(weights: dict[str, torch.Tensor]) -> dict[str, nn.Parameter]:
    """A difference of its own shape for every weight."""
    return {name: nn.Parameter(torch.zeros_like(weight)) for name, weight in weights.items()}


def low_rank(weights: dict[str, torch.Tensor], rank: int, seed: int) -> dict[str, nn.Parameter]:
    """Two factors for every weight (O, ...) of which they hold fewer numbers, a full difference for the others.

    The left factor is 0 at first; the right one is random with variance 1 / rank, so that a step of Adam changes a weight about
    as far as it changes a full difference.
    """
    parameters, rng = {}, torch.Generator().manual_seed(seed)
    for name, weight in weights.items():
        rows, columns = len(weight) if weight.dim() else 1, weight[0].numel() if weight.dim() > 1 else 1
        if rank * (rows + columns) >= rows * columns:
            parameters |= full({name: weight})
            continue
        right = torch.randn(rank, columns, generator=rng).to(weight) / rank**0.5
        parameters[name + LEFT] = nn.Parameter(weight.new_zeros(rows, rank))
        parameters[name + RIGHT] = nn.Parameter(right)
    return parameters


def of_last_blocks(generator: Generator, share: float) -> dict[str, torch.Tensor]:
    """The weights of the last share of each list of blocks, and of what comes behind the first of these lists."""
    names: list[str] = []
    for name, child in whole(generator).named_children():
        if isinstance(child, nn.ModuleList):
            names += [f"{name}.{k}." for k in range(len(child) - max(1, round(share * len(child))), len(child))]
        elif names:
            names.append(f"{name}.")
    return {key: value for key, value in weights_of(generator).items() if key.startswith(tuple(names))}


UPDATES: dict[str, Callable[[Generator, float, int, int], dict[str, nn.Parameter]]] = {
    "all": lambda generator, share, rank, seed: full(weights_of(generator)),
    "last-blocks": lambda generator, share, rank, seed: full(of_last_blocks(generator, share)),
    "low-rank": lambda generator, share, rank, seed: low_rank(weights_of(generator), rank, seed),
}


def update_of(generator: Generator, kind: str, *, share: float, rank: int, seed: int) -> Update:
    """The update of that kind, one of UPDATES.  share: of the blocks, for "last-blocks".  rank, seed: for "low-rank"."""
    return Update(generator, choose("kind of update", kind, UPDATES)(generator, share, rank, seed))
