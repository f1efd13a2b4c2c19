"""Settings of pixel models: presets, by their training data and by how a frame is made.

own          trained on the observed frames of the clip itself, and on nothing else
taught       trained on other episodes of the same world and kind; its input is the observed frames of the clip
own_warp, taught_warp  the same with a decoder that warps and mixes the neighbouring observed frames
"""

from dataclasses import dataclass
from typing import Any

from dynode.errors import UserError
from dynode.settings import choose, require_positive

THROUGH = ("gru", "ode_rnn", "latent_ode")  # sequence models that may propagate a frame's numbers through time
CHANNELS = {"whole": 3, "fade": 3, "warp": 8}  # decoded for a frame, by the mode in which it is made


@dataclass(frozen=True)
class PixelSettings:
    """Everything a pixel model depends on, apart from the frames and the seed."""

    preset: str = "own"
    codes: int = 32  # numbers that encode a frame
    channels: int = 8  # of the finest layer; coarser ones have up to four times as many
    through: str = "latent_ode"  # the sequence model; the next three are as in its own settings
    hidden: int = 64
    noise: float = 0.05
    straight: bool = True
    frame: str = "whole"  # the whole frame is decoded | "fade": a change of the cross-fade | "warp": warped neighbours
    beside: bool = False  # the decoder's inputs include the encoder's feature maps of both neighbours
    absolute: float = 0.1  # weight of the mean absolute error beside the squared one
    iterations: int = 250
    lr: float = 3e-3
    shown: float = 0.7  # fraction of the inner frames that are inputs of an iteration
    episodes: int = 0  # number of other episodes of the same world and kind to train on; 0: the clip's observed frames
    frames: int = 24  # of each such episode
    rays: int = 1  # per pixel side, in rendering them

    def __post_init__(self):
        choose("pixel model", self.preset, PRESETS)
        choose("sequence model", self.through, THROUGH)
        choose("mode of making a frame", self.frame, CHANNELS)
        require_positive(self, "codes", "channels", "hidden", "noise", "iterations", "lr", "rays")
        if self.frames < 3:
            raise UserError(f"An episode to train on wants at least 3 frames, got {self.frames}.")

    @property
    def taught(self) -> bool:
        """Whether it is trained on other episodes."""
        return self.episodes > 0

    @property
    def label(self) -> str:
        """The method's name in records; says so when its settings are changed."""
        return f"pixel_ode[{self.preset}{'' if self == preset(self.preset) else ',changed'}]"


WARP = {"frame": "warp", "beside": True}
TAUGHT = {"episodes": 64, "shown": 0.5}
PRESETS: dict[str, dict[str, Any]] = {
    "own": {},
    "own_warp": WARP | {"iterations": 150, "lr": 2e-3},
    "taught": TAUGHT | {"iterations": 400},
    "taught_warp": TAUGHT | WARP | {"iterations": 500, "lr": 5e-3},
}


def preset(name: str) -> PixelSettings:
    """The settings of that name, or a UserError naming the nearest legal one."""
    return PixelSettings(name, **PRESETS[choose("pixel model", name, list(PRESETS))])
