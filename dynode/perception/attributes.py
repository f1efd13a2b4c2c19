"""Attribute scores of images: what editors are trained to change, and what edits are measured by."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from dynode.perception import face_colours, face_geometry, factor_reader
from dynode.perception.face_api import EXPRESSIONS, AgeGender, Expression, Landmarks
from dynode.settings import choose

MIN_EYE_DISTANCE = 0.1  # of the aligned square; below it the landmarks are not those of a face


@dataclass(frozen=True)
class Attribute:
    """Unit and measurement of an attribute, with the meaning of its sign where the name does not give it."""

    unit: str
    how: str


EXPRESSION = "expression network: its log odds against the six other classes"
ATTRIBUTES = {
    "smile": Attribute(
        "eye distances", "landmarks: width of the mouth, and height of its corners above the lips' middle"
    ),
    "mouth_open": Attribute("eye distances", "landmarks: distance of the inner lips"),
    "yaw": Attribute("degrees", "landmarks: the nose's tip beside the eyes' middle; above 0 it points to the right"),
    "pitch": Attribute("degrees", "landmarks: the nose's tip between eyes and chin; above 0 it points up"),
    "roll": Attribute(
        "degrees", "landmarks: slope of the eyes' line within the aligned square; alignment leaves little of it"
    ),
    "eyes_open": Attribute("height / width", "landmarks: aspect ratio of the eyes, mean of both"),
    "lipstick": Attribute("CIELAB a*", "colour: how much redder lips are than cheeks and nose"),
    "hair_brightness": Attribute("CIELAB L*", "colour: median above the forehead; of a bald head it is the skin's"),
    "skin_brightness": Attribute("CIELAB L*", "colour: median of cheeks and nose"),
    "age": Attribute("years", "age network"),
    "gender": Attribute("log odds", "gender network, by its labels: above 0 male, below 0 female"),
    **{
        name: Attribute("log odds", f"{EXPRESSION}, called {name}")
        for name in ("happy", "surprised", "angry", "sad", "neutral")
    },
    "eyeglasses": Attribute("log L*", "colour: thin horizontal lines across the nose's bridge and below the eyes"),
}


class FaceAttributes(nn.Module):
    """Aligned faces (B, 3, R, R) in [-1, 1] -> scores (B, 17) in the units of ATTRIBUTES, NaN where no eyes are detected.

    Differentiable, though a median passes the gradient of a single element.  periods (17,): of circular attributes, else 0.
    """

    names = tuple(ATTRIBUTES)
    periods = torch.zeros(len(ATTRIBUTES))

    def __init__(self):
        super().__init__()
        self.landmarks, self.expression, self.age_gender = Landmarks(), Expression(), AgeGender()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        points = self.landmarks(images)
        columns = [*geometry_attributes(points), *face_colours.colours(images, points).unbind(1)]
        columns += [*self.age_gender(images).unbind(1), *log_odds(self.expression(images))]
        scores = torch.stack([*columns, face_colours.eyeglasses(images, points)], 1)
        left, right = face_geometry.eye_centres(points)
        return torch.where((right - left)[:, :1] > MIN_EYE_DISTANCE, scores, torch.nan)


def geometry_attributes(points: torch.Tensor) -> list[torch.Tensor]:
    """The attributes from smile to eyes_open (B,) of landmarks (B, 68, 2)."""
    p = face_geometry.in_eye_frame(points)
    angles = [face_geometry.yaw(p), face_geometry.pitch(p), face_geometry.roll(points)]
    return [face_geometry.smile(p), face_geometry.mouth_open(p), *angles, face_geometry.eyes_open(p)]


def log_odds(logits: torch.Tensor) -> list[torch.Tensor]:
    """The log odds (B,) of each expression among ATTRIBUTES, of logits (B, 7)."""
    named = [EXPRESSIONS.index(name) for name in ATTRIBUTES if name in EXPRESSIONS]
    others = [[k for k in range(len(EXPRESSIONS)) if k != each] for each in named]
    return [logits[:, each] - logits[:, rest].logsumexp(1) for each, rest in zip(named, others, strict=True)]


class WorldAttributes(nn.Module):
    """Images of a world -> the expected class (B, F) of each factor, by the network that reads its factors.

    For a circular factor it is the circular mean, in [0, classes); its number of classes is in `periods` (F,), else 0.
    """

    def __init__(self, network: factor_reader.FactorNet):
        super().__init__()
        self.network = network
        self.names = tuple(factor.name for factor in network.factors)
        self.periods = torch.tensor([float(factor_reader.class_count(f) * f.circular) for f in network.factors])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.network(images)
        return torch.stack([expected_class(logits[f.name].softmax(1), f.circular) for f in self.network.factors], 1)


def expected_class(probabilities: torch.Tensor, circular: bool) -> torch.Tensor:
    """The mean class (B,) of probabilities (B, classes), on the circle for a circular factor."""
    count = probabilities.shape[1]
    classes = torch.arange(count).to(probabilities)
    if not circular:
        return probabilities @ classes
    angles = 2 * torch.pi * classes / count
    mean = torch.atan2(probabilities @ angles.sin(), probabilities @ angles.cos())
    return mean % (2 * torch.pi) * count / (2 * torch.pi)


def attribute_scorer(category: str, device: torch.device | str = "cpu") -> FaceAttributes | WorldAttributes:
    """The scorer of faces, or of a world whose factor reader ships: `scorer(images)` (B, A), `scorer.names` (A,).

    Raises UserError for a category without a scorer.
    """
    legal = ["face", *factor_reader.shipped_files()]
    if choose("category whose pictures are scored", category, legal) == "face":
        return FaceAttributes().to(device)
    return WorldAttributes(factor_reader.shipped(category, device)).to(device)


def probes() -> torch.Tensor:
    """Four fixed images (4, 3, 128, 128) in [-1, 1], made by formulas: face-like, each in other colours."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, 128)] * 2, indexing="ij")

    def spot(cx: float, cy: float, width: float, height: float) -> torch.Tensor:
        """1 within an ellipse, falling off smoothly to 0 outside."""
        return torch.sigmoid(8 * (1 - ((x - cx) / width) ** 2 - ((y - cy) / height) ** 2))

    pictures = []
    for k in range(4):
        lean, wide = 0.03 * k, 0.25 + 0.05 * k
        picture = torch.stack([0.3 * x * (k - 1.5), 0.3 * y, -0.3 * x * y])
        layers = [
            (spot(0, 0.1, 0.62, 0.8), (0.5 - 0.2 * k, 0.2, -0.1 * k)),
            (spot(lean, 0.5, wide, 0.08), (0.3, -0.6, -0.4)),
        ]
        layers += [(spot(side * 0.26 + lean, -0.1, 0.1, 0.05), (-0.8, -0.8, -0.7)) for side in (-1, 1)]
        layers += [(spot(lean, -0.1, 0.5, 0.02), (-0.9, -0.9, -0.9))] * (k % 2)  # as of glasses
        for cover, colour in layers:
            picture = picture + cover * (torch.tensor(colour)[:, None, None] - picture)
        pictures.append(picture)
    return torch.stack(pictures).clamp(-1, 1)


@cache
@torch.no_grad()
def fingerprint(category: str) -> tuple[tuple[float, ...], ...]:
    """The scores of the fixed `probes`, to six digits: stored beside scores, it identifies the scorer that made them.

    Raises UserError as `attribute_scorer` does.
    """
    return tuple(tuple(float(f"{score:.6g}") for score in row) for row in attribute_scorer(category)(probes()).tolist())


def same_scorer(category: str, stored: list[list[float]]) -> bool:
    """Whether a stored `fingerprint` is that of the present scorer, to 0.2 percent: CPUs round differently."""
    mine, theirs = torch.tensor(fingerprint(category)), torch.tensor(stored)
    return mine.shape == theirs.shape and torch.allclose(mine, theirs, rtol=2e-3, atol=2e-3, equal_nan=True)
