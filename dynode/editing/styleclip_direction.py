"""Global directions (StyleCLIP Sec. 6): a text as one direction in the style space of a generator.

The relevance of a channel is the cosine between the change of the image's embedding with that channel and the direction
from a neutral text to the target text; channels below a threshold are left out.

relevance "difference" is the published one: a channel is set 5 standard deviations above and below its mean in each of
`images` images, which takes two syntheses for each of thousands of channels.  "gradient" is its first order, one backward
pass an image; its values are relative to the largest channel, and so is the threshold.
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import generators
from dynode.border import ordinary_numbers
from dynode.editing.editors import Strength, editing_method, first_rows, per_code
from dynode.editing.styleclip import scoring_resolution
from dynode.errors import UserError
from dynode.generators.protocol import Generator, StyleGenerator
from dynode.perception import image_text
from dynode.perception.image_text import ImageText
from dynode.settings import choose, require_positive

TEMPLATES = (
    "{}",
    "a photo of {}",
    "a picture of {}",
    "a bright photo of {}",
    "a close-up photo of {}",
    "a rendering of {}",
)
CODES = 1000  # random codes that the channels' means and standard deviations are measured on
MIN_RESPONSE = 0.05  # relative singular value below which styles do not respond to W and are not fitted


@dataclass(frozen=True)
class DirectionSettings:
    """How a global direction is computed."""

    relevance: str = "difference"
    images: int = 100
    spread: float = 5.0  # standard deviations to either side
    beta: float = 0.1  # channels of lower relevance are left out
    highest: int = 128  # pixels of the last layer whose channels may change
    truncation_psi: float = 0.7
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "images", "spread", "highest", "truncation_psi")
        choose("relevance", self.relevance, RELEVANCES)


@dataclass(frozen=True)
class StyleDirection:
    """A step (S,) in the style space for strength 1: each channel's standard deviation times its relevance.

    offset (L, D): the least-squares approximation of the step in W+, row by row, which `edit` applies (its name says
    [w+]).  explained: the fraction of the step's squared length that the approximation reaches.
    """

    name: str
    step: torch.Tensor
    offset: torch.Tensor
    explained: float
    space = "w+"

    def edit_styles(self, s: torch.Tensor, strength: Strength) -> torch.Tensor:
        """Codes (B, S) of the style space, edited; strength from -10 to 10."""
        return s + torch.as_tensor(strength, dtype=s.dtype, device=s.device).reshape(-1, 1) * self.step.to(s)

    @ordinary_numbers
    def edit(self, ws: torch.Tensor, strength: Strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) shifted by the offset in W+, in the first `rows` rows only (0: all)."""
        return first_rows(ws + per_code(strength, ws) * self.offset.to(ws), ws, rows)


def text_direction(image_text: ImageText, target: str, neutral: str) -> torch.Tensor:
    """The unit vector (K,) from a neutral text to the target, each the mean over the prompt templates.

    Raises UserError where both have the same embedding.
    """
    ends = [
        F.normalize(image_text.texts([t.format(text) for t in TEMPLATES]).mean(0), dim=0) for text in (target, neutral)
    ]
    difference = ends[0] - ends[1]
    if difference.norm() < 1e-4:
        raise UserError(f"{target!r} and {neutral!r} are the same to {image_text.name}: choose texts that differ.")
    return F.normalize(difference, dim=0)


@torch.no_grad()
def random_styles(generator: StyleGenerator, n: int, settings: DirectionSettings, seed: int) -> torch.Tensor:
    """Codes (n, S) of the style space."""
    z = torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.w_avg)
    parts = (generator.to_style(generator.mapping(part, settings.truncation_psi)) for part in z.split(100))
    return torch.cat(list(parts))


def movable_channels(generator: StyleGenerator, settings: DirectionSettings) -> torch.Tensor:
    """Indices of the channels that may change: those of layers up to a resolution, but not of toRGB layers."""
    movable = [
        torch.full((layer.channels,), not layer.to_rgb and layer.resolution <= settings.highest)
        for layer in generator.style_layers()
    ]
    return torch.cat(movable).nonzero()[:, 0]


@dataclass(frozen=True)
class RelevanceProblem:
    """Style codes (N, S), the channels (C,) to rate with their mean (S,) and step (S,), and the text direction (K,)."""

    generator: StyleGenerator
    image_text: ImageText
    text: torch.Tensor
    channels: torch.Tensor
    styles: torch.Tensor
    mean: torch.Tensor
    step: torch.Tensor

    def embedded(self, styles: torch.Tensor) -> torch.Tensor:
        """Embeddings (N, K) of the images of style codes."""
        images = self.generator.synthesis_from_style(styles, scoring_resolution(self.generator))
        return self.image_text.images(images)


@torch.no_grad()
def by_difference(problem: RelevanceProblem, progress: bool) -> torch.Tensor:
    """Cosine (C,) between the embedding's change with each channel and the text direction."""
    relevance = []
    for channel in tqdm(problem.channels.tolist(), desc="relevance", disable=not progress, mininterval=2):
        ends = []
        for sign in (1, -1):
            changed = problem.styles.clone()
            changed[:, channel] = problem.mean[channel] + sign * problem.step[channel]
            ends.append(torch.cat([problem.embedded(part) for part in changed.split(8)]))
        relevance.append(F.normalize(F.normalize(ends[0] - ends[1], dim=1).mean(0), dim=0) @ problem.text)
    return torch.stack(relevance)


def by_gradient(problem: RelevanceProblem, progress: bool) -> torch.Tensor:
    """First order of the same: the derivative (C,) of the cosine with the text, relative to the largest."""
    total = torch.zeros(len(problem.channels)).to(problem.step)
    for part in tqdm(problem.styles.split(1), desc="relevance", disable=not progress, mininterval=2):
        s = part.clone().requires_grad_(True)
        agreement = (problem.embedded(s) @ problem.text).sum()
        total += (torch.autograd.grad(agreement, s)[0][0] * problem.step)[problem.channels]
    return total / total.abs().max()


RELEVANCES = {"difference": by_difference, "gradient": by_gradient}
QUICK = DirectionSettings("gradient", images=8)  # a minute even with the largest generator


def global_direction(
    generator: Generator,
    image_text: ImageText,
    target: str,
    neutral: str,
    settings: DirectionSettings = DirectionSettings(),
    progress: bool = False,
) -> StyleDirection:
    """The direction from a neutral text to the target.

    Raises UserError for a generator without a style space, texts that the network cannot read, and a beta that no channel
    reaches.
    """
    if not hasattr(generator, "to_style"):
        raise UserError(f"{generator.name} shows no style space: use optimisation or a mapper, or another generator.")
    generator = cast(StyleGenerator, generator)
    text = text_direction(image_text, target, neutral)
    sample = random_styles(generator, CODES, settings, settings.seed + 1)
    mean, std = sample.mean(0), sample.std(0)
    channels = movable_channels(generator, settings)
    styles = random_styles(generator, settings.images, settings, settings.seed)
    problem = RelevanceProblem(generator, image_text, text, channels, styles, mean, settings.spread * std)
    relevance = RELEVANCES[settings.relevance](problem, progress)
    chosen = relevance.abs() >= settings.beta
    if not chosen.any():
        raise UserError(
            f"No channel agrees with {target!r} by {settings.beta:g}: lower beta, the largest is "
            f"{relevance.abs().max():.3g}."
        )
    step = torch.zeros_like(mean)
    step[channels] = torch.where(chosen, relevance / relevance.abs().max(), 0.0) * std[channels]
    name = f"style direction[w+, {image_text.name}]:{target}"
    return StyleDirection(name, step, *nearest_offset(generator, step))


@torch.no_grad()
def nearest_offset(generator: StyleGenerator, step: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The offset (L, D) of W+ whose styles come nearest to a step (S,), and the fraction of the step that it explains."""
    basis = torch.eye(generator.w_dim).to(step)[:, None].expand(-1, generator.num_ws, -1)
    maps = generator.to_style(basis) - generator.to_style(torch.zeros_like(basis[:1]))  # (D, S), affine less constant
    row_of = torch.cat([torch.full((layer.channels,), layer.row) for layer in generator.style_layers()])
    row_of = row_of.to(step.device)
    offset = torch.zeros(generator.num_ws, generator.w_dim).to(step)
    for row in range(generator.num_ws):
        mine = (row_of == row).nonzero()[:, 0]
        if step[mine].any():
            # styles that hardly respond to W are not fitted: that would leave the distribution of codes
            offset[row] = torch.linalg.pinv(maps[:, mine].T.double().cpu(), rtol=MIN_RESPONSE).to(step) @ step[mine]
    reached = generator.to_style(offset[None])[0] - generator.to_style(torch.zeros_like(offset)[None])[0]
    return offset, float(1 - (reached - step).square().sum() / step.square().sum())


@editing_method("styleclip-direction")
def load(attribute: str, generator: Generator) -> StyleDirection:
    """The global direction of "TARGET/NEUTRAL", such as "red lips/pale lips", computed in about a minute.

    Raises UserError for a name of another form.
    """
    target, _, neutral = attribute.partition("/")
    if not (target and neutral):
        raise UserError(f"A direction is named TARGET/NEUTRAL, such as mountain/low hill, got {attribute!r}.")
    network = image_text.load(generators.category_of(generator.name), device=generator.w_avg.device)
    return global_direction(generator, network, target, neutral, QUICK)
