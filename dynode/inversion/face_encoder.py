"""An iteratively refining encoder of faces, after ReStyle (Alaluf et al. 2021), for MobileStyleGAN.

The input of each pass is the target and a draft of the current code, at first of the average code; its output is a residual
of the code.  As in pSp (Richardson et al. 2021) each style row reads a map of its own scale: coarse rows, which hold pose and
shape, the smallest one, fine rows the largest; finer rows also read the coarser maps.  Beside its own maps it reads those of
the frozen identity network, which know faces already.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from dynode.generators.draft import RESOLUTION, Draft
from dynode.generators.mobile_stylegan import MobileStyleGAN
from dynode.inversion.encoder import Block
from dynode.io.images import resampled
from dynode.perception.identity import Identity
from dynode.settings import require_positive

GROUPS = ((4, slice(0, 5)), (8, slice(5, 11)), (16, slice(11, 23)))  # pixels of a map, and the rows that read it
IDENTITY_CHANNELS = 128


@dataclass(frozen=True)
class FaceEncoderSettings:
    """The shape of an encoder of faces.  widths: channels at 128, 64, 32, 16, 8 and 4 pixels; each a multiple of 8."""

    widths: tuple[int, ...] = (24, 48, 96, 128, 160, 160)
    reduced: int = 2688  # numbers of each map that are read
    hidden: int = 128  # width of the layer before the residuals
    draft: int = 64  # width of the draft's head
    passes: int = 3

    def __post_init__(self):
        require_positive(self, "reduced", "hidden", "draft", "passes")


class Reader(nn.Module):
    """A map (B, C, S, S) of aligned faces -> features (B, hidden): its channels reduced, then one layer over all places."""

    def __init__(self, channels: int, size: int, reduced: int, hidden: int):
        super().__init__()
        kept = max(1, reduced // size**2)
        self.reduce = nn.Conv2d(channels, kept, 1)
        self.dense = nn.Linear(kept * size**2, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(F.silu(self.reduce(x)).flatten(1))


class FaceEncoder(nn.Module):
    """Aligned faces (B, 3, R, R) in [-1, 1] -> codes ws (B, 23, 512) of one generator, whose weights are not its own."""

    def __init__(self, settings: FaceEncoderSettings, generator: MobileStyleGAN):
        super().__init__()
        s = self.settings = settings
        self.generator = [generator]  # in a list: not a submodule whose weights are saved
        self.identity = [Identity().to(generator.w_avg.device)]
        self.draft = Draft(generator, s.draft)
        self.stem = nn.Conv2d(6, s.widths[0], 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip(s.widths[:-1], s.widths[1:], strict=True))
        sizes = {RESOLUTION // 2 // 2**k: width for k, width in enumerate(s.widths)}
        self.readers = nn.ModuleList(Reader(sizes[size], size, s.reduced, s.hidden) for size, _ in GROUPS)
        self.face_readers = nn.ModuleList(Reader(2 * IDENTITY_CHANNELS, size, s.reduced, s.hidden) for size in (7, 14))
        self.residual = nn.Parameter(torch.zeros(generator.num_ws, s.hidden, generator.w_dim))
        self.shift = nn.Parameter(torch.zeros(generator.num_ws, generator.w_dim))
        self.passes = s.passes

    def change(self, images: torch.Tensor, drafts: torch.Tensor) -> torch.Tensor:
        """The residual (B, 23, 512) of codes, in units of w_std, from images and drafts (B, 3, 256, 256)."""
        x, maps = F.silu(self.stem(torch.cat([images, drafts], 1))), {}
        for block in self.blocks:
            x = block(x)
            maps[x.shape[-1]] = x
        read = [reader(maps[size]) for (size, _), reader in zip(GROUPS, self.readers, strict=True)]
        middle, last = self.face_readers[1], self.face_readers[0]
        small, large = self.face_maps(images, drafts)
        features = [read[0] + last(small)]
        features.append(features[-1] + read[1] + middle(large))
        features.append(features[-1] + read[2])
        weighted = zip(features, GROUPS, strict=True)
        rows = [torch.einsum("bh,lhd->bld", F.silu(each), self.residual[group]) for each, (_, group) in weighted]
        return torch.cat(rows, 1) + self.shift

    def face_maps(self, images: torch.Tensor, drafts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The identity network's maps of images and drafts, (B, 256, 7, 7) and (B, 256, 14, 14)."""
        with torch.no_grad():
            of_images, of_drafts = self.identity[0].maps(images), self.identity[0].maps(drafts)
        return torch.cat([of_images[1], of_drafts[1]], 1), torch.cat([of_images[0], of_drafts[0]], 1)

    def refined(self, images: torch.Tensor, ws: torch.Tensor, drafts: torch.Tensor) -> torch.Tensor:
        """The codes (B, 23, 512) after one more pass, from the current codes and their drafts."""
        return ws + self.change(images, drafts).float() * (self.generator[0].w_std * ws.shape[-1] ** -0.5)

    def start(self, n: int) -> torch.Tensor:
        """The average code (n, 23, 512)."""
        generator = self.generator[0]
        return generator.w_avg.expand(n, generator.num_ws, -1)

    @torch.no_grad()
    def looked_at(self, ws: torch.Tensor) -> torch.Tensor:
        """Drafts (B, 3, 256, 256) of codes, as a pass sees them."""
        return self.draft(ws).clamp(-1.5, 1.5)

    @torch.no_grad()
    def forward(self, images: torch.Tensor, passes: int = 0) -> torch.Tensor:
        """Codes (B, 23, 512) of aligned faces (B, 3, R, R); passes: 0 for as many as in training."""
        images, ws = resampled(images, RESOLUTION), self.start(len(images))
        for _ in range(passes or self.passes):
            ws = self.refined(images, ws, self.looked_at(ws))
        return ws
