"""State spaces: how codes (T, L, D) become the state u of the ODE and back.

A space is fitted to the observed codes, holds only tensors, and is stored with the fit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import torch

from dynode.settings import choose


class StateSpace(ABC):
    """Codes (..., L, D) -> states (..., R, K) and back.  weighted: it is fitted to a perceptual metric too."""

    weighted = False

    @classmethod
    @abstractmethod
    def fit(cls, ws: torch.Tensor, *metric: torch.Tensor) -> Self:
        """Fitted to the observed codes ws (n, L, D), and to a metric (L, D, D) where it is weighted."""

    @abstractmethod
    def tensors(self) -> dict[str, torch.Tensor]:
        """All that it holds: the arguments of its constructor."""

    @property
    @abstractmethod
    def state_shape(self) -> tuple[int, int]:
        """(R, K)"""

    @abstractmethod
    def encode(self, ws: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def decode(self, u: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def decode_velocity(self, du: torch.Tensor) -> torch.Tensor:
        """The velocity of a code from that of its state."""

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
    """u = (z - mu) / sigma: mu (L, D) the mean observed code, sigma one number, the RMS of what is left."""

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


class Subspace(StateSpace):
    """Coordinates (1, r) in the affine subspace that the observed codes span: no loss on them, a hundred times smaller.

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

    Noise of an inversion in directions that hardly change the image hardly counts here.
    basis (r, L*D) leads back to codes, dual (r, L*D) to coordinates; dual @ basis.T is the identity.
    """

    weighted = True

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
        weighed = Subspace.fit(torch.einsum("nld,lde->nle", ws.double() - mu, root))
        axes = weighed.basis.double().unflatten(1, mu.shape)
        basis, dual = (torch.einsum("rld,lde->rle", axes, each).flatten(1).float() for each in (back, root))
        return cls(mu.float(), basis, weighed.sigma, dual)

    def tensors(self) -> dict[str, torch.Tensor]:
        return super().tensors() | {"dual": self.dual}

    def encode(self, ws: torch.Tensor) -> torch.Tensor:
        return ((ws - self.mu).flatten(1) @ self.dual.T / self.sigma)[:, None]


SPACES: dict[str, type[StateSpace]] = {
    "wplus": WPlus,
    "standardised": Standardised,
    "subspace": Subspace,
    "visible": Visible,
}


def rms(x: torch.Tensor) -> torch.Tensor:
    """Root mean square, at least 1e-8 (a clip that stands still keeps a finite scale)."""
    return x.square().mean().sqrt().clamp(min=1e-8)


def fit_space(name: str, ws: torch.Tensor, metric: Callable[[], torch.Tensor] | None = None) -> StateSpace:
    """The space of that name, fitted to the observed codes ws (n, L, D).

    metric() -> (L, D, D), how strongly changes of a code change the image; called by weighted spaces only.
    """
    kind = choose("state space", name, SPACES)
    arguments = [metric()] if kind.weighted and metric is not None else []
    return kind.fit(ws, *arguments)
