"""`dynode train transformer`: scores of random codes teach a classifier of codes, and that a latent transformer.

Yao et al. 2021, Sec. 3.2: each code is carried to the other side of the classifier, a little is to change and the
other attributes are to stay, each the less the more it goes with this one anyway.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import latent_transformer
from dynode.editing import random_samples as samples
from dynode.editing import style_mixing as mixtures
from dynode.editing.latent_transformer import LatentTransformer, TransformerSettings
from dynode.editing.random_samples import SampleSettings
from dynode.perception import attributes
from dynode.settings import choose, require_positive, to_json
from dynode.training import latent_classifier
from dynode.training.latent_classifier import ClassifierSettings, Labelled, LatentClassifier, jittered

MEASURED_SEED = 2  # codes that nothing learns from


@dataclass(frozen=True)
class TransformerTrainingSettings:
    """How a latent transformer learns; weights of the loss and optimiser are the paper's."""

    transformer: TransformerSettings = field(default_factory=TransformerSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    samples: SampleSettings = field(default_factory=SampleSettings)
    mixtures: int = 0  # style mixtures that are drawn and scored beside the samples: a view of rows wants some
    held_out: float = 0.1  # share of the codes that the classifier is measured on
    having: float = 0.5  # share of the codes that count as having the attribute: those that score highest
    batch: int = 32
    steps: int = 1000
    lr: float = 1e-3
    weight_decay: float = 5e-4
    stay: float = 10.0  # weight of the mean squared change of the code
    keep: float = 1.0  # weight of the mean squared change of the other attributes' logits
    same: float = 1.0  # correlation from which on another attribute is free to change
    noise: float = 1.5  # see ClassifierSettings.noise: of the codes that the editor learns from
    measured: int = 8  # codes whose pictures tell how good it is
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr", "having", "same", "held_out")


def labels_of(scores: torch.Tensor, having: float) -> torch.Tensor:
    """1 for the highest `having` of the finite scores of each attribute (N, A), 0 for the rest, NaN where there is none."""
    thresholds = torch.nanquantile(scores, 1 - having, dim=0)
    return torch.where(torch.isfinite(scores), (scores > thresholds).float(), torch.nan)


def labelled_codes(
    generator, settings: TransformerTrainingSettings, device: torch.device | str = "cpu", progress: bool = False
) -> Labelled:
    """Scored samples, the same in all rows, and scored mixtures, in an order of chance; drawn where they are not yet."""
    plain = samples.scored(generator, settings.samples, device=device, progress=progress)
    ws, scores = samples.all_rows(plain.w, generator), plain.scores
    if settings.mixtures:
        many = settings.mixtures, settings.samples.truncation_psi
        mixed = mixtures.scored(generator, *many, device=device, progress=progress)
        ws, scores = torch.cat([ws, mixtures.codes(generator, *many)]), torch.cat([scores, mixed])
    order = torch.randperm(len(ws), generator=torch.Generator().manual_seed(settings.seed))
    return Labelled(
        tuple(plain.names), ws[order].to(device), labels_of(scores.float(), settings.having)[order].to(device)
    )


def weights_of_others(known: Labelled, name: str, same: float = 1.0) -> torch.Tensor:
    """1 - |correlation| with the attribute (A,), 0 for itself and for those that correlate by `same` or more."""
    size = known.correlation(name).abs()
    size[known.names.index(name)] = 1
    return torch.where(size >= same, 0.0, 1 - size)


def balanced(labels: torch.Tensor) -> torch.Tensor:
    """Weights (B,) of labels 0 or 1 in a batch: N / n_positive and N / n_negative."""
    positive = labels.sum()
    return len(labels) / torch.where(labels > 0.5, positive, len(labels) - positive)


def transformer_loss(
    editor, classifier: LatentClassifier, ws, attribute: int, others: torch.Tensor, settings
) -> torch.Tensor:
    """Class-balanced cross entropy of the other side, plus what the code and the other attributes (A,) change.

    ws (B, L, D).  A code that has the attribute, by probability p, is edited by -p, another one by 1 - p.
    """
    with torch.no_grad():
        before = classifier(ws)
    p = before[:, attribute].sigmoid()
    target = (p <= 0.5).to(p)
    edited = editor.edit(ws, target - p)
    after = classifier(edited)
    change = F.binary_cross_entropy_with_logits(after[:, attribute], target, balanced(target))
    others_move = ((after - before).square() * others).mean()
    return change + settings.stay * F.mse_loss(edited, ws) + settings.keep * others_move


def training_codes(
    generator, count: int, settings: TransformerTrainingSettings, draws: torch.Generator
) -> torch.Tensor:
    """Random codes (count, L, D) to learn from, half of them style mixtures: they need no labels."""
    seeds = torch.randint(2**31, (2,), generator=draws).tolist()
    psi, half = settings.samples.truncation_psi, count // 2
    plain = samples.codes(generator, SampleSettings(max(count - half, 1), seeds[0], psi))
    mixed = mixtures.codes(generator, max(half, 1), psi, seeds[1])
    return torch.cat([samples.all_rows(plain, generator), mixed]).to(generator.w_avg.device)[:count]


def fit_transformer(
    generator, classifier, known: Labelled, settings: TransformerTrainingSettings, progress=False
) -> LatentTransformer:
    """An editor of the attribute that the settings name, taught by a classifier."""
    name = settings.transformer.attribute
    torch.manual_seed(settings.seed)
    draws, others = torch.Generator().manual_seed(settings.seed), weights_of_others(known, name, settings.same)
    editor = LatentTransformer(settings.transformer, classifier.mean, classifier.scale, generator.num_ws).to(
        known.ws.device
    )
    optimiser = torch.optim.Adam(editor.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    codes = training_codes(generator, 4096, settings, draws)
    for _ in tqdm(range(settings.steps), desc=f"train {name}", disable=not progress, mininterval=2):
        ws = codes[torch.randint(len(codes), (settings.batch,), generator=draws)]
        ws = jittered(ws, classifier.scale, settings.noise, draws)
        loss = transformer_loss(editor, classifier, ws, known.names.index(name), others, settings)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return editor.eval().requires_grad_(False)


@torch.no_grad()
def crossing_rate(editor: LatentTransformer, classifier: LatentClassifier, ws: torch.Tensor, attribute: int) -> float:
    """Share of codes (N, L, D) that an edit by as much as in training carries over the classifier's border."""
    p = classifier(ws)[:, attribute].sigmoid()
    target = (p <= 0.5).to(p)
    return float(((classifier(editor.edit(ws, target - p))[:, attribute] > 0) == (target > 0.5)).float().mean())


@torch.no_grad()
def picture_change(editor, generator, category: str, settings, device: torch.device | str = "cpu") -> dict[str, float]:
    """What pictures of held-out codes show between strength -1 and 1, halved, in standard deviations of the samples.

    "change": of its own attribute; "leakage": the mean absolute one of the others over that.
    """
    score = attributes.attribute_scorer(category, device)
    held_out = SampleSettings(settings.measured, MEASURED_SEED, settings.samples.truncation_psi)
    ws = samples.all_rows(samples.codes(generator, held_out), generator).to(generator.w_avg)
    resolution = min(samples.RESOLUTION, generator.resolution)
    up, down = (score(generators.render(generator, editor.edit(ws, s), resolution).to(device)) for s in (1.0, -1.0))
    change = ((up - down).cpu() / 2 / samples.scored(generator, settings.samples, device=device).std).nanmean(0)
    own = score.names.index(settings.transformer.attribute)
    others = torch.cat([change[:own], change[own + 1 :]]).abs().nanmean()
    return {"change": round(float(change[own]), 4), "leakage": round(float(others / change[own].abs()), 4)}


def train_latent_transformer(
    generator_name: str,
    settings: TransformerTrainingSettings,
    output: Path,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Train a latent transformer of one attribute, write it, and return its card.

    Raises UserError for an attribute that nothing scores.
    """
    generator, category = generators.load(generator_name, device), generators.category_of(generator_name)
    name = choose(
        f"attribute of a {category}",
        settings.transformer.attribute,
        attributes.attribute_scorer(category, device).names,
    )
    known, began = labelled_codes(generator, settings, device, progress), time.time()
    seen = len(known.ws) - max(1, int(settings.held_out * len(known.ws)))
    kept, held_out = known.where(slice(seen)), known.where(slice(seen, None))
    classifier = latent_classifier.fit_classifier(kept, settings.classifier, settings.seed)
    editor = fit_transformer(generator, classifier, kept, settings, progress)
    index = known.names.index(name)
    quality = {"crossed": round(crossing_rate(editor, classifier, held_out.ws, index), 4)}
    if settings.measured:
        quality |= picture_change(editor, generator, category, settings, device)
    card = {
        "generator": {"name": generator_name, "hash": generator.hash},
        "settings": to_json(settings),
        "seconds": round(time.time() - began),
        "classifier": latent_classifier.accuracy(classifier, held_out),
        "quality": quality,
        "provenance": runtime.provenance(torch.device(device)),
    }
    latent_transformer.save(editor, output, generator, card)
    return card
