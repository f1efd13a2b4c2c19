"""An iteratively refining encoder, after ReStyle (Alaluf et al. 2021), for generators of worlds.

The input of each pass is the target and the image of the current code, initially the average code; its output is a
residual of the code.  Two additions to ReStyle: the gradient of the squared error with respect to the code, one backward
pass of the generator, multiplied by a learned matrix for each row, is added to the residual (`gradient=False` leaves it
out); and at inference each residual is scaled by the one of three lengths whose image has the least error.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.generators.protocol import Generator
from dynode.settings import require_positive

SMALLEST, NORM_GROUPS = 4, 8
LENGTHS = (0.5, 1.0, 1.5)  # scales of a pass's residual that are compared


@dataclass(frozen=True)
class EncoderSettings:
    """The shape of an encoder.  Channels at a resolution: channel_base / resolution, at least 8 and at most channel_max."""

    channel_base: int = 2048
    channel_max: int = 128
    hidden: int = 256  # width of the layer before the residual
    gradient: bool = True
    passes: int = 5

    def __post_init__(self):
        require_positive(self, "channel_base", "channel_max", "hidden", "passes")

    def channels(self, resolution: int) -> int:
        return min(max(self.channel_base // resolution, NORM_GROUPS), self.channel_max)


class Block(nn.Module):
    """Two convolutions that halve the resolution, with a 1x1 convolution as skip connection."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.norm = nn.GroupNorm(NORM_GROUPS, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(F.silu(self.norm(self.first(x))))
        return F.silu(y + self.skip(F.avg_pool2d(x, 2)))


class Encoder(nn.Module):
    """Images (B, 3, R, R) in [-1, 1] -> codes ws (B, L, D) of one generator, whose weights are not among its own."""

    def __init__(self, settings: EncoderSettings, generator: Generator):
        super().__init__()
        s = self.settings = settings
        self.generator = [generator]  # in a list: not a submodule whose weights are saved
        self.synthesis = generator.synthesis
        rows, size = (generator.num_ws, generator.w_dim), generator.resolution
        widths = [s.channels(size // 2**k) for k in range((size // SMALLEST).bit_length())]
        self.stem = nn.Conv2d(6, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.dense = nn.Linear(widths[-1] * SMALLEST**2, s.hidden)
        self.residual = nn.Linear(s.hidden, rows[0] * rows[1])
        nn.init.zeros_(self.residual.weight)
        nn.init.zeros_(self.residual.bias)
        if s.gradient:
            self.turn = nn.Parameter(torch.eye(rows[1]).repeat(rows[0], 1, 1))
            self.gate = nn.Linear(s.hidden, rows[0])
            nn.init.zeros_(self.gate.weight)
            nn.init.constant_(self.gate.bias, -0.01)
        self.passes = s.passes

    def refined(
        self, images: torch.Tensor, ws: torch.Tensor, made: torch.Tensor, gradient: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The code (B, L, D) after one more pass, from the current code, its image and the gradient there."""
        x = F.silu(self.stem(torch.cat([images, made], 1)))
        for block in self.blocks:
            x = block(x)
        features = F.silu(self.dense(x.flatten(1)))
        change = self.residual(features).unflatten(1, ws.shape[1:])
        if self.settings.gradient and gradient is not None:
            step = F.normalize(gradient.flatten(1), dim=1).view_as(ws) * gradient[0].numel() ** 0.5
            change = change + self.gate(features)[:, :, None] * torch.einsum("bld,lde->ble", step, self.turn)
        return ws + change * self.generator[0].w_std

    def image_and_gradient(self, images: torch.Tensor, ws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The image of a code and, where the encoder uses it, the gradient of the squared error there; both detached."""
        if not self.settings.gradient:
            with torch.no_grad():
                return self.synthesis(ws).clamp(-1.5, 1.5), None
        with torch.enable_grad():
            ws = ws.detach().requires_grad_(True)
            made = self.synthesis(ws)
            (gradient,) = torch.autograd.grad((made - images).square().mean((1, 2, 3)).sum(), ws)
        return made.detach().clamp(-1.5, 1.5), gradient

    def start(self, n: int) -> torch.Tensor:
        """The average code (n, L, D)."""
        generator = self.generator[0]
        return generator.w_avg.expand(n, generator.num_ws, -1)

    @torch.no_grad()
    def forward(self, images: torch.Tensor, passes: int = 0) -> torch.Tensor:
        """Codes (B, L, D) of images (B, 3, R, R); passes: 0 for as many as in training."""
        ws = self.start(len(images))
        for _ in range(passes or self.passes):
            ws = self.line_search(images, ws, self.refined(images, ws, *self.image_and_gradient(images, ws)))
        return ws

    def line_search(self, images: torch.Tensor, ws: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """The codes on the line from ws to new (B, L, D), and beyond, whose images have the least error."""
        candidates = torch.stack([torch.lerp(ws, new, length) for length in LENGTHS])
        errors = torch.stack([(self.synthesis(each) - images).square().mean((1, 2, 3)) for each in candidates])
        return candidates[errors.argmin(0), torch.arange(len(ws))]
