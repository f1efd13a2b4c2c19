"""Unnamed directions of a generator: the principal components of its W (Härkönen et al. 2020, "GANSpace", Sec. 3.1).

They have no labels, so each is named by its rank: "ganspace component 1" is the direction of the largest variance.
"""

from dataclasses import dataclass

import torch

from dynode.editing.directions import Direction
from dynode.editing.editors import editing_method
from dynode.errors import UserError
from dynode.generators.protocol import Generator

SAMPLES = 10_000  # of W


@dataclass(frozen=True)
class Component(Direction):
    """An editor that shifts codes along one component.

    fraction: of the variance of W.  The published code counts components from 0, this from 1.
    """

    fraction: float


@dataclass(frozen=True)
class PrincipalAxes:
    """The principal components of W: mean (D,), axes (D, D) in rows, orthonormal, the largest variance first, variances (D,)."""

    mean: torch.Tensor
    axes: torch.Tensor
    variances: torch.Tensor

    def distance(self, ws: torch.Tensor, components: int) -> torch.Tensor:
        """How far codes (T, L, D) lie from the mean of random ones, (T,): 1 is as far as those do on average.

        The root mean square over rows and the leading components, in standard deviations along each.
        """
        leading = (ws.double().cpu() - self.mean) @ self.axes[:components].T
        return (leading.square() / self.variances[:components]).mean((1, 2)).sqrt()


@torch.no_grad()
def principal_axes(generator: Generator, samples: int = SAMPLES, seed: int = 0) -> PrincipalAxes:
    """The principal components of `samples` random codes in W, float64; each has its largest entry positive."""
    z = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    ws = torch.cat([generator.mapping(part.to(generator.w_avg))[:, 0] for part in z.split(1000)]).double().cpu()
    variances, directions = torch.linalg.eigh(torch.cov(ws.T))  # rising
    axes = directions.T.flip(0)
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    return PrincipalAxes(ws.mean(0), axes, variances.flip(0))


def principal_component(generator: Generator, number: int = 1, samples: int = SAMPLES, seed: int = 0) -> Component:
    """The `number`-th principal component, from 1, of `samples` random codes in W.  Raises ValueError for a number beyond W."""
    if not 1 <= number <= generator.w_dim:
        raise ValueError(f"W has components 1 to {generator.w_dim}, got {number}")
    of = principal_axes(generator, samples, seed)
    variance = of.variances[number - 1]
    fraction = float(variance / of.variances.sum())
    return Component(f"ganspace component {number}", of.axes[number - 1].float(), float(variance.sqrt()), fraction)


@editing_method("ganspace")
def load(attribute: str, generator: Generator) -> Component:
    """The component of a number.  Raises UserError for what is none."""
    if not attribute.isdecimal() or not 1 <= int(attribute) <= generator.w_dim:
        raise UserError(f"W of {generator.name} has components 1 to {generator.w_dim}, got {attribute!r}.")
    return principal_component(generator, int(attribute))
