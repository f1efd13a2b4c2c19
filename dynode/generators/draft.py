"""Drafts of faces: images of MobileStyleGAN at 256 pixels for a fraction of the cost, without its last two blocks.

The generator's features at 128 pixels, before these blocks, go through a small modulated head that is trained to give the
generator's own image.  An encoder of faces looks at drafts of its current code, and learns from losses on them.
"""

import torch
import torch.nn.functional as F
from torch import nn

from dynode.generators.mobile_stylegan import LEAK, MobileStyleGAN, Modulation

RESOLUTION = 256
KEPT = 5  # blocks that are computed as they are: 8 to 128 pixels
FIRST = 1 + 3 * KEPT  # row of the first modulation that the head stands in for


class Draft(nn.Module):
    """Codes ws (B, 23, 512) -> images (B, 3, 256, 256), differentiable; the generator's weights are not among its own."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, generator: MobileStyleGAN, width: int = 64):
        super().__init__()
        self.generator = [generator]  # in a list: not a submodule whose weights are saved
        inputs, outputs = generator.channels[KEPT - 1], 3 * (RESOLUTION // 128) ** 2
        self.register_buffer("mean", torch.zeros(1, inputs, 1, 1))
        self.register_buffer("scale", torch.ones(1, inputs, 1, 1))
        self.early, self.late = Modulation(inputs), Modulation(width)
        self.conv1 = nn.Conv2d(inputs, width, 1)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.conv2, self.straight = nn.Conv2d(width, outputs, 1), nn.Conv2d(inputs, outputs, 1)
        for layer in (self.early, self.late):
            nn.init.zeros_(layer.weight)
            nn.init.ones_(layer.bias)

    def features(self, ws: torch.Tensor) -> torch.Tensor:
        """The generator's features (B, 256, 128, 128) of codes."""
        generator = self.generator[0]
        factors = [layer(ws[:, row]) for row, layer in enumerate(generator.modulations[:FIRST])]
        x = generator.conv1(generator.const.expand(len(ws), -1, -1, -1), factors[0])
        for k, block in enumerate(generator.blocks[:KEPT]):
            x = block(x, factors[1 + 3 * k : 4 + 3 * k])
        return x

    @torch.no_grad()
    def measure(self, ws: torch.Tensor) -> None:
        """Set the mean and the scale of the features from those of some codes."""
        x = torch.cat([self.features(each[None]) for each in ws])
        self.mean.copy_(x.mean((0, 2, 3))[None, :, None, None])
        self.scale.copy_(1 / (x.std((0, 2, 3))[None, :, None, None] + 1e-3))

    def head(self, features: torch.Tensor, ws: torch.Tensor) -> torch.Tensor:
        """The image of features (B, 256, 128, 128) and of their codes."""
        early, late = ws[:, FIRST : FIRST + 3].mean(1), ws[:, FIRST + 3 :].mean(1)
        x = (features - self.mean) * self.scale
        y = F.leaky_relu(self.conv1(x * self.early(early)), LEAK)
        y = F.leaky_relu(self.depthwise(y) * self.late(late), LEAK)
        return F.pixel_shuffle(self.straight(x) + self.conv2(y), RESOLUTION // 128)

    def forward(self, ws: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(ws), ws)
