"""Fidelity of made faces to their source as a person judges it: eyes, gaze, mouth, their detail, identity and blinks.

All images are FFHQ-aligned and compared at 256 pixels.  Openings and gaze are those of each face's own landmarks.  Regions are
those of the source's landmarks in both images, cut out at REGION pixels; LPIPS of eyes is half noise: a shift by one pixel of
256 has 0.10 to 0.17 with VGG.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from dynode.errors import UserError
from dynode.evaluation import blinks
from dynode.evaluation.blinks import Blinks
from dynode.evaluation.records import Row, summary
from dynode.io.images import resampled
from dynode.metrics import METRICS
from dynode.metrics.face_measures import agreement, contrast, fine_structure
from dynode.perception import face_geometry, face_regions
from dynode.perception.eye_landmarks import EyeLandmarks
from dynode.perception.face_api import Landmarks, Recognition
from dynode.perception.identity import Identity
from dynode.perception.lpips import LPIPS

SIZE = 256  # pixels a side of the faces
REGION = 128  # pixels a side of a region: an eye's is enlarged about twice, a mouth's less
BATCH = 8  # faces at a time
NETS = ("vgg", "alex")
# Regions as (name, function of landmarks that gives their squares)
REGIONS = (("eyes", face_regions.eye_squares), ("mouth", face_regions.mouth_square))
MEASURES = (
    "eye_opening",
    "gaze",
    "mouth_opening",
    *(f"lpips_{net}_{region}" for net in NETS for region, _ in REGIONS),
    *(f"{measure}_{region}" for measure in ("detail", "contrast") for region, _ in REGIONS),
    "identity",
    "dlib_distance",
)


class FaceNetworks(nn.Module):
    """All networks of the comparison, so that they are loaded once for many: 70 MB."""

    def __init__(self):
        super().__init__()
        self.landmarks, self.eyes = Landmarks(), EyeLandmarks()
        self.identity, self.recognition = Identity(), Recognition()
        self.lpips = nn.ModuleDict({net: LPIPS(net) for net in NETS})


@dataclass(frozen=True, repr=False)
class FaceFidelity:
    """Measures of T frames at times ts (T,) in seconds, by the metric's name in `values`, (T,) each.

    eye_opening: mean difference of the two eyes' aspect ratios.  gaze: distance of the irises from where the source's are, in
    eye widths, 0.004 to 0.013 of which is noise; NaN while eyes are closed.  mouth_opening: difference, in face heights.  lpips_NET_REGION.
    detail_REGION: correlation of the fine structure with the source's.  contrast_REGION: its contrast over the source's, below
    1 where it is blurred.  identity: MobileFaceNet cosine.  dlib_distance: Euclidean.
    openings (2, T): eye aspect ratio of the source and of the made images, mean of both eyes.  pose (2, T): yaw and pitch of
    the source in degrees.
    """

    ts: np.ndarray
    values: dict[str, np.ndarray]
    openings: np.ndarray
    pose: np.ndarray

    def __repr__(self):
        return f"<FaceFidelity of {len(self)} frames: {self.text}>"

    def __len__(self):
        return len(self.ts)

    @property
    def blinks(self) -> Blinks:
        return blinks.compared(*self.openings)

    def mean(self, name: str) -> float:
        """The mean of a measure over the frames in which it is defined; NaN where it is in none."""
        known = self.values[name][np.isfinite(self.values[name])]
        return float(known.mean()) if len(known) else float("nan")

    def worst(self, name: str) -> int:
        """The frame in which a measure is worst; of detail, the one with the least."""
        values = self.values[name]
        highest = METRICS[name].better == "lower"
        return int(np.argmax(np.nan_to_num(values, nan=-np.inf)) if highest else np.argmin(values))

    @property
    def text(self) -> str:
        """The means in one line."""
        m, blinks_text = {name: self.mean(name) for name in MEASURES}, self.blinks.text
        return (
            f"eye opening off by {m['eye_opening']:.3f}, gaze by {m['gaze']:.3f} eye widths, mouth opening by "
            f"{m['mouth_opening']:.3f} of the face's height; LPIPS-VGG of eyes {m['lpips_vgg_eyes']:.3f} and mouth "
            f"{m['lpips_vgg_mouth']:.3f}, detail {100 * m['detail_eyes']:.0f} % and {100 * m['detail_mouth']:.0f} %; identity "
            f"cosine {m['identity']:.3f}, dlib distance {m['dlib_distance']:.3f}{f'; blinks: {blinks_text}' if blinks_text else ''}"
        )

    def rows(self, observed: np.ndarray | None = None, **identity: Any) -> list[Row]:
        """A row for each measure, its mean over frames, and three for the blinks of all of them.

        observed (T,) bool: observed and unobserved frames have rows of their own, by their `split`.  identity: fields of all
        rows, such as clip and method.
        """
        named: dict[str, Any] = {"reference": "source"} | identity
        every = np.ones(len(self), dtype=bool)
        parts = {"": every} if observed is None else {"observed": observed, "unobserved": ~observed}
        means = [row for split, kept in parts.items() for row in self.means(kept, split=split, **named)]
        match = self.blinks
        counts = {"blinks": match.source, "blinks_missing": match.missing, "blinks_extra": match.extra}
        return means + [Row(name, float(len(each)), n=len(self), **named) for name, each in counts.items()]

    def means(self, kept: np.ndarray, **named: Any) -> list[Row]:
        """The rows of the measures in the frames kept (T,) bool in which they are defined."""
        known = {name: self.values[name][kept & np.isfinite(self.values[name])].tolist() for name in MEASURES}
        return [Row(name, unit=METRICS[name].unit, **summary(each), **named) for name, each in known.items() if each]


def fidelity(
    source: torch.Tensor,
    made: torch.Tensor,
    ts: Sequence[float] | np.ndarray | None = None,
    *,
    networks: FaceNetworks | None = None,
) -> FaceFidelity:
    """Compare made faces (T, 3, R, R) in [-1, 1] with their source (T, 3, R, R), both aligned by the source's squares.

    ts: seconds, by default the number of each frame.  Blinks are those of consecutive frames: leave none out.
    Raises UserError for sequences that are not of one shape.
    """
    if source.shape != made.shape or source.dim() != 4 or not len(source):
        raise UserError(
            f"Faces are compared frame by frame, images (T, 3, R, R) of both, got {tuple(source.shape)} and {tuple(made.shape)}."
        )
    pairs = zip(source.split(BATCH), made.split(BATCH), strict=True)
    return of_pairs(pairs, range(len(source)) if ts is None else ts, networks or FaceNetworks())


def of_pairs(
    pairs: Iterable[tuple[torch.Tensor, torch.Tensor]],
    ts: Sequence[float] | np.ndarray,
    networks: FaceNetworks,
    progress: tqdm | None = None,
) -> FaceFidelity:
    """The same of frames that come in parts (source, made) of a few each, of which one part at a time is in memory."""
    parts = []
    for source, made in pairs:
        parts.append(compared(source, made, networks))
        if progress is not None:
            progress.update(len(source))
    each = {name: torch.cat([part[name] for part in parts]).double().numpy() for name in parts[0]}
    openings, pose = each.pop("openings").T, each.pop("pose").T
    each["gaze"] = np.where(blinks.closed(openings[0]) | blinks.closed(openings[1]), np.nan, each["gaze"])
    return FaceFidelity(np.asarray(ts, dtype=float), each, openings, pose)


@torch.no_grad()
def compared(source: torch.Tensor, made: torch.Tensor, networks: FaceNetworks) -> dict[str, torch.Tensor]:
    """Every measure (B,) of faces, gaze also of closed eyes; openings (B, 2) and pose (B, 2); on the CPU."""
    device = next(networks.parameters()).device
    source, made = (resampled(images.to(device).float().clamp(-1, 1), SIZE) for images in (source, made))
    points = networks.landmarks(source)
    values = of_shape(source, made, points, networks) | of_identity(source, made, networks)
    for name, squares in REGIONS:
        before, after = (face_regions.cut(images, *squares(points), REGION) for images in (source, made))
        values |= of_region(name, before, after, networks)
    own = face_geometry.in_eye_frame(points)
    values["pose"] = torch.stack([face_geometry.yaw(own), face_geometry.pitch(own)], 1)
    return {name: value.cpu() for name, value in values.items()}


def of_shape(
    source: torch.Tensor, made: torch.Tensor, points: torch.Tensor, networks: FaceNetworks
) -> dict[str, torch.Tensor]:
    """Differences of eye openings, irises and mouth openings, each face by its own landmarks; points: the source's."""
    both = [(source, points), (made, networks.landmarks(made))]
    eyes = [networks.eyes(images, landmarks) for images, landmarks in both]
    openings = torch.stack([face_geometry.lid_opening(each) for each in eyes])  # (2, B, 2)
    irises = [face_geometry.iris_position(each) for each in eyes]
    mouths = [face_geometry.mouth_opening(landmarks) for _, landmarks in both]
    return {
        "openings": openings.mean(2).T,
        "eye_opening": (openings[0] - openings[1]).abs().mean(1),
        "gaze": (irises[0] - irises[1]).norm(dim=2).mean(1),
        "mouth_opening": (mouths[0] - mouths[1]).abs(),
    }


def of_identity(source: torch.Tensor, made: torch.Tensor, networks: FaceNetworks) -> dict[str, torch.Tensor]:
    vectors, descriptors = (
        [network(images) for images in (source, made)] for network in (networks.identity, networks.recognition)
    )
    return {
        "identity": (vectors[0] * vectors[1]).sum(1),
        "dlib_distance": (descriptors[0] - descriptors[1]).norm(dim=1),
    }


def of_region(name: str, source: torch.Tensor, made: torch.Tensor, networks: FaceNetworks) -> dict[str, torch.Tensor]:
    """LPIPS and fine structure of regions (B, K, 3, REGION, REGION), means over the K squares."""
    count, before, after = source.shape[1], source.flatten(0, 1), made.flatten(0, 1)
    distances = {net: networks.lpips[net](after, before).unflatten(0, (-1, count)).mean(1) for net in NETS}
    structures = [fine_structure(each) for each in (before, after)]
    contrasts = [contrast(each).unflatten(0, (-1, count)).mean(1).clamp(min=1e-6) for each in structures]
    return {f"lpips_{net}_{name}": value for net, value in distances.items()} | {
        f"detail_{name}": agreement(structures[1], structures[0]).unflatten(0, (-1, count)).mean(1),
        f"contrast_{name}": contrasts[1] / contrasts[0],
    }
