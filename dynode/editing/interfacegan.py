"""InterFaceGAN (Shen et al. 2020): an attribute is the normal of a plane in W that separates codes with it from the others.

A linear support vector machine fits the plane to the samples with the highest and the lowest scores, as the published
code does.  The strength is a shift along the normal, in standard deviations of random codes, as in the published edits of
W+; their edits of W set the distance to the plane instead.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import random_samples as samples
from dynode.editing.directions import Direction
from dynode.editing.editor_files import FORMATS, EditorFormat
from dynode.editing.editors import editing_method
from dynode.editing.random_samples import SampleSettings
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.io.tensor_files import undamaged
from dynode.perception import attributes
from dynode.settings import choose, require_positive, to_json

FILES = FORMATS.add(
    "interfacegan", EditorFormat("set of boundaries", "dynode-boundaries-1", "boundaries", "train boundary")
)
MIN_EXTREMES = 10  # samples at each end


@dataclass(frozen=True)
class BoundarySettings:
    """The samples a plane is fitted to, and the support vector machine.

    share: fraction of the samples at each end, at most half; 1 or more is a count.  The published code takes .02 of
    500,000; of 3,000 that would be 60, too few for 512 dimensions.
    """

    samples: SampleSettings = field(default_factory=SampleSettings)
    share: float = 0.1
    training: float = 0.7  # fraction of the extreme samples; the others are held out for the accuracy
    c: float = 1.0  # of the support vector machine
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "share", "training", "c")
        if 1 <= self.share < MIN_EXTREMES:
            raise UserError(
                f"share is a fraction of the samples below 1, or a count of at least {MIN_EXTREMES}, got {self.share:g}."
            )
        if self.training >= 1:
            raise UserError(f"training must be below 1, got {self.training}: the rest of the samples is held out.")


@dataclass(frozen=True)
class Boundary:
    """The normal (D,) of a plane, the standard deviation of codes along it, and how well the plane predicts the attribute.

    facts: held_out, the accuracy on held-out extreme samples; rest, the accuracy on all samples that are not extreme, with
    the class boundary half-way between the highest and the lowest score, which is off the plane where scores are skewed;
    correlation of the scores with the distances to the plane, over all samples that it was not fitted to; extremes, the
    number of samples at each end.
    """

    normal: torch.Tensor
    sigma: float
    facts: dict[str, float]


def extremes(scores: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Indices of the highest samples, of as many lowest, and of the rest; samples without a score are in none.

    share: as in `BoundarySettings`.  Raises UserError for too few samples.
    """
    known = torch.isfinite(scores).nonzero().flatten()
    order = known[scores[known].argsort(descending=True, stable=True)]
    count = int(min(share if share >= 1 else share * len(order), len(order) // 2))
    if count < MIN_EXTREMES:
        raise UserError(
            f"A boundary wants at least {MIN_EXTREMES} samples at each end, {len(order)} scored ones give {count}: score more "
            "samples, or take a larger share."
        )
    return order[:count], order[len(order) - count :], order[count : len(order) - count]


def fit_boundary(w: torch.Tensor, scores: torch.Tensor, settings: BoundarySettings) -> Boundary:
    """The boundary of scores (N,) among codes w (N, D); its normal points to higher scores.

    Raises UserError for too few samples, and where all scores are equal.
    """
    from sklearn.svm import SVC

    high, low, rest = extremes(scores, settings.share)
    if not scores[high].min() > scores[low].max():
        raise UserError("The highest and the lowest samples have the same score: there is nothing to separate.")
    rng = np.random.default_rng(settings.seed)
    chosen, cut = [rng.permutation(each.numpy()) for each in (high, low)], round(settings.training * len(high))
    fitted, held_out = (np.concatenate([each[part] for each in chosen]) for part in (slice(cut), slice(cut, None)))
    codes, middle = w.double().numpy(), float(scores[high[0]] + scores[low[-1]]) / 2
    machine = SVC(kernel="linear", C=settings.c)
    machine.fit(codes[fitted], np.isin(fitted, high.numpy()))
    normal = torch.from_numpy(machine.coef_[0] / np.linalg.norm(machine.coef_[0]))
    along, new = w.double() @ normal, torch.isfinite(scores)
    new[fitted] = False
    facts = {
        "held_out": machine.score(codes[held_out], np.isin(held_out, high.numpy())),
        "rest": machine.score(codes[rest], (scores[rest] > middle).numpy()) if len(rest) else float("nan"),
        "correlation": float(torch.corrcoef(torch.stack([along[new], scores[new].double()]))[0, 1]),
        "extremes": len(high),
    }
    return Boundary(normal.float(), float(along.std()), facts)


def conditioned(normal: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The part of a normal (D,) that is orthogonal to all of `others` (K, D), of unit length (Shen et al. 2020, Sec. 3.3).

    The published code does it for K = 1 and 2; here the coefficients solve the Gram matrix of the others.
    Raises UserError where nothing is left.
    """
    normal, others = normal.double(), others.double()
    rest = normal - torch.linalg.lstsq(others @ others.T, (others @ normal)[:, None]).solution[:, 0] @ others
    if rest.norm() < 1e-3:
        raise UserError("The direction lies in the span of those it is conditioned on: nothing is left, name fewer.")
    return (rest / rest.norm()).float()


def train_boundaries(
    generator_name: str,
    settings: BoundarySettings,
    output: Path,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Fit the boundary of every attribute of a generator's samples, write them, and return their card.

    An attribute that is the same in all samples, or circular and so without highest samples, is left out, and named in the
    card with the reason.  Raises UserError where all are left out.
    """
    generator = generators.load(generator_name, device)
    scored = samples.scored(generator, settings.samples, device=device, progress=progress)
    periods = attributes.attribute_scorer(generators.category_of(generator.name)).periods.tolist()
    circular = [name for name, period in zip(scored.names, periods, strict=True) if period]
    boundaries, left_out = {}, {name: "It comes back to where it began." for name in circular}
    separable = [name for name in scored.names if name not in circular]
    for name in tqdm(separable, desc="boundaries", disable=not progress, mininterval=2):
        try:
            boundaries[name] = fit_boundary(scored.w, scored.scores_of(name), settings)
        except UserError as error:
            left_out[name] = str(error)
    if not boundaries:
        raise UserError(f"No attribute has a boundary: {left_out[separable[0]] if separable else 'none is scored.'}")
    card = {
        "settings": to_json(settings),
        "names": list(boundaries),
        "sigmas": [round(each.sigma, 6) for each in boundaries.values()],
        "facts": {name: {k: round(v, 4) for k, v in each.facts.items()} for name, each in boundaries.items()},
        "left_out": left_out,
        "provenance": runtime.provenance(torch.device(device)),
    }
    save({name: each.normal for name, each in boundaries.items()}, output, generator, card)
    return card


def save(normals: dict[str, torch.Tensor], path: Path, generator: Generator, card: dict) -> None:
    """Write the normals in half precision, in the order of card["names"]."""
    FILES.save({"normals": torch.stack(list(normals.values())).half()}, path, generator, card)


@editing_method("interfacegan")
def load(name: str, generator: Generator) -> Direction:
    """The editor of "smile", or of "smile|age,gender", orthogonal to age and gender; a file of the user's after an @.

    Raises UserError for an unknown attribute, a generator without boundaries, and the file of another generator.
    """
    attribute, at, file = name.partition("@")
    known = generator.name.partition("@")[0]
    path = Path(file) if at else choose("generator with boundaries", known, FILES.shipped())
    tensors, _, card = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        normals = tensors["normals"].view(len(card["names"]), generator.w_dim)
        sigmas = dict(zip(card["names"], card["sigmas"], strict=True))
        index = {name: k for k, name in enumerate(sigmas)}
    changed, bar, kept = attribute.partition("|")
    normals = torch.nn.functional.normalize(normals, dim=1)
    normal, sigma = normals[choose("attribute", changed, index)], sigmas[changed]
    if bar:
        normal = conditioned(normal, normals[[choose("attribute", each, index) for each in kept.split(",")]])
        sigma = std_along(generator, normal, json.loads(card["settings"])["samples"])
    return Direction(f"interfacegan {attribute}", normal, sigma)


def std_along(generator: Generator, normal: torch.Tensor, settings: dict) -> float:
    """The standard deviation of random codes along a direction."""
    return float((samples.codes(generator, SampleSettings(**settings)) @ normal).std())
