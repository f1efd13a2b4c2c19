"""`dynode train mapper`: a mapper for one text, trained on random codes (StyleCLIP Sec. 5).

loss = 1 - cosine of image and text + 0.1 (1 - cosine of identities) + 0.8 |w' - w|^2.  The published training takes 50,000
steps over inverted photos with another optimiser (Ranger); here it is Adam over random codes, whose coarse, medium and fine
rows come from different latents half of the time, so that the mapper is trained on codes of W+.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import nn
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import styleclip
from dynode.editing.styleclip import Embedding, Mapper, MapperSettings, row_groups, scoring_resolution
from dynode.errors import UserError
from dynode.evaluation import editor_quality
from dynode.generators.protocol import Generator
from dynode.io import names
from dynode.io.locks import claimed
from dynode.io.tensor_files import read_safetensors
from dynode.perception import caption_vocabulary
from dynode.perception import image_text as networks
from dynode.perception.identity import identity_of
from dynode.perception.image_text import ImageText
from dynode.settings import require_positive, to_json
from dynode.training.cards import editor_card
from dynode.training.loops import minimise

CHECKPOINT_SECONDS = 60
HELD_OUT_CODES = 32  # codes that the change is measured on


@dataclass(frozen=True)
class MapperTrainingSettings:
    """How a mapper is trained; agree, identity and stay are weights of the loss, as published."""

    mapper: MapperSettings = field(default_factory=MapperSettings)
    batch: int = 2
    steps: int = 400
    lr: float = 3.0  # published: 0.5 over 125 times as many steps; layers are equalised, so that weights are about 100
    agree: float = 1.0
    identity: float = 0.1
    stay: float = 0.8
    truncation_psi: float = 0.7
    unit: float = 1.0  # fraction of the trained edit that strength 1 stands for, where the full edit is too strong
    mixed: float = 0.5  # fraction of codes whose groups of rows come from different latents
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr", "truncation_psi", "unit")


def random_codes(generator: Generator, n: int, settings: MapperTrainingSettings, rng: torch.Generator) -> torch.Tensor:
    """Random codes (n, L, D), a fraction of them with coarse, medium and fine rows from different latents."""
    z = torch.randn(3, n, generator.z_dim, generator=rng).to(generator.w_avg)
    mixed = torch.rand(n, generator=rng) < settings.mixed
    with torch.no_grad():
        sources = [generator.mapping(each, settings.truncation_psi) for each in z]
    ws = sources[0].clone()
    for other, rows in zip(sources[1:], list(row_groups(generator.num_ws).values())[1:], strict=True):
        ws[mixed, rows] = other[mixed, rows]
    return ws


def mapper_loss(
    mapper: Mapper,
    ws: torch.Tensor,
    target: torch.Tensor,
    generator: Generator,
    image_text: ImageText,
    identity: Embedding | None,
    settings: MapperTrainingSettings,
) -> torch.Tensor:
    """The loss of codes (B, L, D) for the embedding of a text (1, K); identity None, as for worlds: without its term."""
    edited = ws + mapper.offset(ws)
    images = generator.synthesis(edited, scoring_resolution(generator))
    agree = 1 - (image_text.images(images) @ target.T).mean()
    loss = settings.agree * agree + settings.stay * (edited - ws).square().mean()
    if identity is None:
        return loss
    with torch.no_grad():
        before = identity(generator.synthesis(ws, scoring_resolution(generator)))
    return loss + settings.identity * (1 - (identity(images) * before).sum(1)).mean()


def fit_mapper(
    mapper: Mapper,
    generator: Generator,
    image_text: ImageText,
    settings: MapperTrainingSettings,
    *,
    identity: Embedding | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> None:
    """Train a mapper, in place; resumes from the checkpoint where there is one, since each step has its own seed."""
    target = image_text.texts([settings.mapper.text])
    job = job_key(settings, generator, image_text)
    start = resume(mapper, checkpoint, job)
    optimiser, written = torch.optim.Adam(mapper.parameters(), lr=settings.lr), time.time()
    bar = tqdm(
        range(start, settings.steps), desc=f"train {settings.mapper.text!r}", disable=not progress, mininterval=2
    )
    for step in bar:
        optimiser.param_groups[0]["lr"] = settings.lr * min(1.0, 4 * (1 - step / settings.steps))
        rng = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        ws = random_codes(generator, settings.batch, settings, rng)
        loss = mapper_loss(mapper, ws, target, generator, image_text, identity, settings)
        if loss != loss:
            raise UserError(f"The training of {settings.mapper.text!r} ended in NaN: lower lr.")
        minimise(optimiser, loss)
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if checkpoint is not None and time.time() - written > CHECKPOINT_SECONDS:
            save_checkpoint(mapper, checkpoint, generator, job, step + 1)
            written = time.time()


def job_key(settings: MapperTrainingSettings, generator: Generator, image_text: ImageText) -> str:
    """Settings, generator and image-text network of a training; the checkpoint of another job is not used."""
    return json.dumps([to_json(settings), generator.hash, image_text.name])


def save_checkpoint(mapper: Mapper, checkpoint: Path, generator: Generator, job: str, step: int) -> None:
    """Write the mapper and the number of steps done; the state of Adam is not kept."""
    styleclip.save(mapper, checkpoint, generator, {"teacher": "", "step": step, "job": job})


def resume(mapper: Mapper, checkpoint: Path | None, job: str) -> int:
    """Restore a mapper from a checkpoint of the same job; returns the number of steps done, 0 without one."""
    if checkpoint is None or not checkpoint.is_file():
        return 0
    card = styleclip.FILES.card(checkpoint)
    if card.get("job") != job:
        return 0
    tensors, _ = read_safetensors(checkpoint, styleclip.FILES.format, styleclip.FILES.what)
    mapper.load_state_dict({key: value.float() for key, value in tensors.items()})
    return card["step"]


@torch.no_grad()
def measure(
    mapper: Mapper,
    generator: Generator,
    image_text: ImageText,
    identity: Embedding | None,
    settings: MapperTrainingSettings,
) -> dict[str, float]:
    """Cosine with the text "before" and "behind" (after) the edit, RMS distance in W+, cosine of identities for faces."""
    target, rng = image_text.texts([settings.mapper.text]), torch.Generator().manual_seed(10**9 + settings.seed)
    ws = random_codes(generator, HELD_OUT_CODES if generator.resolution <= 256 else 8, settings, rng)
    edited = mapper.edit(ws, 1.0)
    before, after = (
        generators.render(generator, each, scoring_resolution(generator)).to(ws.device) for each in (ws, edited)
    )
    agree = [float((image_text.images(each) @ target.T).mean()) for each in (before, after)]
    quality = {"before": agree[0], "behind": agree[1], "distance": float((edited - ws).square().mean().sqrt())}
    if identity is not None:
        quality["identity"] = float((identity(before) * identity(after)).sum(1).mean())
    quality |= attribute_changes(mapper, generator, ws)
    return {name: round(value, 4) for name, value in quality.items()}


def attribute_changes(mapper: Mapper, generator: Generator, ws: torch.Tensor) -> dict[str, float]:
    """Change of the text's own attribute and of the others, by the attribute scorer, which no mapper is trained with.

    Empty for a text that describes no attribute of the vocabulary, such as one that only CLIP can read.
    """
    described = caption_vocabulary.attributes_in(generators.category_of(generator.name), mapper.settings.text)
    if not described:
        return {}
    rows = editor_quality.editor_rows(mapper, generator, ws.cpu(), [1.0], attribute=described[0])
    return {row.metric: row.value for row in rows if row.metric in ("own_change", "leakage")}


@torch.no_grad()
def rescale(mapper: Mapper, unit: float) -> None:
    """Make strength 1 stand for a fraction of the trained edit: outputs are proportional to the last layers."""
    for network in mapper.networks.values():
        for numbers in cast(nn.Sequential, network)[-2].parameters():
            numbers.mul_(unit)


def train_text_mapper(
    generator_name: str,
    settings: MapperTrainingSettings,
    output: Path,
    *,
    clip_file: Path | str = "",
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Train a mapper of a generator for one text, write it, and return its card.

    clip_file: see `image_text.load`.  Raises UserError for a text that the image-text network cannot read.
    """
    runtime.seed_everything(settings.seed)
    generator, category = generators.load(generator_name, device), generators.category_of(generator_name)
    network, identity = networks.load(category, clip_file, device), identity_of(category, device)
    network.texts([settings.mapper.text])  # refuses an unknown text before the work
    mapper = Mapper(settings.mapper, generator.num_ws, generator.w_dim).to(device)
    checkpoint, began = names.beside(output, ".checkpoint"), time.time()
    term = identity if settings.identity else None
    with claimed(checkpoint):
        fit_mapper(mapper, generator, network, settings, identity=term, checkpoint=checkpoint, progress=progress)
    mapper.eval().requires_grad_(False)
    rescale(mapper, settings.unit)
    seconds, quality = time.time() - began, measure(mapper, generator, network, identity, settings)
    card = {"text": settings.mapper.text, "teacher": network.name}
    card |= editor_card(generator_name, generator, settings, seconds, device, quality=quality)
    styleclip.save(mapper, output, generator, card)
    checkpoint.unlink(missing_ok=True)
    return card
