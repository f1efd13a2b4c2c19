"""Settings of the joint inversion of windows of frames: as published, and embedded, for a CPU and a generator of faces."""

import dataclasses
from dataclasses import dataclass

from dynode.errors import UserError
from dynode.inversion.projection_settings import PRECISIONS, RESOLUTIONS
from dynode.settings import choose, require_positive

STARTS = {
    "zero": "zeros, as published",
    "w_avg": "the average code",
    "encoder": "the encoder's code of the window's first frame",
    "previous": "the code of the frame before it; a window without one: as encoder where one ships, else as w_avg",
}


@dataclass(frozen=True)
class WindowSettings:
    """How windows of frames are inverted together.  The defaults are those published (Xu et al. 2021).

    resolution, flow_resolution: pixels a side at most, of images and of the pictures that flow is estimated on.
    """

    window: int = 5  # frames; 1: every frame by itself
    start: str = "zero"  # of STARTS
    first_steps: int = 5000  # of a window without a predecessor, such as the reversed last one
    steps: int = 5000  # of a window that starts from the code of the frame before it
    lr: float = 0.01
    lambda_mse: float = 1.0
    lambda_features: float = 1.0  # of VGG16's features
    lambda_flow: float = 1.0  # of the reconstruction that is warped along optical flow
    cumulative: bool = True  # a frame's code has the increments of all frames before it too
    shared: bool = True  # one increment for all rows; false: one for each row
    resolution: int = 1024
    feature_resolution: int = 256
    flow_resolution: int = 1024
    precision: str = "float32"  # or "bfloat16": of the generator and the features, where a device is fast in it

    def __post_init__(self):
        choose("start", self.start, STARTS)
        choose("precision", self.precision, PRECISIONS)
        require_positive(self, "window", "first_steps", "steps", "lr", "feature_resolution", "flow_resolution")
        if self.resolution not in RESOLUTIONS:
            raise UserError(f"The resolution must be one of {RESOLUTIONS}, got {self.resolution}.")

    @property
    def encoded(self) -> bool:
        """Whether an encoder is read, where one ships."""
        return self.start in ("encoder", "previous")


EMBEDDED = WindowSettings(
    start="previous",
    first_steps=60,
    steps=20,
    resolution=256,
    flow_resolution=128,
    precision="bfloat16",
)


def fitted_to(settings: WindowSettings, resolution: int) -> WindowSettings:
    """The settings at no higher a resolution than a generator's own."""
    return dataclasses.replace(settings, resolution=min(settings.resolution, resolution))
