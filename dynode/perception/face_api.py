"""The face networks of face-api.js (Mühler 2018-2020, MIT), in plain torch: landmarks, expression, age and gender, identity.

Their weights are those of the npm package: 8-bit numbers with a scale and an offset for each tensor.  Each network crops
the FFHQ-aligned square for itself: it was trained on the boxes of a face detector, upright and tight around the face.
"""

import json
import math

import numpy as np
import torch
from torch import nn

from dynode.io import assets
from dynode.io.images import resampled
from dynode.perception.face_api_layers import DenseNet, DlibResNet, TinyXception

MEAN = (122.782, 117.001, 104.298)  # red, green, blue of 0 to 255
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
BYTES = {"uint8": np.uint8, "float16": np.float16, "float32": np.float32, "int32": np.int32}
KINDS = {"filters": "weight", "depthwise_filter": "depthwise.weight", "pointwise_filter": "pointwise.weight"}


def load_weights(name: str) -> dict[str, torch.Tensor]:
    """The tensors of "face-landmarks" and the like, float32, with torch's names and axes.

    A manifest lists them in the order of the file: weight = 8-bit number * scale + min.  Raises ValueError where the sizes
    do not match the file's.
    """
    (group,) = json.loads(assets.fetch(f"{name}-manifest").read_text(encoding="utf-8"))
    stored = stored_tensors(name, group["weights"], assets.fetch(f"{name}-weights").read_bytes())
    return dict(renamed(*each) for each in stored.items())


def stored_tensors(name: str, manifest: list[dict], content: bytes) -> dict[str, torch.Tensor]:
    """The tensors of a file of TensorFlow.js as its manifest lists them, with its names and axes; float32, or whole numbers.

    Raises ValueError where the sizes do not match the file's.
    """
    offset, tensors = 0, {}
    for entry in manifest:
        numbers = np.frombuffer(content, BYTES[stored_type(entry)], math.prod(entry["shape"]), offset)
        offset += numbers.nbytes
        if scaling := entry.get("quantization"):
            numbers = numbers.astype(np.float32)
            if "scale" in scaling:  # whole numbers; else half precision
                numbers = numbers * np.float32(scaling["scale"]) + np.float32(scaling["min"])
        tensors[entry["name"]] = torch.from_numpy(numbers.copy()).reshape(entry["shape"])
    if offset != len(content):
        raise ValueError(f"the manifest of {name} lists {offset} bytes, its weights have {len(content)}")
    return tensors


def stored_type(entry: dict) -> str:
    return entry.get("quantization", entry)["dtype"]


def renamed(name: str, tensor: torch.Tensor) -> tuple[str, torch.Tensor]:
    """ "dense1/conv0/pointwise_filter" (1, 1, I, O) -> "dense1.conv0.pointwise.weight" (O, I, 1, 1), and the like."""
    *path, last = name.split("/")
    if tensor.dim() == 4:  # depthwise ones are (H, W, C, 1), (C, 1, H, W) in torch
        tensor = tensor.permute(2, 3, 0, 1) if last == "depthwise_filter" else tensor.permute(3, 2, 0, 1)
    if last in ("weights", "fc") and tensor.dim() == 2:
        last, tensor = ("weight" if last == "weights" else "fc.weight"), tensor.T
    return ".".join([*path, KINDS.get(last, last)]), tensor.contiguous()


class FacePart(nn.Module):
    """A network with its weights, frozen, and its crop of FFHQ-aligned faces (B, 3, R, R) in [-1, 1].

    box: left, top, side of the crop, as fractions of the aligned square.  size: pixels a side of the network's input.
    """

    size = 112
    mean: torch.Tensor

    def __init__(self, network: nn.Module, weights: str, box: tuple[float, float, float]):
        super().__init__()
        self.network, self.box = network, box
        self.network.load_state_dict(load_weights(weights))
        self.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])

    def cropped(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, size, size), centred and divided by 255 as in training."""
        r, (left, top, side) = images.shape[-1], self.box
        x0, y0, n = round(left * r), round(top * r), round(side * r)
        faces = resampled(images[..., y0 : y0 + n, x0 : x0 + n], self.size)
        return ((faces + 1) * 127.5 - self.mean) / 255

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(self.cropped(images))


class Landmarks(FacePart):
    """Aligned faces (B, 3, R, R) -> 68 points (B, 68, 2), x and y as fractions of the square from the upper left.

    The order is iBUG's: chin 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67, from left to right in the image.
    The crop was chosen among sides of .5 to .9: on 160 random faces the median difference to the five points of MTCNN is
    3.5 % of the distance between the eyes.
    """

    def __init__(self):
        super().__init__(DenseNet(136), "face-landmarks", (0.15, 0.30, 0.70))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        left, top, side = self.box
        return super().forward(images).unflatten(1, (68, 2)) * side + torch.tensor([left, top], device=images.device)


class Expression(FacePart):
    """Aligned faces (B, 3, R, R) -> logits (B, 7) of EXPRESSIONS."""

    def __init__(self):
        super().__init__(DenseNet(7), "face-expression", (0.15, 0.30, 0.70))


class AgeGender(FacePart):
    """Aligned faces (B, 3, R, R) -> (B, 2): age in years, and the logit of male against female, the network's labels."""

    def __init__(self):
        super().__init__(TinyXception(), "face-age-gender", (0.19, 0.30, 0.62))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        age, male, female = super().forward(images).unbind(1)
        return torch.stack([age, male - female], 1)


class Recognition(FacePart):
    """Aligned faces (B, 3, R, R) -> embeddings (B, 128) of dlib's network; one person: Euclidean distance below SAME.

    An independent measure of identity, since nothing here is optimised with it.  On 42 frames of four people the mean
    distance was .14 within and .84 between people (largest within .36, smallest between .68).
    """

    size, SAME = 150, 0.6

    def __init__(self):
        super().__init__(DlibResNet(), "face-recognition", (0.15, 0.25, 0.70))
