"""InterFaceGAN (Shen et al. 2020): an attribute is the normal of a plane in W that parts those who have it from the others.

A linear support vector machine finds the plane from the samples with the highest and the lowest scores, as the published
code does it.  Its edit of a code that is the same in all rows asks for a distance to the plane; this one, as theirs of
W+, shifts, in standard deviations of random codes along the normal, so that a code is left as it is at strength 0.
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
from dynode.editing.editor_files import Kind
from dynode.editing.random_samples import SampleSettings
from dynode.errors import UserError
from dynode.io.tensor_files import undamaged
from dynode.perception import attributes
from dynode.settings import choose, require_positive, to_json

FILES = Kind("set of boundaries", "dynode-boundaries-1", "boundaries", "train-boundary")
FEWEST = 10  # samples at each end


@dataclass(frozen=True)
class BoundarySettings:
    """Which samples a plane is learned from, and how.

    share: of the samples at each end, at most half; 1 or more is a count.  The published code takes .02 of 500,000; of
    3,000 that would be 60, too few for 512 dimensions.
    """

    samples: SampleSettings = field(default_factory=SampleSettings)
    share: float = 0.1
    training: float = 0.7  # of the extreme samples; the others tell the accuracy
    c: float = 1.0  # of the support vector machine
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "share", "training", "c")
        if self.training >= 1:
            raise UserError(f"training is the share to learn from, below 1, got {self.training}: the rest is held out.")


@dataclass(frozen=True)
class Boundary:
    """The normal (D,) of a plane and how well the plane tells an attribute.

    held_out: accuracy on extreme samples it has not seen.  rest: on all that are not extreme, parted in the middle
    between the highest and the lowest score, which is off the plane where scores are skewed.  correlation: of the scores
    with the distances to the plane, over all samples that it was not learned from.
    """

    normal: torch.Tensor
    sigma: float
    facts: dict[str, float]


def extremes(scores: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Indices of the highest samples, of as many lowest, and of the rest; those without a score are in none."""
    known = torch.isfinite(scores).nonzero().flatten()
    order = known[scores[known].argsort(descending=True, stable=True)]
    count = int(min(share if share >= 1 else share * len(order), len(order) // 2))
    if count < FEWEST:
        raise UserError(
            f"A boundary wants at least {FEWEST} samples at each end, {len(order)} scored ones give {count}: score more "
            "samples, or take a larger share."
        )
    return order[:count], order[len(order) - count :], order[count : len(order) - count]


def learn(w: torch.Tensor, scores: torch.Tensor, settings: BoundarySettings) -> Boundary:
    """The boundary of scores (N,) among codes w (N, D), seen from below: its normal points to higher scores.

    Raises UserError for too few samples, and where all scores are equal.
    """
    from sklearn.svm import SVC

    high, low, rest = extremes(scores, settings.share)
    if not scores[high].min() > scores[low].max():
        raise UserError("The highest and the lowest samples score the same: there is nothing to part.")
    draws = np.random.default_rng(settings.seed)
    chosen, cut = [draws.permutation(each.numpy()) for each in (high, low)], round(settings.training * len(high))
    parts = [np.concatenate([each[:cut] for each in chosen]), np.concatenate([each[cut:] for each in chosen])]
    codes, middle = w.double().numpy(), float(scores[high[0]] + scores[low[-1]]) / 2
    machine = SVC(kernel="linear", C=settings.c)
    machine.fit(codes[parts[0]], np.isin(parts[0], high.numpy()))
    normal = torch.from_numpy(machine.coef_[0] / np.linalg.norm(machine.coef_[0]))
    along, new = w.double() @ normal, torch.isfinite(scores)
    new[parts[0]] = False
    facts = {
        "held_out": machine.score(codes[parts[1]], np.isin(parts[1], high.numpy())),
        "rest": machine.score(codes[rest], (scores[rest] > middle).numpy()) if len(rest) else float("nan"),
        "correlation": float(torch.corrcoef(torch.stack([along[new], scores[new].double()]))[0, 1]),
        "extremes": len(high),
    }
    return Boundary(normal.float(), float(along.std()), facts)


def conditioned(normal: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The part of a normal (D,) that is orthogonal to all of `others` (K, D), of unit length.

    The published code does it for one and two; for K the coefficients solve the Gram matrix of the others.
    Raises UserError where nothing is left.
    """
    normal, others = normal.double(), others.double()
    left = normal - torch.linalg.lstsq(others @ others.T, (others @ normal)[:, None]).solution[:, 0] @ others
    if left.norm() < 1e-3:
        raise UserError("The direction lies in the span of those it is conditioned on: nothing is left, name fewer.")
    return (left / left.norm()).float()


def train(generator_name: str, settings: BoundarySettings, output: Path, *, device="cpu", progress=False) -> dict:
    """Learn the boundary of every attribute of a generator's samples, write them, and return their card.

    An attribute that all samples share, or that goes round in a circle and so has no highest samples, is left out, and
    named in the card.
    """
    generator = generators.load(generator_name, device)
    found = samples.scored(generator, settings.samples, device=device, progress=progress)
    boundaries, left_out = {}, {}
    periods = attributes.of(generators.category_of(generator.name)).periods.tolist()
    circular = [name for name, period in zip(found.names, periods, strict=True) if period]
    left_out |= {name: "It comes back to where it began." for name in circular}
    parted = [name for name in found.names if name not in circular]
    for name in tqdm(parted, desc="boundaries", disable=not progress, mininterval=2):
        try:
            boundaries[name] = learn(found.w, found.of(name), settings)
        except UserError as error:
            left_out[name] = str(error)
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


def save(normals: dict[str, torch.Tensor], path: Path, generator, card: dict) -> None:
    """Write the normals in half precision, in the order of card["names"]."""
    FILES.save({"normals": torch.stack(list(normals.values())).half()}, path, generator, card)


def load(wanted: str, generator) -> Direction:
    """The editor of "smile", or of "smile|age,gender", which is to leave age and gender; behind an @ a file of the user's.

    Raises UserError for an unknown attribute, a generator without boundaries, and a file of another one's.
    """
    attribute, at, file = wanted.partition("@")
    known = generator.name.partition("@")[0]
    path = Path(file) if at else choose("generator with boundaries", known, FILES.shipped())
    tensors, _, told = FILES.read(path, generator)
    with undamaged(path, FILES.what):
        normals = tensors["normals"].view(len(told["names"]), generator.w_dim)
        sigmas = dict(zip(told["names"], told["sigmas"], strict=True))
        places = {name: k for k, name in enumerate(sigmas)}
    name, bar, kept = attribute.partition("|")
    normals = torch.nn.functional.normalize(normals, dim=1)
    normal, sigma = normals[choose("attribute", name, places)], sigmas[name]
    if bar:
        normal = conditioned(normal, normals[[choose("attribute", each, places) for each in kept.split(",")]])
        sigma = spread(generator, normal, json.loads(told["settings"])["samples"])
    return Direction(f"interfacegan {attribute}", normal, sigma)


def spread(generator, normal: torch.Tensor, settings: dict) -> float:
    """The standard deviation of random codes along a direction."""
    return float((samples.codes(generator, SampleSettings(**settings)) @ normal).std())
