"""`dynode train transformer`: a classifier of codes is trained on scored samples, then a latent transformer with it.

Yao et al. 2021, Sec. 3.2: the edit is to move each code across the classifier's decision boundary, with a small change of
the code and of the other attributes, each weighted by 1 - |correlation| with the edited one.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import generators
from dynode.editing import latent_transformer
from dynode.editing import random_samples as samples
from dynode.editing import style_mixing as mixtures
from dynode.editing.latent_transformer import LatentTransformer, TransformerSettings
from dynode.editing.random_samples import SampleSettings
from dynode.generators.protocol import Generator
from dynode.perception import attributes
from dynode.settings import choose, require_positive
from dynode.training import latent_classifier
from dynode.training.cards import editor_card
from dynode.training.latent_classifier import ClassifierSettings, Labelled, LatentClassifier, jittered
from dynode.training.loops import minimise

MEASURED_SEED = 2  # codes that nothing is trained on


@dataclass(frozen=True)
class TransformerTrainingSettings:
    """How a latent transformer is trained; weights of the loss and optimiser are the paper's."""

    transformer: TransformerSettings = field(default_factory=TransformerSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    samples: SampleSettings = field(default_factory=SampleSettings)
    mixtures: int = 0  # style mixtures that are rendered and scored beside the samples: a view of rows wants some
    held_out: float = 0.1  # fraction of the codes that the classifier is measured on
    having: float = 0.5  # fraction of the codes labelled as having the attribute: those with the highest scores
    batch: int = 32
    steps: int = 1000
    lr: float = 1e-3
    weight_decay: float = 5e-4
    stay: float = 10.0  # weight of the mean squared change of the code
    keep: float = 1.0  # weight of the mean squared change of the other attributes' logits
    same: float = 1.0  # correlation from which on another attribute is free to change
    noise: float = 1.5  # of the editor's training codes, see ClassifierSettings.noise
    measured: int = 8  # codes whose images the quality is measured on
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr", "having", "same", "held_out")


def labels_of(scores: torch.Tensor, having: float) -> torch.Tensor:
    """Labels (N, A): 1 for the highest fraction `having` of each attribute's finite scores, 0 for the rest, NaN for NaN."""
    thresholds = torch.nanquantile(scores, 1 - having, dim=0)
    return torch.where(torch.isfinite(scores), (scores > thresholds).float(), torch.nan)


def labelled_codes(
    generator: Generator,
    settings: TransformerTrainingSettings,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> Labelled:
    """Scored samples, the same in all rows, and scored mixtures, in random order; rendered unless they are cached."""
    plain = samples.scored(generator, settings.samples, device=device, progress=progress)
    ws, scores = samples.all_rows(plain.w, generator), plain.scores
    if settings.mixtures:
        sample = settings.mixtures, settings.samples.truncation_psi
        mixed = mixtures.scored(generator, *sample, device=device, progress=progress)
        ws, scores = torch.cat([ws, mixtures.codes(generator, *sample)]), torch.cat([scores, mixed])
    order = torch.randperm(len(ws), generator=torch.Generator().manual_seed(settings.seed))
    return Labelled(
        tuple(plain.names), ws[order].to(device), labels_of(scores.float(), settings.having)[order].to(device)
    )


def weights_of_others(known: Labelled, name: str, same: float = 1.0) -> torch.Tensor:
    """1 - |correlation| with the attribute (A,), 0 for itself and where the correlation is `same` or more."""
    size = known.correlation(name).abs()
    size[known.names.index(name)] = 1
    return torch.where(size >= same, 0.0, 1 - size)


def balanced(labels: torch.Tensor) -> torch.Tensor:
    """Class weights (B,) of labels 0 or 1 in a batch: N / n_positive and N / n_negative."""
    positive = labels.sum()
    return len(labels) / torch.where(labels > 0.5, positive, len(labels) - positive)


def transformer_loss(
    editor: LatentTransformer,
    classifier: LatentClassifier,
    ws: torch.Tensor,
    attribute: int,
    others: torch.Tensor,
    settings: TransformerTrainingSettings,
) -> torch.Tensor:
    """Class-balanced cross entropy of the other class, plus the change of the code and of the other attributes' logits.

    ws (B, L, D), others (A,) weights.  A code with probability p of the attribute is edited by -p if it has it, else 1 - p.
    """
    with torch.no_grad():
        before = classifier(ws)
    p = before[:, attribute].sigmoid()
    target = (p <= 0.5).to(p)
    edited = editor.edit(ws, target - p)
    after = classifier(edited)
    change = F.binary_cross_entropy_with_logits(after[:, attribute], target, balanced(target))
    others_change = ((after - before).square() * others).mean()
    return change + settings.stay * F.mse_loss(edited, ws) + settings.keep * others_change


def training_codes(
    generator: Generator, count: int, settings: TransformerTrainingSettings, rng: torch.Generator
) -> torch.Tensor:
    """Random codes (count, L, D) for the editor, half of them style mixtures: they need no labels."""
    seeds = torch.randint(2**31, (2,), generator=rng).tolist()
    psi, half = settings.samples.truncation_psi, count // 2
    plain = samples.codes(generator, SampleSettings(max(count - half, 1), seeds[0], psi))
    mixed = mixtures.codes(generator, max(half, 1), psi, seeds[1])
    return torch.cat([samples.all_rows(plain, generator), mixed]).to(generator.w_avg.device)[:count]


def fit_transformer(
    generator: Generator,
    classifier: LatentClassifier,
    known: Labelled,
    settings: TransformerTrainingSettings,
    progress: bool = False,
) -> LatentTransformer:
    """An editor of the attribute that the settings name, trained with a classifier."""
    name = settings.transformer.attribute
    torch.manual_seed(settings.seed)
    rng, others = torch.Generator().manual_seed(settings.seed), weights_of_others(known, name, settings.same)
    editor = LatentTransformer(settings.transformer, classifier.mean, classifier.scale, generator.num_ws).to(
        known.ws.device
    )
    optimiser = torch.optim.Adam(editor.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    codes = training_codes(generator, 4096, settings, rng)
    for _ in tqdm(range(settings.steps), desc=f"train {name}", disable=not progress, mininterval=2):
        ws = codes[torch.randint(len(codes), (settings.batch,), generator=rng)]
        ws = jittered(ws, classifier.scale, settings.noise, rng)
        loss = transformer_loss(editor, classifier, ws, known.names.index(name), others, settings)
        minimise(optimiser, loss)
    return editor.eval().requires_grad_(False)


@torch.no_grad()
def crossing_rate(editor: LatentTransformer, classifier: LatentClassifier, ws: torch.Tensor, attribute: int) -> float:
    """Fraction of codes (N, L, D) that an edit of the strength used in training moves across the decision boundary."""
    p = classifier(ws)[:, attribute].sigmoid()
    target = (p <= 0.5).to(p)
    return float(((classifier(editor.edit(ws, target - p))[:, attribute] > 0) == (target > 0.5)).float().mean())


@torch.no_grad()
def picture_change(
    editor: LatentTransformer,
    generator: Generator,
    category: str,
    settings: TransformerTrainingSettings,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Half the change of scores between strengths -1 and 1, for images of held-out codes, in standard deviations.

    "change": of the editor's own attribute.  "leakage": mean absolute change of the others relative to it.
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
    cut = len(known.ws) - max(1, int(settings.held_out * len(known.ws)))
    training, held_out = known.where(slice(cut)), known.where(slice(cut, None))
    classifier = latent_classifier.fit_classifier(training, settings.classifier, settings.seed)
    editor = fit_transformer(generator, classifier, training, settings, progress)
    index = known.names.index(name)
    quality = {"crossed": round(crossing_rate(editor, classifier, held_out.ws, index), 4)}
    if settings.measured:
        quality |= picture_change(editor, generator, category, settings, device)
    seconds, accuracy = time.time() - began, latent_classifier.accuracy(classifier, held_out)
    card = editor_card(generator_name, generator, settings, seconds, device, quality=quality, classifier=accuracy)
    latent_transformer.save(editor, output, generator, card)
    return card
