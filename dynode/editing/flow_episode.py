"""Episodes made by editing: one code, carried along latent flows for lengths that change with time.

The paper's Scene videos were made this way (Sec. 4).  Such a path is smooth by construction, so it is the easy case, and
a clip says so: its source is "synthetic-flow".
"""

import math
from collections.abc import Iterable
from pathlib import Path

import torch

from dynode import generators, runtime
from dynode.clips import Clip
from dynode.editing import latent_flow
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.video import require_rate

SOURCE = "synthetic-flow"


def lengths(k: int, share: torch.Tensor, longest: float) -> torch.Tensor:
    """How far the k-th flow has gone after a share (T,) of the episode: the first goes there, the second and back, ..."""
    return longest * torch.sin(math.pi / 2 * (k + 1) * share).square()


def flow_episode(
    generator_name: str,
    flows: Iterable[Path | str],
    output: Path,
    *,
    seed: int = 0,
    seconds: float = 2.0,
    fps: float = 24.0,
    longest: float = 6.0,
    device="cpu",
) -> Clip:
    """Carry a random code along all flows, one after the other, at every frame; write and return the clip.

    longest: the farthest that a flow is followed, in units of W.
    Raises UserError without a flow, for flows of another generator, and for less than two frames.
    """
    flows = [latent_flow.FILES.found(flow) for flow in flows]
    require_rate(fps)
    frames = int(seconds * fps)
    if not flows or frames < 2:
        raise UserError(f"An episode wants at least one flow and two frames, got {len(flows)} and {max(frames, 0)}.")
    generator = generators.load(generator_name, device)
    fields = [latent_flow.load(path, generator) for path in flows]
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(runtime.legal_seed(seed)))
    ts = torch.arange(frames, dtype=torch.float64) / fps
    with torch.no_grad():
        ws = generator.mapping(z.to(generator.w_avg)).expand(frames, generator.num_ws, -1)
        for k, field in enumerate(fields):
            ws = field.edit(ws, lengths(k, (ts / seconds).to(ws), longest))
    named = {path.stem: assets.sha256_of(path)[:12] for path in flows}
    meta = {"name": Path(output).stem, "generator": generator_name, "generator_hash": generator.hash, "source": SOURCE}
    meta |= {"flows": named, "seed": seed, "seconds": seconds, "longest": longest}
    clip = Clip(ws.cpu(), ts, meta=meta | {"provenance": runtime.provenance(torch.device(device))}).halved()
    clip.save(output)
    return clip
