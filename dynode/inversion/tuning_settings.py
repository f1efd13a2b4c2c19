"""How a generator is tuned."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from dynode.errors import UserError
from dynode.inversion.projection_settings import PRECISIONS
from dynode.inversion.tuning_updates import UPDATES
from dynode.perception.lpips import BACKBONES
from dynode.settings import choose, require_positive

RATES = {  # chosen on single_face, as those at which six edits keep about nine tenths of their reach after ten minutes
    "all": 2e-5,
    "last-blocks": 1.5e-4,
    "low-rank": 1e-4,
}
UNLIMITED = 10**6  # steps of a tuning that its minutes end
RESOLUTION = 256  # of frames, unless the generator's images are smaller


@dataclass(frozen=True)
class TuningSettings:
    """How a generator is tuned.  Adam; the learning rate is warmed up, then falls linearly to 0 with the steps or minutes."""

    update: str = (
        "all"  # weights but the mapping's; those of the "last-blocks" only; or "low-rank" products, a small file
    )
    steps: int = 300
    lr: float = 0.0  # 0: that of the kind of update, of RATES
    warmup: int = 40  # steps; without them the first ones spoil a face
    precision: str = (
        "bfloat16"  # of images and LPIPS: 1.6 times as fast where there are such instructions; or "float32"
    )
    lambda_mse: float = 10.0
    lambda_lpips: float = 1.0
    lambda_id: float = 0.1  # faces alone; 0 keeps MobileFaceNet's cosine an independent measure
    lpips_net: str = "vgg"  # or "alex": half the time of a step
    lpips_resolution: int = 0  # small images are enlarged to this for LPIPS; 0: they are not
    regions: float = 3.0  # weight of eyes and mouth beside the rest of a face; 1: none
    locality_every: int = 0  # every N-th step holds the images of codes near the pivots; 0: none does
    lambda_locality: float = 0.1  # of squared error and LPIPS there (Eqs. 5 and 6)
    locality_distance: float = 30.0  # of such a code from its pivot, all rows together (alpha of Eq. 4)
    stop_lpips: float = 0.06  # mean of the frames, as weighted, at which it ends; the paper's value, of AlexNet
    last_share: float = 0.45  # of the blocks, for "last-blocks": 3 of the face generator's 7
    rank: int = 16  # of the products, for "low-rank"
    codes_lr: float = 0.0  # above 0 the observed codes are refined too
    resolution: int = RESOLUTION
    seed: int = 0

    def __post_init__(self):
        choose("kind of update", self.update, UPDATES)
        choose("precision", self.precision, PRECISIONS)
        choose("LPIPS net", self.lpips_net, BACKBONES)
        require_positive(self, "steps", "regions", "rank", "resolution", "locality_distance")
        if self.resolution & (self.resolution - 1):
            raise UserError(f"The resolution of a tuning is a power of two, such as 256, got {self.resolution}.")
        if self.lr < 0:
            raise UserError(
                f"The learning rate lr must be above 0, or 0 for that of the kind of update, got {self.lr:g}."
            )
        if not 0 < self.last_share <= 1:
            raise UserError(f"last_share must lie above 0 and be at most 1, got {self.last_share:g}.")

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        return self.lr or RATES[self.update]

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides a tuning, by name."""
        return dataclasses.asdict(self) | {"lr": self.rate}


# Of generators below 256 pixels, whose weights have unit variance and take larger steps; identity is of faces alone.
SMALL = {
    "precision": "float32",
    "lr": 3e-3,
    "lpips_net": "alex",
    "lpips_resolution": 128,
    "lambda_id": 0.0,
    "regions": 1.0,
    "stop_lpips": 0.0,
}


def settings_for(resolution: int) -> TuningSettings:
    """Settings for a generator of that resolution: the defaults from 256 on; below, its own resolution and AlexNet."""
    if resolution >= RESOLUTION:
        return TuningSettings()
    return TuningSettings(resolution=resolution, **SMALL)  # pyright: ignore[reportArgumentType]
