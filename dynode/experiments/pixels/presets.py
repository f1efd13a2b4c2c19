"""What a pixel model depends on: its presets, by where it learns and by how it makes a frame.

own          learns from the observed frames of the very clip, and from nothing else
taught       learns from other episodes of the same world and kind; of the clip it sees the observed frames when asked
own_warp, taught_warp  the same for a decoder that moves and mixes the neighbouring observed frames
"""

from dataclasses import dataclass

from dynode.errors import UserError
from dynode.settings import choose, require_positive

THROUGH = ("gru", "ode_rnn", "latent_ode")  # relatives that may carry a frame's numbers through time
FRAMES = {"whole": 3, "fade": 3, "warp": 8}  # how a frame is made -> channels that are decoded for it


@dataclass(frozen=True)
class PixelSettings:
    """Everything a pixel model depends on, apart from the frames and the seed."""

    preset: str = "own"
    codes: int = 32  # numbers that stand for a frame
    channels: int = 8  # of the finest layer; coarser ones have up to four times as many
    through: str = "latent_ode"  # the relative that goes through time, with the next three as in its own settings
    hidden: int = 64
    noise: float = 0.05
    straight: bool = True
    frame: str = "whole"  # is decoded | "fade": a cross-fade and a decoded change | "warp": neighbours that move
    beside: bool = False  # the decoder also sees the pictures that the encoder made of both neighbours
    absolute: float = 0.1  # weight of the mean absolute error beside the squared one
    iterations: int = 250
    lr: float = 3e-3
    shown: float = 0.7  # share of the inner frames that an iteration shows
    episodes: int = 0  # others of the same world and kind to learn from; 0: the observed frames of the clip itself
    frames: int = 24  # of each such episode
    rays: int = 1  # a pixel's side, that these are drawn with

    def __post_init__(self):
        choose("pixel model", self.preset, PRESETS)
        choose("way through time", self.through, THROUGH)
        choose("way to make a frame", self.frame, FRAMES)
        require_positive(self, "codes", "channels", "hidden", "noise", "iterations", "lr", "rays")
        if self.frames < 3:
            raise UserError(f"An episode to learn from wants at least 3 frames, got {self.frames}.")

    @property
    def taught(self) -> bool:
        return self.episodes > 0

    @property
    def label(self) -> str:
        """The method's name in records; says so when its settings are changed."""
        return f"pixel_ode[{self.preset}{'' if self == preset(self.preset) else ',changed'}]"


WARP = {"frame": "warp", "beside": True}
TAUGHT = {"episodes": 64, "shown": 0.5}
PRESETS = {
    "own": {},
    "own_warp": WARP | {"iterations": 150, "lr": 2e-3},
    "taught": TAUGHT | {"iterations": 400},
    "taught_warp": TAUGHT | WARP | {"iterations": 500, "lr": 5e-3},
}


def preset(name: str) -> PixelSettings:
    """The settings of that name, or a UserError naming the nearest legal one."""
    return PixelSettings(name, **choose("pixel model", name, PRESETS))
