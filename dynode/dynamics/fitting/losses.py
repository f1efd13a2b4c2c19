"""What a fit minimises: the paper's losses in latent, image and perceptual space, and on identity (Sec. 3, Eqs. 6-8).

The paper gives no weights. Ours multiply per-entry means (as pSp's, whose image weights are the defaults here):

    L = sum_i  latent |z~_i - z_i|^2 + image |G(z~_i) - G(z_i)|^2 + lpips LPIPS(G(z~_i), G(z_i)) + identity (1 - cos_i)
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LossSettings:
    """Weights of the four terms, and the resolution at which images are compared."""

    latent: float = 1.0
    image: float = 0.0
    lpips: float = 0.0
    identity: float = 0.0
    lpips_net: str = "vgg"  # LPIPS-alex stays unseen, for the evaluation
    resolution: int = 256

    @property
    def in_images(self) -> bool:
        return bool(self.image or self.lpips or self.identity)


@dataclass
class ImageLoss:
    """The weighted image, LPIPS and identity terms of predicted codes, against the images of the true ones.

    synthesis(ws, resolution) -> images; perceptual and identity as in `dynode.perception`, or None where their weight
    is 0.  Every frame is synthesised and differentiated by itself: memory does not grow with the number of frames.
    """

    settings: LossSettings
    targets: torch.Tensor  # (n, 3, R, R), on the CPU
    synthesis: Callable
    perceptual: Callable | None = None
    identity: Callable | None = None

    def __call__(self, ws: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """The sum over frames ws (m, L, D) whose targets are `index` (m,): a scalar with the right gradient."""
        gradients, total = [], 0.0
        for code, k in zip(ws.detach(), index.tolist(), strict=True):
            code = code[None].requires_grad_(True)
            with torch.enable_grad():
                loss = self.of(code, self.targets[k][None].to(ws))
            gradients.append(torch.autograd.grad(loss, code)[0][0])
            total += float(loss.detach())
        surrogate = (ws * torch.stack(gradients)).sum()
        return surrogate - surrogate.detach() + total

    def of(self, ws: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The three terms of one frame."""
        s = self.settings
        image = self.synthesis(ws, s.resolution)
        loss = s.image * (image - target).square().mean()
        image = image.clamp(-1, 1)  # the networks know no other images; a code gone astray renders far outside
        if s.lpips:
            loss = loss + s.lpips * self.perceptual(image, target).mean()
        if s.identity:
            loss = loss + s.identity * (1 - (self.identity(image) * self.identity(target)).sum())
        return loss
