"""State spaces: the maps between codes (T, L, D) and states u of the ODE.

A space is fitted to the observed codes, holds only tensors, and is stored with the fit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import torch

from dynode.settings import choose


class StateSpace(ABC):
    """Codes (..., L, D) -> states (..., R, K) and back.  weighted: fitting needs a perceptual metric."""

    weighted: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        """The space of the observed codes ws (n, L, D); a weighted one also takes a metric (L, D, D)."""

    @abstractmethod
    def tensors(self) -> dict[str, torch.Tensor]:
        """The arguments of the constructor, which are what is stored."""

    @property
    @abstractmethod
    def state_shape(self) -> tuple[int, int]:
        """The shape (R, K) of a state."""

    @abstractmethod
    def encode(self, ws: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def decode(self, u: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def decode_velocity(self, du: torch.Tensor) -> torch.Tensor:
        """The velocity (..., L, D) of a code from that of its state (..., R, K)."""

    def to(self, device: torch.device | str) -> Self:
        """The same space with its tensors on `device`."""
        return type(self)(**{name: tensor.to(device) for name, tensor in self.tensors().items()})


class WPlus(StateSpace):
    """The paper's own state: the codes as they are, (L, D)."""

    def __init__(self, shape: torch.Tensor):
        self.shape = shape

    @classmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        return cls(torch.tensor(ws.shape[1:]))

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"shape": self.shape}

    @property
    def state_shape(self) -> tuple[int, int]:
        rows, width = self.shape.tolist()
        return rows, width

    def encode(self, ws: torch.Tensor) -> torch.Tensor:
        return ws

    def decode(self, u: torch.Tensor) -> torch.Tensor:
        return u

    def decode_velocity(self, du: torch.Tensor) -> torch.Tensor:
        return du


class Standardised(StateSpace):
    """u = (z - mu) / sigma: mu (L, D) the mean observed code, sigma one number, the RMS of the centred codes."""

    def __init__(self, mu: torch.Tensor, sigma: torch.Tensor):
        self.mu, self.sigma = mu, sigma

    @classmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        mu = ws.mean(0)
        return cls(mu, rms(ws - mu))

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"mu": self.mu, "sigma": self.sigma}

    @property
    def state_shape(self) -> tuple[int, int]:
        return self.mu.shape[0], self.mu.shape[1]

    def encode(self, ws: torch.Tensor) -> torch.Tensor:
        return (ws - self.mu) / self.sigma

    def decode(self, u: torch.Tensor) -> torch.Tensor:
        return self.mu + self.sigma * u

    def decode_velocity(self, du: torch.Tensor) -> torch.Tensor:
        return self.sigma * du


class Entrywise(Standardised):
    """As `Standardised`, with an RMS (L, D) for every entry of a code: directions between codes are changed.

    An RMS is at least a thousandth of that over all entries: an entry that stands still is not blown up.
    """

    @classmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        mu = ws.mean(0)
        sigma = (ws - mu).square().mean(0).sqrt()
        return cls(mu, sigma.maximum(1e-3 * rms(ws - mu)))


class Subspace(StateSpace):
    """Coordinates (1, r) in the affine subspace that the observed codes span: exact for them, a hundred times smaller.

    mu (L, D) is the mean observed code, basis (r, L*D) orthonormal (r <= observed - 1), sigma the RMS coordinate.
    """

    def __init__(self, mu: torch.Tensor, basis: torch.Tensor, sigma: torch.Tensor):
        self.mu, self.basis, self.sigma = mu, basis, sigma

    @classmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        mu = ws.double().mean(0)
        centred = (ws - mu).flatten(1)
        _, values, directions = torch.linalg.svd(centred, full_matrices=False)
        basis = directions[values > 1e-6 * values[0]] if values[0] > 0 else directions[:1]
        return cls(mu.float(), basis.float(), rms(centred @ basis.T).float())

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"mu": self.mu, "basis": self.basis, "sigma": self.sigma}

    @property
    def state_shape(self) -> tuple[int, int]:
        return 1, len(self.basis)

    def encode(self, ws: torch.Tensor) -> torch.Tensor:
        return ((ws - self.mu).flatten(1) @ self.basis.T / self.sigma)[:, None]

    def decode(self, u: torch.Tensor) -> torch.Tensor:
        return self.mu + self.decode_velocity(u)

    def decode_velocity(self, du: torch.Tensor) -> torch.Tensor:
        return (du.squeeze(-2) * self.sigma @ self.basis).unflatten(-1, self.mu.shape)


class Visible(Subspace):
    """A perceptually weighted subspace: codes are multiplied by the square root of a metric first.

    Inversion noise in directions that hardly change the image has little weight here.
    basis (r, L*D) maps coordinates to codes, dual (r, L*D) codes to coordinates; dual @ basis.T is the identity.
    """

    weighted: ClassVar[bool] = True

    def __init__(self, mu: torch.Tensor, basis: torch.Tensor, sigma: torch.Tensor, dual: torch.Tensor):
        super().__init__(mu, basis, sigma)
        self.dual = dual

    @classmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        """metric (L, D, D): a positive definite block for each row."""
        (blocks,) = metric
        values, vectors = torch.linalg.eigh(blocks.double().to(ws.device))
        root, back = (vectors * (values[:, None] ** power) @ vectors.mT for power in (0.5, -0.5))
        mu = ws.double().mean(0)
        weighted = Subspace.fit(torch.einsum("nld,lde->nle", ws.double() - mu, root))
        axes = weighted.basis.double().unflatten(1, mu.shape)
        basis, dual = (torch.einsum("rld,lde->rle", axes, each).flatten(1).float() for each in (back, root))
        return cls(mu.float(), basis, weighted.sigma, dual)

    def tensors(self) -> dict[str, torch.Tensor]:
        return super().tensors() | {"dual": self.dual}

    def encode(self, ws: torch.Tensor) -> torch.Tensor:
        return ((ws - self.mu).flatten(1) @ self.dual.T / self.sigma)[:, None]


SPACES: dict[str, type[StateSpace]] = {
    "wplus": WPlus,
    "standardised": Standardised,
    "entrywise": Entrywise,
    "subspace": Subspace,
    "visible": Visible,
}


def rms(x: torch.Tensor) -> torch.Tensor:
    """Root mean square, at least 1e-8, so that a clip without motion has a finite scale."""
    return x.square().mean().sqrt().clamp(min=1e-8)


def fit_space(name: str, ws: torch.Tensor, metric: Callable[[], torch.Tensor] | None = None) -> StateSpace:
    """The space of that name, fitted to the observed codes ws (n, L, D).

    metric() -> (L, D, D), the squared change of the image for a change of a code; called for weighted spaces only.
    """
    kind = choose("state space", name, SPACES)
    arguments = [metric()] if kind.weighted and metric is not None else []
    return kind.fit(ws, *arguments)
