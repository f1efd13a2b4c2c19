"""A classifier of attributes from codes of W+, without images (Yao et al. 2021, Sec. 3.2), for latent transformers.

The paper's classifier takes all rows of projected photographs.  Ours is trained on random codes, which are the same in all
rows: the row that an attribute depends on can be learned only from style mixtures, and even then an editor trained with all
rows finds edits that cross the decision boundary and change little in the image.  On isaac3d, wall_color, other factors
change by .24 of the attribute's own change with a classifier of all rows (1,000 mixtures among its codes), by .03 with a
classifier of their mean.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.settings import choose, require_positive
from dynode.training.loops import minimise

VIEWS = {"rows": "all rows, L * D numbers", "mean": "the mean over rows, D numbers"}


@dataclass(frozen=True)
class ClassifierSettings:
    """Architecture and training; the paper: view rows, hidden [2048, 512], lr 1e-4, 27,000 codes."""

    view: str = "mean"
    hidden: tuple[int, int] = (256, 128)  # wider ones overfit to 4,000 codes
    batch: int = 256
    epochs: int = 20
    lr: float = 1e-3
    weight_decay: float = 5e-4
    noise: float = 0.0  # largest perturbation of rows, in standard deviations of the codes

    def __post_init__(self):
        choose("view of the classifier", self.view, VIEWS)
        require_positive(self, "batch", "epochs", "lr")


@dataclass(frozen=True)
class Labelled:
    """Codes ws (N, L, D) and labels (N, A) of the named attributes: 1 has it, 0 has it not, NaN unknown."""

    names: tuple[str, ...]
    ws: torch.Tensor
    labels: torch.Tensor

    def where(self, keep: slice | torch.Tensor) -> "Labelled":
        """Some of the codes."""
        return Labelled(self.names, self.ws[keep], self.labels[keep])

    def correlation(self, name: str) -> torch.Tensor:
        """Correlation (A,) of one attribute's labels with those of each, over codes where both are known; 0 if constant."""
        own = self.labels[:, self.names.index(name)]
        return torch.stack([correlation(own, other) for other in self.labels.unbind(1)])


def correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson's correlation of two series (N,) where both are finite; 0 where one of them is constant."""
    known = torch.isfinite(a) & torch.isfinite(b)
    a, b = a[known] - a[known].mean(), b[known] - b[known].mean()
    return (a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-12)


class LatentClassifier(nn.Module):
    """Codes (B, L, D) -> logits (B, A); standardised by the mean and the scalar standard deviation of its training codes."""

    mean: torch.Tensor
    scale: torch.Tensor

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


def jittered(ws: torch.Tensor, scale: torch.Tensor, noise: float, rng: torch.Generator) -> torch.Tensor:
    """Codes (B, L, D) with noise in each row, of a random level up to `noise` for each code: real codes lie outside W."""
    if not noise:
        return ws
    level = noise * torch.rand(len(ws), 1, 1, generator=rng)
    return ws + (level * torch.randn(ws.shape, generator=rng)).to(ws) * scale


def fit_classifier(known: Labelled, settings: ClassifierSettings, seed: int = 0) -> LatentClassifier:
    """A trained classifier, frozen; the learning rate falls to a tenth half-way."""
    torch.manual_seed(seed)
    rng, network = torch.Generator().manual_seed(seed), LatentClassifier(settings, known.ws, len(known.names))
    network.to(known.ws.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(settings.epochs // 2, 1), 0.1)
    for _ in range(settings.epochs):
        for part in torch.randperm(len(known.ws), generator=rng).split(settings.batch):
            logits = network(jittered(known.ws[part], network.scale, settings.noise, rng))
            minimise(optimiser, cross_entropy(logits, known.labels[part]))
        schedule.step()
    return network.eval().requires_grad_(False)


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy of logits and labels (B, A), the mean over the known labels."""
    known = torch.isfinite(labels)
    return F.binary_cross_entropy_with_logits(logits[known], labels[known])


@torch.no_grad()
def accuracy(network: LatentClassifier, known: Labelled) -> dict[str, float]:
    """The fraction of known labels that the network predicts correctly, by attribute."""
    correct = ((network(known.ws) > 0) == (known.labels > 0.5)).float()
    finite = torch.isfinite(known.labels)
    fractions = [correct[finite[:, k], k].mean() for k in range(len(known.names))]
    return {name: round(float(fraction), 4) for name, fraction in zip(known.names, fractions, strict=True)}
