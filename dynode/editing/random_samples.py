"""Random pictures of a generator: what editors learn their attributes from.

They are drawn once, in small files of the user's cache, so that drawing can stop and go on.  The scores of the default
ones ship with the package for the face generator: their codes are mapped anew in a second, their pictures not drawn.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from dynode import generators, runtime
from dynode.io import assets, files
from dynode.io.images import as_images, levels
from dynode.io.tensor_files import read_safetensors, write_safetensors
from dynode.perception import attributes
from dynode.settings import choose, require_positive, to_json

FORMAT, WHAT = "dynode-scores-2", "scores of random pictures (as `dynode score-samples` writes them)"
MISSING = 255  # the level of a score that is NaN
CHUNK = 50  # samples a file
RESOLUTION = 256  # pixels at most: all that look at the pictures want no more


@dataclass(frozen=True)
class SampleSettings:
    """How many samples, from which seed, and how near the mean code (psi 1: as the mapping gives them)."""

    count: int = 3000
    seed: int = 0
    truncation_psi: float = 0.7

    def __post_init__(self):
        require_positive(self, "count", "truncation_psi")


@torch.no_grad()
def codes(generator, settings: SampleSettings) -> torch.Tensor:
    """Codes (N, D) of W; the first of them are the same for any count."""
    draws = torch.Generator().manual_seed(runtime.legal_seed(settings.seed))
    z = torch.cat([torch.randn(CHUNK, generator.z_dim, generator=draws) for _ in range(-(-settings.count // CHUNK))])
    parts = [generator.mapping(part.to(generator.w_avg), settings.truncation_psi)[:, 0].cpu() for part in z.split(500)]
    return torch.cat(parts)[: settings.count]


def everywhere(w: torch.Tensor, generator) -> torch.Tensor:
    """Codes (B, D) of W in all rows, (B, L, D)."""
    return w[:, None].expand(-1, generator.num_ws, -1)


def place_of(generator, settings: SampleSettings) -> Path:
    """The folder of the user's cache that holds these samples' pictures."""
    return assets.cache_dir() / "samples" / f"{generator.hash}.{settings.truncation_psi:g}.{settings.seed}"


def pictures(generator, settings: SampleSettings, progress: bool = False) -> Iterator[torch.Tensor]:
    """Images (B, 3, R, R) in [-1, 1] of the codes, in their order, in parts of 50; read where they were drawn before."""
    ws = everywhere(codes(generator, settings), generator)
    yield from drawn(generator, ws, place_of(generator, settings), progress)


def drawn(generator, ws: torch.Tensor, folder: Path, progress: bool = False) -> Iterator[torch.Tensor]:
    """Images of codes (N, L, D) in parts of 50, kept in `folder`, which must belong to these codes alone."""
    resolution = min(RESOLUTION, generator.resolution)
    with tqdm(total=len(ws), desc=f"samples of {generator.name}", disable=not progress, mininterval=2) as bar:
        for k in range(0, len(ws), CHUNK):
            part, path = ws[k : k + CHUNK], folder / f"{k:06d}.safetensors"
            held = load_file(path)["images"] if path.is_file() else None
            if held is None or len(held) < len(part):
                held = levels(generators.render(generator, part, resolution)).contiguous()
                with files.written_whole(path) as scratch:
                    save_file({"images": held}, scratch)
            bar.update(len(part))
            yield as_images(held[: len(part)])


@dataclass(frozen=True)
class Scored:
    """Samples with their scores: w (N, D) of W, scores (N, A) in the units of the attributes, their names (A,).

    A score that could not be measured is NaN.
    """

    names: tuple[str, ...]
    w: torch.Tensor
    scores: torch.Tensor
    card: dict = field(default_factory=dict)

    def of(self, name: str) -> torch.Tensor:
        """The scores (N,) of one attribute.  Raises UserError for an unknown one."""
        return self.scores[:, choose("attribute", name, {each: k for k, each in enumerate(self.names)})]

    @property
    def mean(self) -> torch.Tensor:
        """(A,)"""
        return self.scores.nanmean(0)

    @property
    def std(self) -> torch.Tensor:
        """(A,)"""
        return (self.scores - self.mean).square().nanmean(0).sqrt()


def shipped_scores() -> dict[str, Path]:
    """Scores that come with the package, by the generator's name."""
    return runtime.shipped("weights", "scores")


def scored(generator, settings: SampleSettings | None = None, *, device="cpu", progress: bool = False) -> Scored:
    """Samples of a generator with the scores of their pictures.

    They are read where they ship or were kept before (of so many samples at least), else measured and kept in the cache.
    """
    settings = settings or SampleSettings()
    kept = place_of(generator, settings) / "scores.safetensors"
    for path in (shipped_scores().get(generator.name), kept):
        found = read(path, generator, settings) if path and path.is_file() else None
        if found:
            return found
    measure(generator, settings, kept, device=device, progress=progress)
    return read(kept, generator, settings)


def read(path: Path, generator, settings: SampleSettings) -> Scored | None:
    """The scores that a file holds, None where they are of other weights, other samples or fewer, or by another scorer."""
    tensors, metadata = read_safetensors(path, FORMAT, WHAT)
    belongs, card = json.loads(metadata["generator"]), json.loads(metadata["card"])
    held = SampleSettings(**json.loads(card["settings"]))
    same = (held.seed, held.truncation_psi) == (settings.seed, settings.truncation_psi)
    if belongs["hash"] != generator.hash or not same or held.count < settings.count:
        return None
    if not attributes.same_scorer(generators.category_of(generator.name), json.loads(metadata["fingerprint"])):
        return None
    scores = unpacked(tensors)[: settings.count]
    return Scored(tuple(card["names"]), codes(generator, settings), scores, card)


def packed(scores: torch.Tensor) -> dict[str, torch.Tensor]:
    """Scores (N, A) in 8 bits: level * step + low of each attribute, MISSING where one is NaN; a step is .02 to .05 std."""
    low, high = scores.nan_to_num(torch.inf).amin(0), scores.nan_to_num(-torch.inf).amax(0)
    step = ((high - low) / (MISSING - 1)).clamp(min=1e-12)
    levels = ((scores - low) / step).round().nan_to_num(MISSING).to(torch.uint8)
    return {"levels": levels, "low": low, "step": step}


def unpacked(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """The scores (N, A) of a file."""
    levels = tensors["levels"]
    return torch.where(levels == MISSING, torch.nan, levels * tensors["step"] + tensors["low"])


@torch.no_grad()
def measure(generator, settings: SampleSettings, output: Path, *, device="cpu", progress: bool = False) -> dict:
    """Score the pictures of the samples, write the scores, and return their card."""
    category = generators.category_of(generator.name)
    scorer = attributes.of(category, device)
    parts = [scorer(images.to(device)).cpu() for images in pictures(generator, settings, progress)]
    scores = torch.cat(parts)
    card = {
        "settings": to_json(settings),
        "names": scorer.names,
        "unmeasured": int(scores.isnan().any(1).sum()),
        "provenance": runtime.provenance(torch.device(device)),
    }
    belongs = {"name": generator.name, "hash": generator.hash}
    told = {"generator": belongs, "card": card, "fingerprint": attributes.fingerprint(category)}
    write_safetensors(output, packed(scores), FORMAT, **told)
    return card
