"""The pixel model: frames to numbers, numbers through time, numbers to frames."""

import torch
from torch import nn

from dynode.dynamics.baselines import sequence_models
from dynode.experiments.pixels.codec import Decoder, Encoder, widths
from dynode.experiments.pixels.frames import FRAME_MODES, Neighbours
from dynode.experiments.pixels.presets import CHANNELS, PixelSettings


class PixelODE(nn.Module):
    """Frames at any times from observed frames (Kanaa et al. 2019, Vid-ODE by Park et al. 2021).

    mean (3, R, R): the mean training frame, subtracted before encoding.
    """

    mean: torch.Tensor

    def __init__(self, settings: PixelSettings, mean: torch.Tensor):
        super().__init__()
        self.settings, resolution = settings, mean.shape[-1]
        wide = [3, *widths(resolution, settings.channels)] if settings.beside else []
        self.encoder = Encoder(resolution, settings.channels, settings.codes)
        self.through = sequence_models.MODELS[settings.through](settings.codes, settings)
        skips = [2 * each + 1 for each in wide] or [0] * (1 + len(self.encoder.steps))
        self.decoder = Decoder(resolution, settings.channels, settings.codes, CHANNELS[settings.frame], skips)
        self.register_buffer("mean", mean)

    def forward(self, images: torch.Tensor, taus: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Frames (T, 3, R, R) at increasing query times (T,), from images (n, 3, R, R) at times taus (n,) in [0, 1]."""
        u, maps = self.encoder(images - self.mean)
        states = sequence_models.predict(self.through, self.settings, taus, u, times)
        skips = [Neighbours.of(each, taus, times).stacked() for each in maps] if self.settings.beside else []
        decoded = self.decoder(states, skips)
        return FRAME_MODES[self.settings.frame](decoded, Neighbours.of(images, taus, times), self.mean)

    def targets(self, observed: torch.Tensor) -> torch.Tensor:
        """Which frames (n,) bool an iteration with these inputs predicts: all, or those that are not exact anyway."""
        return ~observed if self.settings.frame != "whole" and not observed.all() else torch.ones_like(observed)

    def loss(self, errors: torch.Tensor, progress: float) -> torch.Tensor:
        """The sequence model's own loss of errors (T, 3, R, R), and the mean absolute error; progress: 0 to 1."""
        return self.through.loss(errors, progress) + self.settings.absolute * errors.abs().mean()
