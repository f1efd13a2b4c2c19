"""How far an edited video has gone where it should, and elsewhere: attributes of its faces beside those of the source."""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from dynode.evaluation.editor_quality import STD, EditorEvaluator, leakage, own_attribute
from dynode.evaluation.records import Row
from dynode.experiments.compare_editing import comparison
from dynode.experiments.compare_editing.comparison import Entry
from dynode.generators.protocol import Generator
from dynode.perception.lpips import LPIPS
from dynode.perception.second_opinion import SecondOpinion
from dynode.video_editing import masks
from dynode.video_editing.footage import Footage

SECOND = {
    "age": ("years", "faceres"),
    "male": ("probability", "faceres"),
    "smile": ("probability", "emotion"),
}  # of the second opinion: unit, and the network of @vladmandic/human


class Judges:
    """What scores attributes: the networks that taught the editors, and others, which did not."""

    def __init__(self, generator: Generator, device: torch.device | str = "cpu"):
        self.teachers, self.others = EditorEvaluator(generator, device=device), SecondOpinion().to(device)
        self.perceptual, self.device = LPIPS("alex").to(device), device

    @torch.no_grad()
    def outside(self, source: torch.Tensor, edited: torch.Tensor) -> float:
        """LPIPS between squares (B, 3, R, R) of edited frames and of their sources, these in the place of faces in both."""
        inside = torch.from_numpy(masks.ellipse())[None, None].float()
        inside = F.interpolate(inside, source.shape[-1]).to(self.device)
        source, edited = source.to(self.device), edited.to(self.device)
        return float(self.perceptual(torch.where(inside > 0, source, edited), source).mean())

    @torch.no_grad()
    def second(self, faces: torch.Tensor) -> dict[str, float]:
        """Means over faces (B, 3, R, R)."""
        return {name: float(value.mean()) for name, value in self.others(faces.to(self.device)).items()}


def rows(entry: Entry, footage: Footage, source: np.ndarray, judges: Judges, columns: int) -> Iterator[Row]:
    """Means over some frames uint8 (T, H, W, 3): change of the edit's own attribute and of the others, and their ratio.

    In standard deviations of random pictures of the generator, by the networks that taught the editors, which a method could
    please; and the changes of age, gender and smile that others see (second_age, second_male, second_smile; `reference` names the network);
    lpips_outside, what of the squares has changed around the faces.  Nothing for an edit of strength 0.
    """
    attribute, _, strength = entry.edit.partition(",")[0].rpartition(" ")
    if not float(strength):
        return
    judge = judges.teachers
    own = judge.names.index(own_attribute(attribute, judge.names))
    at, quads = comparison.evenly(len(source), columns), footage.track.quads
    faces = [comparison.close_up(frames, quads, at) for frames in (source, entry.frames)]
    before, after = map(judge.score_images, faces)
    changes = judge.changes(before, after).double()
    others = [k for k in range(changes.shape[1]) if k != own]
    named = {**entry.named, "n": len(at)}
    values = {"own_change": changes[:, own].nanmean(), "others_change": changes[:, others].abs().nanmean()}
    for name, value in values.items():
        reference = judge.names[own] if name == "own_change" else "all others"
        yield Row(name, float(value), reference=reference, unit=STD, **named)
    theirs = [judges.second(each) for each in faces]
    for name, (unit, network) in SECOND.items():
        yield Row(f"second_{name}", theirs[1][name] - theirs[0][name], reference=network, unit=unit, **named)
    yield Row("lpips_outside", judges.outside(*faces), reference="the ellipse of aligned faces", space="image", **named)
    edits = float(entry.codes.text.rpartition(" ")[2])  # a control shows what happens without
    if edits and math.isfinite(share := float(leakage(changes[:, own], changes[:, others]))):
        yield Row("leakage", share, **named)
