"""Age, gender and expressions of faces by networks that taught no editor of this package: a second opinion on an edit.

Editors are trained on the scores of `dynode.perception.attributes`; what these other networks see of an edit, it was not
made for.  Their crops hold the face as their authors' detector gives it: MTCNN-like boxes, near the middle of FFHQ's square.
"""

import torch
from torch import nn

from dynode.io.images import resampled
from dynode.perception.graph_model import GraphModel

BOX = (0.14, 0.22, 0.72)  # left, top and side of the face in FFHQ's square, as fractions of it
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
GREY = (0.2989, 0.5870, 0.1140)  # weights of red, green and blue
MALE, YEARS = 1, 100  # sizes of the outputs of the network of ages: the probability of male, those of each age


class SecondOpinion(nn.Module):
    """FFHQ-aligned faces (B, 3, R, R) in [-1, 1] -> "age" in years, "male" and "smile" from 0 to 1, (B,) each; frozen."""

    grey: torch.Tensor

    def __init__(self):
        super().__init__()
        self.people, self.emotions = GraphModel("age-gender-second"), GraphModel("emotion-second")
        self.register_buffer("grey", torch.tensor(GREY).reshape(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, faces: torch.Tensor) -> dict[str, torch.Tensor]:
        crops = cropped(faces)
        outputs = {
            value.shape[1]: value for value in self.people.results(255 * (resampled(crops, 224) + 1) / 2).values()
        }
        ages, picture = outputs[YEARS], (resampled(crops, 64) + 1) / 2
        expressions = self.emotions(2 * (picture * self.grey).sum(1, keepdim=True) - 1)
        return {
            "age": (ages * torch.arange(YEARS, device=ages.device)).sum(1),
            "male": outputs[MALE][:, 0],
            "smile": expressions[:, EMOTIONS.index("happy")],
        }


def cropped(faces: torch.Tensor) -> torch.Tensor:
    """The face in each aligned square."""
    size = faces.shape[-1]
    left, top, side = (round(size * part) for part in BOX)
    return faces[..., top : top + side, left : left + side]
