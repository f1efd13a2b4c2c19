"""Joint inversion of a window of frames (Xu et al. 2021, "From Continuity to Editability"): one code and its increments.

w_k = w + d_1 + ... + d_k,   w of L rows, each d of one row that all rows share
"""

from collections.abc import Callable

import torch

from dynode import runtime
from dynode.generators.protocol import Generator
from dynode.inversion.joint.window_losses import WindowLoss, WindowTarget
from dynode.inversion.joint.window_settings import WindowSettings
from dynode.inversion.projection_settings import PRECISIONS


class WindowInverter:
    """Inverts windows of frames, with the generator, the loss and the settings of one inversion."""

    def __init__(self, generator: Generator, loss: WindowLoss, settings: WindowSettings):
        self.generator, self.loss, self.settings = generator, loss, settings

    def autocast(self) -> torch.autocast:
        """The context in which the settings' precision holds; float32 where a device is slower in bfloat16."""
        dtype, device = PRECISIONS[self.settings.precision], self.generator.w_avg.device
        return torch.autocast(device.type, dtype, enabled=dtype != torch.float32 and runtime.fast_bfloat16(device))

    def codes(self, base: torch.Tensor, increments: torch.Tensor) -> torch.Tensor:
        """Codes (n, L, D) of a window, from its base (1, L, D) and increments (n - 1, 1 or L, D)."""
        offsets = increments.cumsum(0) if self.settings.cumulative else increments
        return base + torch.cat([offsets.new_zeros(1, *offsets.shape[1:]), offsets])

    def invert(
        self, images: torch.Tensor, start: torch.Tensor, steps: int, callback: Callable[[], object] | None = None
    ) -> torch.Tensor:
        """Codes (n, L, D) of a window's images (n, 3, R, R) in [-1, 1], R that of the settings.

        start: the base's first value (L, D).  callback: called after each step.
        """
        s, start = self.settings, start.to(self.generator.w_avg)
        with self.autocast():
            target = self.loss.target(images.to(self.generator.w_avg))
        base = start[None].clone().requires_grad_(True)
        rows = 1 if s.shared else len(start)
        increments = start.new_zeros(len(images) - 1, rows, start.shape[1]).requires_grad_(True)
        optimiser = torch.optim.Adam([base, increments], lr=s.lr, betas=(0.9, 0.999))
        for _ in range(steps):
            optimiser.zero_grad()
            ws = self.codes(base, increments)
            ws.backward(self.gradient(ws.detach(), target))
            optimiser.step()
            if callback is not None:
                callback()
        return self.codes(base, increments).detach()

    def gradient(self, ws: torch.Tensor, target: WindowTarget) -> torch.Tensor:
        """The loss's gradient (n, L, D) at codes, frame by frame: on a CPU faster than a batch, and of less memory."""
        gradients = []
        for k in range(len(ws)):
            w = ws[k : k + 1].clone().requires_grad_(True)
            with self.autocast():
                image = self.generator.synthesis(w, self.settings.resolution).float()
                loss = self.loss.of_frame(k, image, target)
            gradients += torch.autograd.grad(loss, w)
        return torch.cat(gradients)
