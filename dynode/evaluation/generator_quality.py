"""Quality of a generator of a world: Fréchet distance, precision and recall, accuracy of a classifier between them.

All on features of one network: the spatial means of AlexNet's five convolutions, of images at 256 pixels.  They are
not Inception's, so the Fréchet distance here is not an FID; it is read beside the distance between two halves of the
world's own pictures.  And how entangled its W is: how well a linear classifier reads factors off codes, and how fast images
change along lines in W.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.io.images import resampled
from dynode.metrics.frechet import frechet
from dynode.perception.factor_reader import FactorNet
from dynode.perception.lpips import LPIPS

RESOLUTION = 256
NEIGHBOURS = 3
STEP = 1e-4  # between the two images of a path, of the distance of its ends
LEAST = 16  # codes that entanglement is measured on
RARE = 0.02  # share of the codes: classes below it are left out


@torch.no_grad()
def features(images: torch.Tensor, network: LPIPS, chunk: int = 32) -> torch.Tensor:
    """Images (n, 3, R, R) in [-1, 1] -> features (n, 1152) in float64."""
    device, parts = next(network.parameters()).device, []
    for part in images.split(chunk):
        scaled = network.model.scaling_layer(resampled(part.to(device).clamp(-1, 1), RESOLUTION))
        parts.append(torch.cat([layer.mean((2, 3)) for layer in network.model.net(scaled)], 1).cpu())
    return torch.cat(parts).double()


def precision_recall(real: torch.Tensor, made: torch.Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Fraction of made features within the real manifold, and of real ones within the made (Kynkäänniemi et al. 2019).

    The manifold is the union of balls around its samples that reach to their k-th neighbour.
    """
    if min(len(real), len(made)) <= k:
        raise UserError(f"Precision and recall need more than {k} samples of each, got {len(real)} and {len(made)}.")
    distances = torch.cdist(made, real)
    precision = (distances <= radii(real, k)[None]).any(1).double().mean()
    recall = (distances <= radii(made, k)[:, None]).any(0).double().mean()
    return float(precision), float(recall)


def radii(points: torch.Tensor, k: int) -> torch.Tensor:
    """Distance (n,) of every point to its k-th neighbour among the others."""
    return torch.cdist(points, points).kthvalue(k + 1).values  # the first is itself


def classifier_accuracy(real: torch.Tensor, made: torch.Tensor, seed: int = 0) -> float:
    """Accuracy of a logistic classifier between them, on the held-out half: 0.5 is chance, 1 perfect separation."""
    values = torch.cat([real, made]).numpy()
    labels = np.repeat([0, 1], [len(real), len(made)])
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = np.array_split(order, 2)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    return float(model.fit(values[train], labels[train]).score(values[test], labels[test]))


def compared(world: torch.Tensor, other: torch.Tensor, made: torch.Tensor) -> dict[str, float]:
    """Every measure of made features against the world's, and beside it of the world's other pictures."""
    values = {}
    for name, candidate in (("", made), ("_of_the_world", other)):
        precision, recall = precision_recall(world, candidate)
        values |= {
            f"frechet{name}": frechet(world, candidate),
            f"precision{name}": precision,
            f"recall{name}": recall,
            f"told_apart{name}": classifier_accuracy(world, candidate),
        }
    return values


@torch.no_grad()
def linear_readout(generator: Generator, network: FactorNet, n: int = 2048, seed: int = 0) -> dict[str, float]:
    """For every factor, how far a linear classifier of codes w (D,) agrees with the network that reads it off their images.

    0: no better than always the most frequent class; 1: on every code of the held-out half.  n: random codes.
    Factors with a single class among the samples are left out.  Raises UserError for fewer than 16 codes.
    """
    require_enough(n)
    z = torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.w_avg)
    codes, read = [], {factor.name: [] for factor in network.factors}
    for part in z.split(32):
        ws = generator.mapping(part)
        codes.append(ws[:, 0].cpu())
        for name, logits in network(generator.synthesis(ws).clamp(-1, 1)).items():
            read[name].append(logits.argmax(1).cpu())
    points = torch.cat(codes).double().numpy()
    shares = {name: agreement(points, torch.cat(parts).numpy(), seed) for name, parts in read.items()}
    return {name: value for name, value in shares.items() if value is not None}


def agreement(points: np.ndarray, labels: np.ndarray, seed: int) -> float | None:
    """How much of what the most frequent class leaves a linear classifier gets right on a held-out half; None for one class."""
    values, counts = np.unique(labels, return_counts=True)
    kept = np.isin(labels, values[counts >= RARE * len(labels)])
    points, labels = points[kept], labels[kept]
    if len(np.unique(labels)) < 2:
        return None
    train, test = np.array_split(np.random.default_rng(seed).permutation(len(labels)), 2)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(points[train], labels[train])
    _, counts = np.unique(labels[test], return_counts=True)
    usual = counts.max() / len(test)
    return float((model.score(points[test], labels[test]) - usual) / (1 - usual)) if usual < 1 else None


@torch.no_grad()
def perceptual_path_length(generator: Generator, network: LPIPS, n: int = 256, seed: int = 0) -> float:
    """Mean LPIPS over the squared step between images of two near points on the line of two codes in W (Karras et al. 2019).

    By the given network, at 256 pixels: not the published one's numbers.  Raises UserError for fewer than 16 pairs.
    """
    require_enough(n)
    rng, lengths = torch.Generator().manual_seed(seed), []
    for z in torch.randn(n, 2, generator.z_dim, generator=rng).to(generator.w_avg).split(16):
        one, other = generator.mapping(z[:, 0]), generator.mapping(z[:, 1])
        at = torch.rand(len(z), 1, 1, generator=rng).to(one)
        pair = [generator.synthesis(one.lerp(other, at + step)).clamp(-1, 1) for step in (0.0, STEP)]
        lengths.append(network(*(resampled(images, RESOLUTION).clamp(-1, 1) for images in pair)) / STEP**2)
    return float(torch.cat(lengths).double().mean())


def require_enough(n: int) -> None:
    """Raises UserError for too few samples to say anything."""
    if n < LEAST:
        raise UserError(f"How entangled codes are is measured on at least {LEAST} samples, got {n}.")
