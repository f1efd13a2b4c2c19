"""`dynode train mapper`: a mapper learns one text from random codes (StyleCLIP Sec. 5).

loss = 1 - agreement of image and text + 0.1 (1 - cosine of identities) + 0.8 |w' - w|^2.  The published training takes
50,000 steps over inverted photos with another optimiser (Ranger); here it is Adam over random codes, whose coarse, medium
and fine rows come from different draws half of the time, so that the mapper meets codes of W+.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import styleclip
from dynode.editing.styleclip import Mapper, MapperSettings, row_groups, scoring_resolution
from dynode.errors import UserError
from dynode.evaluation import editor_quality
from dynode.io.tensor_files import read_safetensors
from dynode.perception import caption_vocabulary
from dynode.perception import image_text as parts
from dynode.perception.identity import identity_of
from dynode.perception.image_text import ImageText
from dynode.settings import require_positive, to_json

CHECKPOINT_SECONDS = 60
HELD_OUT_CODES = 32  # codes that the change is measured on


@dataclass(frozen=True)
class MapperTrainingSettings:
    """How a mapper learns; agree, identity and stay are weights of the loss, as published."""

    mapper: MapperSettings = field(default_factory=MapperSettings)
    batch: int = 2
    steps: int = 400
    lr: float = 3.0  # published: 0.5 over 125 times as many steps; layers are equalised, so that weights are about 100
    agree: float = 1.0
    identity: float = 0.1
    stay: float = 0.8
    truncation_psi: float = 0.7
    unit: float = 1.0  # share of what was taught that strength 1 stands for, where the teacher wants too much
    mixed: float = 0.5  # share of codes whose groups of rows come from different draws
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr", "truncation_psi", "unit")


def random_codes(generator, n: int, settings: MapperTrainingSettings, draws: torch.Generator) -> torch.Tensor:
    """Random codes (n, L, D), some of them mixed."""
    z = torch.randn(3, n, generator.z_dim, generator=draws).to(generator.w_avg)
    mixed = torch.rand(n, generator=draws) < settings.mixed
    with torch.no_grad():
        choices = [generator.mapping(each, settings.truncation_psi) for each in z]
    ws = choices[0].clone()
    for other, rows in zip(choices[1:], list(row_groups(generator.num_ws).values())[1:], strict=True):
        ws[mixed, rows] = other[mixed, rows]
    return ws


def mapper_loss(
    mapper: Mapper,
    ws,
    wanted,
    generator,
    image_text: ImageText,
    identity: Callable | None,
    settings: MapperTrainingSettings,
) -> torch.Tensor:
    """The loss of a batch of codes; identity None: the term is left out, as for what is no face."""
    moved = ws + mapper.offset(ws)
    images = generator.synthesis(moved, scoring_resolution(generator))
    agree = 1 - (image_text.images(images) @ wanted.T).mean()
    loss = settings.agree * agree + settings.stay * (moved - ws).square().mean()
    if identity is None:
        return loss
    with torch.no_grad():
        who = identity(generator.synthesis(ws, scoring_resolution(generator)))
    return loss + settings.identity * (1 - (identity(images) * who).sum(1)).mean()


def fit_mapper(
    mapper: Mapper,
    generator,
    image_text: ImageText,
    settings: MapperTrainingSettings,
    *,
    identity: Callable | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> None:
    """All steps; goes on from the checkpoint where there is one.  Each step has its own draws, so that it can."""
    wanted = image_text.texts([settings.mapper.text])
    job = job_key(settings, generator, image_text)
    start = resume(mapper, checkpoint, job)
    optimiser, written = torch.optim.Adam(mapper.parameters(), lr=settings.lr), time.time()
    bar = tqdm(
        range(start, settings.steps), desc=f"teach {settings.mapper.text!r}", disable=not progress, mininterval=2
    )
    for step in bar:
        optimiser.param_groups[0]["lr"] = settings.lr * min(1.0, 4 * (1 - step / settings.steps))
        draws = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        ws = random_codes(generator, settings.batch, settings, draws)
        loss = mapper_loss(mapper, ws, wanted, generator, image_text, identity, settings)
        if loss != loss:
            raise UserError(f"The training of {settings.mapper.text!r} ended in NaN: lower lr.")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if checkpoint is not None and time.time() - written > CHECKPOINT_SECONDS:
            save_checkpoint(mapper, checkpoint, generator, job, step + 1)
            written = time.time()


def job_key(settings: MapperTrainingSettings, generator, image_text: ImageText) -> str:
    """What decides whether a checkpoint belongs to a training."""
    return json.dumps([to_json(settings), generator.hash, image_text.name])


def save_checkpoint(mapper: Mapper, checkpoint: Path, generator, job: str, step: int) -> None:
    """What a killed training goes on from: the mapper (what Adam remembers begins anew) and the number of steps done."""
    styleclip.save(mapper, checkpoint, generator, {"teacher": "", "step": step, "job": job})


def resume(mapper: Mapper, checkpoint: Path | None, job: str) -> int:
    """Give a mapper back what a checkpoint of the same settings, generator and teacher holds; how many steps that were."""
    if checkpoint is None or not checkpoint.is_file():
        return 0
    left = styleclip.FILES.card(checkpoint)
    if left.get("job") != job:
        return 0
    tensors, _ = read_safetensors(checkpoint, styleclip.FILES.format, styleclip.FILES.what)
    mapper.load_state_dict({key: value.float() for key, value in tensors.items()})
    return left["step"]


@torch.no_grad()
def measure(
    mapper: Mapper, generator, image_text: ImageText, identity, settings: MapperTrainingSettings
) -> dict[str, float]:
    """Agreement with the text before and behind the edit, by the teacher itself; distance in W+; identity for faces."""
    wanted, draws = image_text.texts([settings.mapper.text]), torch.Generator().manual_seed(10**9 + settings.seed)
    ws = random_codes(generator, HELD_OUT_CODES if generator.resolution <= 256 else 8, settings, draws)
    moved = mapper.edit(ws, 1.0)
    before, after = (
        generators.render(generator, each, scoring_resolution(generator)).to(ws.device) for each in (ws, moved)
    )
    agree = [float((image_text.images(each) @ wanted.T).mean()) for each in (before, after)]
    found = {"before": agree[0], "behind": agree[1], "distance": float((moved - ws).square().mean().sqrt())}
    if identity is not None:
        found["identity"] = float((identity(before) * identity(after)).sum(1).mean())
    found |= attribute_changes(mapper, generator, ws)
    return {name: round(value, 4) for name, value in found.items()}


def attribute_changes(mapper: Mapper, generator, ws: torch.Tensor) -> dict[str, float]:
    """What those say who did not teach it: the scorer of attributes on the text's own attribute, and on the others.

    Nothing for a text that names no attribute of the wording, as one that only CLIP can read.
    """
    category = generators.category_of(generator.name)
    found = caption_vocabulary.attributes_in(category, mapper.settings.text)
    if not found:
        return {}
    rows = editor_quality.editor_rows(mapper, generator, ws.cpu(), [1.0], attribute=found[0])
    return {row.metric: row.value for row in rows if row.metric in ("own_change", "leakage")}


@torch.no_grad()
def rescale(mapper: Mapper, unit: float) -> None:
    """Make strength 1 stand for a share of what was taught: all that a network says is proportional to its last layer."""
    for network in mapper.networks.values():
        network[-2].weight.mul_(unit)
        network[-2].bias.mul_(unit)


def train_text_mapper(
    generator_name: str,
    settings: MapperTrainingSettings,
    output: Path,
    *,
    clip: Path | str = "",
    device: torch.device | str = "cpu",
    progress=False,
) -> dict:
    """Teach a mapper of a generator one text, write it, and return its card.

    clip: the user's file of CLIP, see `image_text.load`.  Raises UserError for a text that the teacher cannot read.
    """
    runtime.seed_everything(settings.seed)
    generator, category = generators.load(generator_name, device), generators.category_of(generator_name)
    teacher, identity = parts.load(category, clip, device), identity_of(category, device)
    teacher.texts([settings.mapper.text])  # a text that it cannot read is told before the work
    mapper = Mapper(settings.mapper, generator.num_ws, generator.w_dim).to(device)
    checkpoint, began = Path(output).with_suffix(".checkpoint"), time.time()
    who = identity if settings.identity else None
    fit_mapper(mapper, generator, teacher, settings, identity=who, checkpoint=checkpoint, progress=progress)
    mapper.eval().requires_grad_(False)
    rescale(mapper, settings.unit)
    card = {
        "text": settings.mapper.text,
        "teacher": teacher.name,
        "generator": {"name": generator_name, "hash": generator.hash},
        "settings": to_json(settings),
        "seconds": round(time.time() - began),
        "quality": measure(mapper, generator, teacher, identity, settings),
        "provenance": runtime.provenance(torch.device(device)),
    }
    styleclip.save(mapper, output, generator, card)
    checkpoint.unlink(missing_ok=True)
    return card
