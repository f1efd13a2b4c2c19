"""How RIGID's recurrent encoder is trained: as published, and embedded, for a CPU."""

from dataclasses import dataclass, field

from dynode.inversion.joint import recurrent_encoder
from dynode.inversion.joint.recurrent_encoder import RecurrentSettings
from dynode.settings import choose, require_positive

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class RIGIDTrainingSettings:
    """The defaults are those published (Xu et al. 2023), but for the number of windows, which is not stated.

    windows: trained on in all, each of `window` neighbouring frames.  reach: a random edit's strength is up to that part of
    its editor's range.  flow_resolution: pixels a side of the pictures that flow is estimated on, at most.
    """

    encoder: RecurrentSettings = field(default_factory=RecurrentSettings)
    window: int = 5
    windows: int = 20_000
    lr: float = 1e-4
    mse: float = 1.0
    lpips: float = 0.8
    short_term: float = 2.0
    in_between: float = 5.0
    fine_of_first: bool = True  # fine rows are those of a window's first frame; false: each frame's own
    remembers: bool = True  # the ConvLSTM's state goes from frame to frame; false: it begins anew with each
    editor: str = "latent-transformer"  # whose shipped attributes edit at random
    reach: float = 1.0
    edited_rows: int = 16  # of a code, from the first on, by such an edit; of the face generator all but the fine ones
    flow_resolution: int = 640
    precision: str = "float32"  # or "bfloat16": of the generator, where a device is fast in it
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "window", "windows", "lr", "flow_resolution")
        choose("precision", self.precision, PRECISIONS)


EMBEDDED = RIGIDTrainingSettings(
    encoder=recurrent_encoder.EMBEDDED,
    window=3,
    windows=1000,
    lr=3e-4,
    flow_resolution=128,
    precision="bfloat16",
)
