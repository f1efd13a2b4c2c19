"""Synthetic episodes: one code, edited by latent flows whose lengths change with time.

The paper's Scene videos were made this way (Sec. 4).  Such a path is smooth by construction, an easy case, so the clip's
source names it: "synthetic-flow".
"""

import math
from collections.abc import Iterable
from pathlib import Path

import torch

from dynode import generators, runtime
from dynode.clips import Clip
from dynode.editing import latent_flow
from dynode.errors import UserError
from dynode.generators import registry, tuned
from dynode.io import assets
from dynode.io.video import require_rate

SOURCE = "synthetic-flow"


def lengths(k: int, fraction: torch.Tensor, longest: float) -> torch.Tensor:
    """Length (T,) of the k-th flow at fractions (T,) of the episode: sin^2, with k + 1 monotone pieces between 0 and longest."""
    return longest * torch.sin(math.pi / 2 * (k + 1) * fraction).square()


def flow_episode(
    generator_name: str,
    flows: Iterable[Path | str],
    output: Path,
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24.0,
    longest: float = 6.0,
    device: torch.device | str = "cpu",
) -> Clip:
    """Edit a random code by all flows, one after the other, at every frame; write and return the clip.

    longest: the largest length of a flow, in units of W.
    Raises UserError without a flow, for flows of another generator, and for fewer than two frames.
    """
    paths = [latent_flow.FILES.locate(flow) for flow in flows]
    require_rate(fps)
    if not 0 < longest < math.inf:
        raise UserError(f"The longest path along a flow must be above 0 and finite, got {longest:g}.")
    frames = int(seconds * fps) if 0 < seconds <= 3600 else 0
    if not paths or frames < 2:
        raise UserError(
            f"An episode wants at least one flow, and two frames within an hour: got {len(paths)}, and {seconds:g} "
            f"seconds at {fps:g} frames per second."
        )
    generator = generators.load(generator_name, device)
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(runtime.legal_seed(seed)))
    ts = torch.arange(frames, dtype=torch.float64) / fps
    with torch.no_grad():
        ws = generator.mapping(z.to(generator.w_avg)).expand(frames, generator.num_ws, -1)
        for k, flow in enumerate([latent_flow.load(path, generator) for path in paths]):
            ws = flow.edit(ws, lengths(k, (ts / seconds).to(ws), longest))
    hashes = {path.stem: assets.sha256_of(path)[:12] for path in paths}
    meta = {"name": Path(output).stem, "generator": registry.base_of(generator_name), "generator_hash": generator.hash}
    meta |= tuned.marked(registry.tuning_of(generator_name)) | {"source": SOURCE}
    meta |= {"flows": hashes, "seed": seed, "seconds": seconds, "longest": longest}
    clip = Clip(ws.cpu(), ts, meta=meta | {"provenance": runtime.provenance(torch.device(device))}).halved()
    clip.save(output)
    return clip
