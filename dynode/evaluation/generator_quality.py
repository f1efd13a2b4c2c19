"""Quality of a generator of a world: Fréchet distance, precision and recall, accuracy of a classifier between them.

All on features of one network: the spatial means of AlexNet's five convolutions, of images at 256 pixels.  They are
not Inception's, so the Fréchet distance here is not an FID; it is read beside the distance between two halves of the
world's own pictures.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dynode.errors import UserError
from dynode.io.images import resampled
from dynode.metrics.frechet import frechet
from dynode.perception.lpips import LPIPS

RESOLUTION = 256
NEIGHBOURS = 3


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
