"""The losses of a fit: latent, image, perceptual and identity loss of the paper (Sec. 3, Eqs. 6-8).

The paper gives no weights. Ours multiply per-entry means (as pSp's, whose image weights are the defaults here):

    L = sum_i  latent |z~_i - z_i|^2 + image |G(z~_i) - G(z_i)|^2 + lpips LPIPS(G(z~_i), G(z_i)) + identity (1 - cos_i)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch

Perceptual: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # two batches of images -> distances (B,)


@dataclass(frozen=True)
class LossSettings:
    """Weights of the four terms, and the resolution at which images are compared."""

    latent: float = 1.0
    image: float = 0.0
    lpips: float = 0.0
    identity: float = 0.0
    lpips_net: str = "vgg"  # LPIPS-alex is left for the evaluation
    resolution: int = 256

    @property
    def in_images(self) -> bool:
        """Whether any term compares images."""
        return bool(self.image or self.lpips or self.identity)


@dataclass
class ImageLoss:
    """The weighted image, LPIPS and identity terms of predicted codes, against the images of the true ones.

    synthesis(ws, resolution) -> images; perceptual and identity as in `dynode.perception`, or None where their weight
    is 0.  Every frame is synthesised and differentiated by itself: memory does not grow with the number of frames.
    Raises ValueError for a weight above 0 without its network.
    """

    settings: LossSettings
    targets: torch.Tensor  # (n, 3, R, R), on the CPU
    synthesis: Callable[[torch.Tensor, int], torch.Tensor]
    perceptual: Perceptual | None = None
    identity: Callable[[torch.Tensor], torch.Tensor] | None = None  # images -> unit vectors (B, N)

    def __post_init__(self):
        for name, weight in (("perceptual", self.settings.lpips), ("identity", self.settings.identity)):
            if weight and getattr(self, name) is None:
                raise ValueError(f"a loss of weight {weight} needs the network `{name}`")

    def __call__(self, ws: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """The sum of the terms of codes ws (m, L, D) of the frames `index` (m,): a scalar with its gradient in ws."""
        gradients, total = [], 0.0
        for code, k in zip(ws.detach(), index.tolist(), strict=True):
            code = code[None].requires_grad_(True)
            with torch.enable_grad():
                loss = self.frame_terms(code, self.targets[k][None].to(ws))
            gradients.append(torch.autograd.grad(loss, code)[0][0])
            total += float(loss.detach())
        surrogate = (ws * torch.stack(gradients)).sum()
        return surrogate - surrogate.detach() + total

    def frame_terms(self, ws: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The sum of the three terms of one frame: code ws (1, L, D), image `target` (1, 3, R, R)."""
        s = self.settings
        image = self.synthesis(ws, s.resolution)
        loss = s.image * (image - target).square().mean()
        image = image.clamp(-1, 1)  # the range of the networks; diverging codes render far outside
        if self.perceptual is not None and s.lpips:
            loss = loss + s.lpips * self.perceptual(image, target).mean()
        if self.identity is not None and s.identity:
            loss = loss + s.identity * (1 - (self.identity(image) * self.identity(target)).sum())
        return loss
