"""How images are projected into W+: settings, those that a generator usually has, and those of few steps."""

import dataclasses
from dataclasses import dataclass

import torch

from dynode.errors import UserError
from dynode.perception.lpips import BACKBONES
from dynode.settings import choose, require_positive

STARTS = {
    "previous": "the code of the frame before it",
    "moved": "that code, moved by the difference of the encoder's codes of the two frames",
    "w_avg": "each frame by itself, from the average code",
    "encoder": "each frame by itself, from the encoder's code",
}
RESOLUTIONS = (16, 32, 64, 128, 256, 512, 1024)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
OPTIMISERS = {
    "adam": "Adam in the codes' own coordinates",
    "whitened": "Adam in coordinates along the axes of the loss's mean curvature: for few steps",
}


@dataclass(frozen=True)
class ProjectionSettings:
    """How a clip is projected.  Learning rates are ramped up over the first 5 % and down over the last 25 %."""

    start: str = "previous"  # of STARTS
    candidates: int = 0  # random codes; a frame without a predecessor starts from the nearest of them, or from w_avg
    first_steps: int = 200  # steps of a frame without a predecessor; 0 keeps an encoder's codes as they are
    steps: int = 40  # steps of a frame that starts from the previous code
    conjugate_steps: int = 0  # further steps of every frame: conjugate gradients on the squared error alone
    optimiser: str = (
        "adam"  # or "whitened": along the axes of the loss's mean curvature, worth most where steps are few
    )
    first_lr: float = 0.05
    lr: float = 0.01
    beta1: float = 0.9  # Adam's memory of gradients
    beta2: float = 0.999  # and of squared ones
    epsilon: float = 1e-8  # added to the root of their mean: coordinates with gradients far below it move little
    lambda_mse: float = 1.0
    lambda_lpips: float = 1.0
    lambda_id: float = 0.0  # 0: the identity cosine stays an independent measure
    code_noise: float = 0.0  # noise on the code, in units of w_std, until 75 % of the steps; Karras et al.: 0.05
    stop_loss: float = 0.0  # stop as soon as every frame of the batch has a loss below this
    batch: int = 1  # frames optimised together, without predecessors only: 1 is best on a CPU, 8 on a GPU
    precision: str = "float32"  # or "bfloat16": autocast on a GPU and on CPUs with such instructions, elsewhere float32
    lpips_precision: str = "float32"  # or "bfloat16": of LPIPS alone
    resolution: int = 256
    lpips_net: str = "vgg"  # or "alex"
    lpips_resolution: int = 0  # small images are enlarged to this for LPIPS; 0: they are not

    def __post_init__(self):
        choose("start", self.start, STARTS)
        choose("optimiser", self.optimiser, OPTIMISERS)
        choose("precision", self.precision, PRECISIONS)
        choose("precision", self.lpips_precision, PRECISIONS)
        choose("LPIPS net", self.lpips_net, BACKBONES)
        if self.resolution not in RESOLUTIONS:
            raise UserError(f"The resolution must be one of {RESOLUTIONS}, got {self.resolution}.")
        require_positive(
            self, *(("first_steps",) * (self.start != "encoder")), "steps", "first_lr", "lr", "epsilon", "batch"
        )
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must lie in [0, 1), got {getattr(self, name):g}.")
        for name in ("candidates", "first_steps", "conjugate_steps"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, got {getattr(self, name)}.")

    @property
    def independent(self) -> bool:
        """Whether every frame is projected by itself."""
        return self.start in ("w_avg", "encoder")

    @property
    def encoded(self) -> bool:
        """Whether an encoder is read."""
        return self.start in ("moved", "encoder")


SMALL = {  # of generators below 256 pixels; chosen on a dozen frames of episodes of two worlds
    "lpips_net": "alex",
    "lpips_resolution": 128,
    "lambda_mse": 100.0,
    "candidates": 2048,
    "first_steps": 300,
    "first_lr": 0.4,
    "steps": 60,
    "lr": 0.05,
}


def settings_for(resolution: int) -> ProjectionSettings:
    """Settings for a generator of that resolution: the defaults from 256 on; below, its own resolution and AlexNet."""
    whole = ProjectionSettings()
    return whole if resolution >= whole.resolution else ProjectionSettings(resolution=resolution, **SMALL)


FEW_STEPS = {  # of the face generator from its encoder; chosen on frames of single_face
    "start": "encoder",
    "optimiser": "whitened",
    "first_steps": 15,
    "first_lr": 0.15,
    "steps": 16,
    "lr": 0.05,
    "beta1": 0.8,
    "beta2": 0.9,
    "lambda_id": 0.1,
    "precision": "bfloat16",
}
FROM_PREDECESSOR = FEW_STEPS | {"start": "moved", "first_steps": 30}
ENCODED = {"start": "encoder", "first_steps": 0, "conjugate_steps": 10}  # of the worlds' generators


def from_encoder(settings: ProjectionSettings) -> ProjectionSettings:
    """A generator's usual settings (`settings_for`), changed to start every frame from its encoder."""
    whole = settings.resolution >= ProjectionSettings.resolution
    return dataclasses.replace(settings, **(FEW_STEPS if whole else ENCODED))


def from_predecessor(settings: ProjectionSettings) -> ProjectionSettings:
    """The settings of a generator of 256 pixels or more, changed to few steps along the axes of its curvature."""
    return dataclasses.replace(settings, **FROM_PREDECESSOR)
