"""Weights of a generator that are trained, beside the generator itself, which stays as it is; every pass is counted."""

import contextlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from dynode import runtime
from dynode.generators.protocol import Generator
from dynode.generators.tuned import weights_of
from dynode.inversion.observer import Observer
from dynode.inversion.projection_settings import PRECISIONS
from dynode.inversion.tuning_updates import Update
from dynode.video_editing.systems.fidelity import CHANGED, Part

Differences = Mapping[
    str, torch.Tensor
]  # to the weights of a generator, by name; without any it is the generator itself
RATES = Part(
    "rates of weights",
    "steps of weights of unit variance: StyleGAN2's are equalised",
    CHANGED,
    "times each tensor's root mean square: the same for such weights; weights of other sizes would be lost at that rate",
)


class TrainedWeights:
    """A copy of a generator's weights plus differences, all trainable but the mapping's.

    resolution: pixels a side of its images.  precision: "float32", or "bfloat16" where a device is faster in it.
    trainable: False freezes the weights; images are differentiable in the codes all the same.
    """

    def __init__(
        self,
        generator: Generator,
        differences: Differences,
        resolution: int,
        observer: Observer,
        precision: str = "float32",
        trainable: bool = True,
    ):
        self.resolution, self.observer, self.precision = resolution, observer, PRECISIONS[precision]
        start = {name: differences.get(name, torch.zeros_like(value)) for name, value in weights_of(generator).items()}
        device = generator.w_avg.device
        copies = {name: nn.Parameter(value.to(device, torch.float32, copy=True)) for name, value in start.items()}
        for parameter in copies.values():
            parameter.requires_grad_(trainable)
        self.update = Update(generator, copies)

    def groups(self, lr: float) -> list[dict[str, Any]]:
        """The weights' differences for an optimiser, see `relative_rates`."""
        return relative_rates(self.update, lr)

    def images(self, ws: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, R, R) of codes ws (B, L, D), differentiable in codes and weights."""
        with self.autocast(ws.device):
            return counted(self.update.images(ws, self.resolution).float(), self.observer)

    def autocast(self, device: torch.device) -> contextlib.AbstractContextManager:
        lower = self.precision != torch.float32 and runtime.fast_bfloat16(device)
        return torch.autocast(device.type, self.precision, enabled=lower)

    def differences(self) -> dict[str, torch.Tensor]:
        """The differences as stages keep them: on the CPU, rounded to half precision."""
        return halved(self.update.parameters)


def relative_rates(update: Update, lr: float) -> list[dict[str, Any]]:
    """The parameters of an update as groups of an optimiser: each one's rate is lr times the root mean square of its weight.

    Published rates are those of a StyleGAN2 of equalised rates, whose weights have unit variance.  Where weights are kept as
    they are multiplied, as in MobileStyleGAN, the same steps spoil a face at once.
    """
    rates = {name: lr * float(update.weights[name].square().mean().sqrt()) for name in update.parameters}
    return [{"params": [update.parameters[name]], "lr": rate, "highest": rate} for name, rate in rates.items()]


def halved(differences: Differences) -> dict[str, torch.Tensor]:
    """Differences in half precision, contiguous, on the CPU."""
    return {name: value.detach().half().cpu().contiguous() for name, value in differences.items()}


def counted(images: torch.Tensor, observer: Observer) -> torch.Tensor:
    """Images (B, 3, R, R), of which an observer is notified: a pass each, and one backward where a gradient is taken."""
    observer.count("generator_forward", len(images))
    if images.requires_grad:
        images.register_hook(lambda gradient: observer.count("generator_backward", len(gradient)))
    return images
