"""Random samples of a generator with attribute scores: the training data of editors.

Images are rendered once, into small files of the user's cache, so that rendering can be interrupted and resumed.  The
scores of the default samples ship with the package for the face generator: only their codes are mapped anew, in a second.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from dynode import generators, runtime
from dynode.errors import UserError
from dynode.generators import tuned
from dynode.generators.protocol import Generator
from dynode.io import assets, files
from dynode.io.images import from_levels, to_levels
from dynode.io.tensor_files import read_safetensors, write_safetensors
from dynode.perception import attributes
from dynode.settings import choose, require_positive, to_json

FORMAT, WHAT = "dynode-scores-1", "scores of random pictures (as `dynode train scores` writes them)"
MISSING = 255  # the level of a score that is NaN
CHUNK = 50  # samples in a file
RESOLUTION = 256  # pixels at most, which is enough for every network that scores them


@dataclass(frozen=True)
class SampleSettings:
    """Number of samples, their seed, and truncation towards the mean code (psi 1: none)."""

    count: int = 3000
    seed: int = 0
    truncation_psi: float = 0.7

    def __post_init__(self):
        require_positive(self, "count", "truncation_psi")


@torch.no_grad()
def codes(generator: Generator, settings: SampleSettings) -> torch.Tensor:
    """Codes (N, D) of W; a larger count extends the same sequence."""
    rng = torch.Generator().manual_seed(runtime.legal_seed(settings.seed))
    z = torch.cat([torch.randn(CHUNK, generator.z_dim, generator=rng) for _ in range(-(-settings.count // CHUNK))])
    parts = [generator.mapping(part.to(generator.w_avg), settings.truncation_psi)[:, 0].cpu() for part in z.split(500)]
    return torch.cat(parts)[: settings.count]


def all_rows(w: torch.Tensor, generator: Generator) -> torch.Tensor:
    """Codes (B, D) of W repeated in all rows, (B, L, D)."""
    return w[:, None].expand(-1, generator.num_ws, -1)


def cache_folder(generator: Generator, settings: SampleSettings) -> Path:
    """The folder of the user's cache for these samples' images and scores."""
    return assets.own_dir() / "samples" / f"{generator.hash}.{settings.truncation_psi:g}.{settings.seed}"


def pictures(generator: Generator, settings: SampleSettings, progress: bool = False) -> Iterator[torch.Tensor]:
    """Images (B, 3, R, R) in [-1, 1] of the codes, in their order, in parts of 50; rendered or read from the cache."""
    ws = all_rows(codes(generator, settings), generator)
    yield from cached_pictures(generator, ws, cache_folder(generator, settings), progress)


def cached_pictures(
    generator: Generator, ws: torch.Tensor, folder: Path, progress: bool = False
) -> Iterator[torch.Tensor]:
    """Images (B, 3, R, R) of codes (N, L, D) in parts of 50, cached in `folder`, which must belong to these codes alone."""
    resolution = min(RESOLUTION, generator.resolution)
    with tqdm(total=len(ws), desc=f"samples of {generator.name}", disable=not progress, mininterval=2) as bar:
        for k in range(0, len(ws), CHUNK):
            part, path = ws[k : k + CHUNK], folder / f"{k:06d}.safetensors"
            images = load_file(path)["images"] if path.is_file() else None
            if images is None or len(images) < len(part):
                images = to_levels(generators.render(generator, part, resolution)).contiguous()
                with files.written_whole(path, keep=False) as scratch:
                    save_file({"images": images}, scratch)
            bar.update(len(part))
            yield from_levels(images[: len(part)])


@dataclass(frozen=True)
class ScoredSamples:
    """Codes w (N, D) of W, scores (N, A) of their images in the units of the attributes, names (A,) of these.

    A score that could not be measured is NaN.
    """

    names: tuple[str, ...]
    w: torch.Tensor
    scores: torch.Tensor
    card: dict = field(default_factory=dict)

    def scores_of(self, name: str) -> torch.Tensor:
        """The scores (N,) of one attribute.  Raises UserError for an unknown one."""
        return self.scores[:, choose("attribute", name, {each: k for k, each in enumerate(self.names)})]

    @property
    def mean(self) -> torch.Tensor:
        """Mean score of each attribute (A,)."""
        return self.scores.nanmean(0)

    @property
    def std(self) -> torch.Tensor:
        """Standard deviation of each attribute's scores (A,)."""
        return (self.scores - self.mean).square().nanmean(0).sqrt()


def shipped_scores() -> dict[str, Path]:
    """Scores that come with the package, by the generator's name."""
    return runtime.shipped("weights", "scores")


def shipped_faces(name: str = "mobilestylegan-ffhq") -> tuple[dict[str, torch.Tensor], str]:
    """Scores (N,) of random faces by attribute, and a sentence on what they are; no generator is loaded."""
    tensors, metadata = read_safetensors(shipped_scores()[name], FORMAT, WHAT)
    card = json.loads(metadata["card"])
    settings = SampleSettings(**json.loads(card["settings"]))
    faces = f"Random faces: {settings.count} of {name}, truncation {settings.truncation_psi:g}."
    what = f"{faces} Half of them lie in the middle half; the last column is the part of them below the score."
    return dict(zip(card["names"], unpacked(tensors).T, strict=True)), what


def scored(
    generator: Generator,
    settings: SampleSettings | None = None,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> ScoredSamples:
    """Samples of a generator with the scores of their images; those of a tuned one are its base's, as its hash is.

    They are read from the shipped file or the cache where one holds enough of them, else measured and cached.
    """
    settings = settings or SampleSettings()
    if tuned.hash_of(generator):
        generator = generators.load(generator.name, device)
    cached = cache_folder(generator, settings) / "scores.safetensors"
    for path in (shipped_scores().get(generator.name), cached):
        samples = read(path, generator, settings) if path and path.is_file() else None
        if samples:
            return samples
    measure(generator, settings, cached, device=device, progress=progress)
    samples = read(cached, generator, settings)
    assert samples is not None, "scores are read as they were written"
    return samples


def read(path: Path, generator: Generator, settings: SampleSettings) -> ScoredSamples | None:
    """The scores in a file, None where they are of other weights, other or fewer samples, by another scorer, or unreadable."""
    try:
        tensors, metadata = read_safetensors(path, FORMAT, WHAT)
    except UserError:  # of another version, or damaged: scores are measured anew
        return None
    owner, card = json.loads(metadata["generator"]), json.loads(metadata["card"])
    stored = SampleSettings(**json.loads(card["settings"]))
    same = (stored.seed, stored.truncation_psi) == (settings.seed, settings.truncation_psi)
    if owner["hash"] != generator.hash or not same or stored.count < settings.count:
        return None
    if not attributes.same_scorer(
        generators.category_of(generator.name), json.loads(metadata.get("fingerprint", "[]"))
    ):
        return None
    scores = unpacked(tensors)[: settings.count]
    return ScoredSamples(tuple(card["names"]), codes(generator, settings), scores, card)


def packed(scores: torch.Tensor) -> dict[str, torch.Tensor]:
    """Scores (N, A) as 8-bit levels, level * step + low, MISSING for NaN; a step is .02 to .05 standard deviations."""
    low, high = scores.nan_to_num(torch.inf).amin(0), scores.nan_to_num(-torch.inf).amax(0)
    step = ((high - low) / (MISSING - 1)).clamp(min=1e-12)
    levels = ((scores - low) / step).round().nan_to_num(MISSING).to(torch.uint8)
    return {"levels": levels, "low": low, "step": step}


def unpacked(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """Scores (N, A) from the tensors of a file, the inverse of `packed`."""
    levels = tensors["levels"]
    return torch.where(levels == MISSING, torch.nan, levels * tensors["step"] + tensors["low"])


@torch.no_grad()
def measure(
    generator: Generator,
    settings: SampleSettings,
    output: Path,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Score the images of the samples, write the scores, and return their card."""
    category = generators.category_of(generator.name)
    scorer = attributes.attribute_scorer(category, device)
    parts = [scorer(images.to(device)).cpu() for images in pictures(generator, settings, progress)]
    scores = torch.cat(parts)
    card = {
        "settings": to_json(settings),
        "names": scorer.names,
        "unmeasured": int(scores.isnan().any(1).sum()),
        "provenance": runtime.provenance(torch.device(device)),
    }
    owner, fingerprint = {"name": generator.name, "hash": generator.hash}, attributes.fingerprint(category)
    write_safetensors(output, packed(scores), FORMAT, generator=owner, card=card, fingerprint=fingerprint)
    return card
