"""The pixel model: frames to numbers, numbers through time, numbers to frames."""

import torch
from torch import nn

from dynode.dynamics.baselines import sequence_models
from dynode.experiments.pixels.codec import Decoder, Encoder, widths
from dynode.experiments.pixels.frames import MAKING, Between
from dynode.experiments.pixels.presets import FRAMES, PixelSettings


class PixelODE(nn.Module):
    """Frames of any times from observed frames alone (Kanaa et al. 2019, Vid-ODE by Park et al. 2021).

    mean (3, R, R): of all frames that it learns from, which are told apart by what they differ from it.
    """

    def __init__(self, settings: PixelSettings, mean: torch.Tensor):
        super().__init__()
        self.settings, resolution = settings, mean.shape[-1]
        wide = [3, *widths(resolution, settings.channels)] if settings.beside else []
        self.encoder = Encoder(resolution, settings.channels, settings.codes)
        self.through = sequence_models.MODELS[settings.through](settings.codes, settings)
        beside = [2 * each + 1 for each in wide] or [0] * (1 + len(self.encoder.steps))
        self.decoder = Decoder(resolution, settings.channels, settings.codes, FRAMES[settings.frame], beside)
        self.register_buffer("mean", mean)

    def forward(self, images: torch.Tensor, taus: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
        """Frames (T, 3, R, R) at increasing times asked (T,), from images (n, 3, R, R) at times taus (n,) in [0, 1]."""
        u, pictures = self.encoder(images - self.mean)
        states = sequence_models.completed(self.through, self.settings, taus, u, asked)
        neighbours = [Between.of(each, taus, asked).beside() for each in pictures] if self.settings.beside else []
        decoded = self.decoder(states, neighbours)
        return MAKING[self.settings.frame](decoded, Between.of(images, taus, asked), self.mean)

    def asked(self, shown: torch.Tensor) -> torch.Tensor:
        """Which frames (n,) bool an iteration that shows `shown` asks for: all, or those that are not met anyway."""
        return ~shown if self.settings.frame != "whole" and not shown.all() else torch.ones_like(shown)

    def loss(self, errors: torch.Tensor, progress: float) -> torch.Tensor:
        """The relative's own loss, of errors (T, 3, R, R), and the mean absolute error; progress: 0 to 1."""
        return self.through.loss(errors, progress) + self.settings.absolute * errors.abs().mean()
