"""Mean curvature of the projection's loss over random codes, in the style space: one number for each channel."""

from collections.abc import Callable

import torch
from tqdm import tqdm

from dynode.generators.protocol import StyleGenerator
from dynode.perception.lpips import LPIPS

CODES, PROBES = 32, 4  # random codes, and random projections of each one's features
TRUNCATION = 0.7  # of the codes
Features = Callable[[torch.Tensor], list[torch.Tensor]]  # images -> features whose squared distances add up to the loss


def lpips_features(perceptual: LPIPS, images: torch.Tensor) -> list[torch.Tensor]:
    """Features of images (B, 3, H, W) whose squared distance is the LPIPS: each layer by its head, over its pixels."""
    layers = zip(perceptual.features(images), perceptual.model.lins, strict=True)
    weighed = ((each, head.model[-1].weight.clamp(min=0) / each[0, 0].numel()) for each, head in layers)
    return [each * weight.sqrt() for each, weight in weighed]


def loss_curvature(
    generator: StyleGenerator, features: Features, resolution: int, *, progress: bool = False
) -> torch.Tensor:
    """The diagonal (S,) of the mean of 2 J^T J over a generator's random codes: the Gauss-Newton matrix of the loss.

    J is the Jacobian of the features of an image by the styles.  Estimated from gradients: E[(J^T v)^2] for white noise v in
    the features is the diagonal of J^T J.
    """
    rng, z = torch.Generator().manual_seed(0), torch.empty(CODES, generator.z_dim)
    total = torch.zeros(sum(layer.channels for layer in generator.style_layers())).to(generator.w_avg)
    for each in tqdm(z.normal_(generator=rng).split(1), desc="curvature", unit="code", disable=not progress):
        with torch.no_grad():
            styles = generator.to_style(generator.mapping(each.to(generator.w_avg), TRUNCATION))
        with torch.enable_grad():
            styles = styles.detach().requires_grad_(True)
            parts = features(generator.synthesis_from_style(styles, resolution))
        for left in reversed(range(PROBES)):
            noise = [torch.randn(part.shape, generator=rng).to(part) for part in parts]
            (gradient,) = torch.autograd.grad(parts, styles, noise, retain_graph=left > 0)
            total += gradient[0].square()
    return total * 2 / (CODES * PROBES)
