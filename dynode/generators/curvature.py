"""Mean curvature of the squared image error over random codes, one block for each row: the metric of visible changes."""

from collections.abc import Callable
from functools import cache

import torch

from dynode.clips import Clip
from dynode.generators import registry
from dynode.generators.protocol import Generator

Synthesis = Callable[[torch.Tensor], torch.Tensor]  # codes (B, L, D) -> images (B, 3, R, R)

RESOLUTION = 256  # pixels at most
CODES, PROBES = 64, 4  # random codes, and random projections of each one's image
DAMPING = 0.1  # of the mean over all directions, added to each
PIXELS = 16 * 64**2  # in one batch, about


def mean_curvature(generator: Generator, synthesis: Synthesis | None = None) -> torch.Tensor:
    """The damped mean of (2 / pixels) J^T J over a generator's random codes: blocks (L, D, D) in float64, one per row.

    J is the Jacobian of the image, so a small change d of one row changes the image's squared error by d^T block d / 2.
    Estimated from gradients: E[J^T v v^T J] = J^T J for white noise v in the image.  synthesis: ws -> images, by
    default the generator's own.
    """
    synthesis = synthesis or generator.synthesis
    rng, images = torch.Generator().manual_seed(0), torch.empty(0)
    total = torch.zeros(generator.num_ws, generator.w_dim, generator.w_dim, dtype=torch.float64).to(
        generator.w_avg.device
    )
    z = torch.randn(CODES, generator.z_dim, generator=rng).to(generator.w_avg)
    for part in z.split(max(1, PIXELS // generator.resolution**2)):
        with torch.no_grad():
            ws = generator.mapping(part)
        with torch.enable_grad():
            ws = ws.detach().requires_grad_(True)
            images = synthesis(ws)
        for left in reversed(range(PROBES)):
            noise = torch.randn(images.shape, generator=rng).to(images)
            (gradient,) = torch.autograd.grad(images, ws, noise, retain_graph=left > 0)
            total = total + torch.einsum("bld,ble->lde", gradient.double(), gradient.double())
    blocks = total * 2 / (CODES * PROBES * images[0].numel())
    mean = blocks.diagonal(dim1=1, dim2=2).mean()
    return blocks + DAMPING * mean * torch.eye(blocks.shape[-1]).to(blocks)


def curvature_of(clip: Clip, device: torch.device | str = "cpu") -> torch.Tensor:
    """The mean curvature (L, D, D) of the generator that a clip's codes belong to: seconds at 64 pixels, minutes at 256.

    Raises UserError where the generator is not the one installed.
    """
    name, stamp = clip.meta.get("generator", ""), clip.meta.get("generator_hash", "")
    registry.require_same(name, stamp, f"The clip {clip.name}")
    return generator_curvature(name, stamp, str(device))


@cache
def generator_curvature(name: str, weights_hash: str, device: str) -> torch.Tensor:
    """The mean curvature (L, D, D) of a generator of that name and hash, measured once in a process."""
    generator = registry.load(name, device)
    size = min(RESOLUTION, generator.resolution)
    return mean_curvature(generator, lambda ws: generator.synthesis(ws, size)).cpu()
