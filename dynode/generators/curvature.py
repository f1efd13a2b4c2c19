"""How strongly changes of a code show: the mean curvature of the squared error of images, row by row."""

from functools import cache

import torch

from dynode import generators
from dynode.clips import Clip

RESOLUTION = 256  # pixels at most
CODES, PROBES = 64, 4  # random codes, and random projections of the image of each
DAMPING = 0.1  # of the mean over all directions, added to each
PIXELS = 16 * 64**2  # about as many at a time


def mean_curvature(generator, synthesis=None) -> torch.Tensor:
    """The damped mean of (2 / pixels) J^T J over a generator's random codes, a block (L, D, D) in float64 for each row.

    J is the Jacobian of the image, so a small change d of one row changes the image's squared error by d^T block d / 2.
    Estimated from gradients: E[J^T v v^T J] = J^T J for white noise v in the image.  synthesis: ws -> images, the
    generator's own unless told.
    """
    synthesis = synthesis or generator.synthesis
    draws, total = torch.Generator().manual_seed(0), 0
    z = torch.randn(CODES, generator.z_dim, generator=draws).to(generator.w_avg)
    for part in z.split(max(1, PIXELS // generator.resolution**2)):
        with torch.no_grad():
            ws = generator.mapping(part)
        with torch.enable_grad():
            ws = ws.detach().requires_grad_(True)
            images = synthesis(ws)
        for left in reversed(range(PROBES)):
            noise = torch.randn(images.shape, generator=draws).to(images)
            (gradient,) = torch.autograd.grad(images, ws, noise, retain_graph=left > 0)
            total = total + torch.einsum("bld,ble->lde", gradient.double(), gradient.double())
    blocks = total * 2 / (CODES * PROBES * images[0].numel())
    mean = blocks.diagonal(dim1=1, dim2=2).mean()
    return blocks + DAMPING * mean * torch.eye(blocks.shape[-1]).to(blocks)


def curvature_of(clip: Clip, device="cpu") -> torch.Tensor:
    """The mean curvature (L, D, D) of the generator that a clip's codes belong to: seconds at 64 pixels, minutes at 256.

    Raises UserError where the generator is not the one installed.
    """
    name, said = clip.meta.get("generator", ""), clip.meta.get("generator_hash", "")
    generators.require_same(name, said, f"The clip {clip.name}")
    return measured(name, said, str(device))


@cache
def measured(name: str, said: str, device: str) -> torch.Tensor:
    """The mean curvature of a generator of that name and hash, measured once in a process."""
    generator = generators.load(name, device)
    size = min(RESOLUTION, generator.resolution)
    return mean_curvature(generator, lambda ws: generator.synthesis(ws, size)).cpu()
