"""Reads attributes off codes of W+, without drawing them (Yao et al. 2021, Sec. 3.2): what a latent transformer learns from.

The paper's sees all rows of projected photographs.  Ours learns from random codes, the same in all rows: which row an
attribute is in can be learned only from mixtures (see `mixtures`), and even then an editor taught by all rows finds
moves that cross the classifier's border and show little.  On isaac3d, wall_color, other factors change by .24 of what
the attribute does where the classifier sees all rows (1,000 mixtures among its codes), by .03 where it sees their mean.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.settings import choose, require_positive

VIEWS = {"rows": "all rows, L * D numbers", "mean": "the mean over rows, D numbers"}


@dataclass(frozen=True)
class ClassifierSettings:
    """How the network is built and how it learns; the paper: rows, hidden [2048, 512], lr 1e-4, 27,000 codes."""

    view: str = "mean"
    hidden: tuple[int, int] = (256, 128)  # wider ones learn 4,000 codes by heart
    batch: int = 256
    epochs: int = 20
    lr: float = 1e-3
    weight_decay: float = 5e-4
    noise: float = 0.0  # rows are moved by up to so many standard deviations of the codes

    def __post_init__(self):
        choose("view of the classifier", self.view, VIEWS)
        require_positive(self, "batch", "epochs", "lr")


@dataclass(frozen=True)
class Labelled:
    """Codes ws (N, L, D) and labels (N, A) of the named attributes: 1 has it, 0 has it not, NaN unknown."""

    names: tuple[str, ...]
    ws: torch.Tensor
    labels: torch.Tensor

    def where(self, keep) -> "Labelled":
        return Labelled(self.names, self.ws[keep], self.labels[keep])

    def correlation(self, name: str) -> torch.Tensor:
        """Of one attribute's labels with those of all (A,), over the codes where both are known; 0 where one is constant."""
        own = self.labels[:, self.names.index(name)]
        return torch.stack([correlation(own, other) for other in self.labels.unbind(1)])


def correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson's, of two series (N,) where both are finite; 0 where one of them does not change."""
    known = torch.isfinite(a) & torch.isfinite(b)
    a, b = a[known] - a[known].mean(), b[known] - b[known].mean()
    return (a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-12)


class LatentClassifier(nn.Module):
    """Codes (B, L, D) -> logits (B, A); standardised by the mean code and the scalar spread of the codes it learns from."""

    def __init__(self, settings: ClassifierSettings, codes: torch.Tensor, attributes: int):
        super().__init__()
        self.settings = settings
        self.register_buffer("mean", codes.mean((0, 1)))
        self.register_buffer("scale", (codes - self.mean).square().mean().sqrt())
        width = codes.shape[2] * (codes.shape[1] if settings.view == "rows" else 1)
        wide, narrow = settings.hidden
        layers = nn.Linear(width, wide), nn.Linear(wide, narrow), nn.Linear(narrow, attributes)
        self.net = nn.Sequential(layers[0], nn.LeakyReLU(0.2), layers[1], nn.LeakyReLU(0.2), layers[2])

    def forward(self, ws: torch.Tensor) -> torch.Tensor:
        x = (ws - self.mean) / self.scale
        return self.net(x.flatten(1) if self.settings.view == "rows" else x.mean(1))


def jittered(ws: torch.Tensor, scale: torch.Tensor, noise: float, draws: torch.Generator) -> torch.Tensor:
    """Codes (B, L, D) whose rows are moved apart, each code's by its own share of `noise`: real codes lie off W."""
    if not noise:
        return ws
    share = noise * torch.rand(len(ws), 1, 1, generator=draws)
    return ws + (share * torch.randn(ws.shape, generator=draws)).to(ws) * scale


def fit_classifier(known: Labelled, settings: ClassifierSettings, seed: int = 0) -> LatentClassifier:
    """A classifier, frozen, that has seen all of the codes `epochs` times; the rate falls to a tenth half-way."""
    torch.manual_seed(seed)
    draws, network = torch.Generator().manual_seed(seed), LatentClassifier(settings, known.ws, len(known.names))
    network.to(known.ws.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(settings.epochs // 2, 1), 0.1)
    for _ in range(settings.epochs):
        for part in torch.randperm(len(known.ws), generator=draws).split(settings.batch):
            logits = network(jittered(known.ws[part], network.scale, settings.noise, draws))
            loss = cross_entropy(logits, known.labels[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary, of logits and labels (B, A), the mean over the known ones."""
    known = torch.isfinite(labels)
    return F.binary_cross_entropy_with_logits(logits[known], labels[known])


@torch.no_grad()
def accuracy(network: LatentClassifier, known: Labelled) -> dict[str, float]:
    """Share of the codes' known labels that the network gets right, by attribute."""
    right = ((network(known.ws) > 0) == (known.labels > 0.5)).float()
    finite = torch.isfinite(known.labels)
    shares = [right[finite[:, k], k].mean() for k in range(len(known.names))]
    return {name: round(float(share), 4) for name, share in zip(known.names, shares, strict=True)}
