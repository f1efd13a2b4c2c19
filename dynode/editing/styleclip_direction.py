"""Global directions (StyleCLIP Sec. 6): a text as one direction in the style space of a generator.

Each channel's relevance is the unit vector by which the image-text network sees the image change with it.  The direction
of the text is what separates a target from a neutral text; channels whose relevance agrees too little are left alone.

relevance "difference" is the published one: a channel is set 5 standard deviations above and below its mean, in so many
images, which takes two images for each of thousands of channels.  "gradient" is its first order, one pass backwards an
image, and then the threshold is a share of the largest channel, since no unit vectors come of it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode.editing.styleclip import seen_at
from dynode.errors import UserError
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
CODES = 1000  # random codes that the channels' means and deviations come from
FAINTEST = (
    0.05  # of how strongly styles follow a direction of W: those that follow less are left out of the way back to W+
)


@dataclass(frozen=True)
class DirectionSettings:
    """How a direction is found."""

    relevance: str = "difference"
    images: int = 100
    spread: float = 5.0  # standard deviations to either side
    beta: float = 0.1  # channels that agree less are left alone
    highest: int = 128  # pixels of the last layer whose channels are looked at
    truncation_psi: float = 0.7
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "images", "spread", "highest", "truncation_psi")
        choose("relevance", self.relevance, RELEVANCES)


@dataclass(frozen=True)
class StyleDirection:
    """A step (S,) in the style space for strength 1, in units of each channel's deviation times its relevance.

    offset (L, D) is the nearest step in W+ (least squares, row by row), for those who take codes of W+ only; `kept` is the
    share of the step's square that W+ can follow, and the name of what `edit` does says [w+].
    """

    name: str
    step: torch.Tensor
    offset: torch.Tensor
    kept: float
    space = "w+"

    def edit_styles(self, s: torch.Tensor, strength) -> torch.Tensor:
        """Codes (B, S) of the style space, moved; strength from -10 to 10."""
        return s + torch.as_tensor(strength, dtype=s.dtype, device=s.device).reshape(-1, 1) * self.step.to(s)

    def edit(self, ws: torch.Tensor, strength, rows: int = 0) -> torch.Tensor:
        """Codes (B, L, D) moved by the nearest step in W+, the first `rows` rows only (0: all)."""
        steps = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device).reshape(-1, 1, 1)
        moved = ws + steps * self.offset.to(ws)
        return moved if not rows else torch.cat([moved[:, :rows], ws[:, rows:]], 1)


def text_direction(image_text: ImageText, target: str, neutral: str) -> torch.Tensor:
    """The unit vector (K,) from a neutral text to the target, each the mean over a few phrasings.

    Raises UserError where both are the same to the network.
    """
    ends = [
        F.normalize(image_text.texts([t.format(text) for t in TEMPLATES]).mean(0), dim=0) for text in (target, neutral)
    ]
    difference = ends[0] - ends[1]
    if difference.norm() < 1e-4:
        raise UserError(f"{target!r} and {neutral!r} are the same to {image_text.name}: choose texts that differ.")
    return F.normalize(difference, dim=0)


@torch.no_grad()
def random_styles(generator, n: int, settings: DirectionSettings, seed: int) -> torch.Tensor:
    """Codes (n, S) of the style space."""
    z = torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.w_avg)
    parts = (generator.to_style(generator.mapping(part, settings.truncation_psi)) for part in z.split(100))
    return torch.cat(list(parts))


def looked_at(generator, settings: DirectionSettings) -> torch.Tensor:
    """The numbers of the channels that may move: those of layers up to a resolution that make no colours."""
    places = generator.style_places()
    may = [torch.full((p.channels,), not p.colours and p.resolution <= settings.highest) for p in places]
    return torch.cat(may).nonzero()[:, 0]


@torch.no_grad()
def by_difference(generator, image_text, channels, wanted, styles, mean, spread, progress: bool) -> torch.Tensor:
    """How much each channel's unit vector agrees with a direction of texts (K,): numbers (C,) in [-1, 1]."""
    found = []
    for channel in tqdm(channels.tolist(), desc="relevance", disable=not progress, mininterval=2):
        ends = []
        for sign in (1, -1):
            moved = styles.clone()
            moved[:, channel] = mean[channel] + sign * spread[channel]
            images = (generator.synthesis_from_style(part, seen_at(generator)) for part in moved.split(8))
            ends.append(torch.cat([image_text.images(part) for part in images]))
        found.append(F.normalize(F.normalize(ends[0] - ends[1], dim=1).mean(0), dim=0) @ wanted)
    return torch.stack(found)


def by_gradient(generator, image_text, channels, wanted, styles, mean, spread, progress: bool) -> torch.Tensor:
    """The first order of the same: how fast the agreement rises with each channel, as shares (C,) of the fastest."""
    total = torch.zeros(len(channels)).to(spread)
    for part in tqdm(styles.split(1), desc="relevance", disable=not progress, mininterval=2):
        s = part.clone().requires_grad_(True)
        agrees = (image_text.images(generator.synthesis_from_style(s, seen_at(generator))) @ wanted).sum()
        total += (torch.autograd.grad(agrees, s)[0][0] * spread)[channels]
    return total / total.abs().max()


RELEVANCES = {"difference": by_difference, "gradient": by_gradient}
QUICK = DirectionSettings("gradient", images=8)  # what a command can wait for, with the largest generator too


def direction(
    generator,
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
    wanted = text_direction(image_text, target, neutral)
    many = random_styles(generator, CODES, settings, settings.seed + 1)
    mean, deviation = many.mean(0), many.std(0)
    channels, styles = (
        looked_at(generator, settings),
        random_styles(generator, settings.images, settings, settings.seed),
    )
    relevance = RELEVANCES[settings.relevance]
    agrees = relevance(generator, image_text, channels, wanted, styles, mean, settings.spread * deviation, progress)
    chosen = agrees.abs() >= settings.beta
    if not chosen.any():
        raise UserError(
            f"No channel agrees with {target!r} by {settings.beta:g}: lower beta, {agrees.abs().max():.3g} is the most."
        )
    step = torch.zeros_like(mean)
    step[channels] = torch.where(chosen, agrees / agrees.abs().max(), 0.0) * deviation[channels]
    offset, kept = nearest_in_w(generator, step)
    return StyleDirection(f"style direction[w+, {image_text.name}]:{target}", step, offset, kept)


@torch.no_grad()
def nearest_in_w(generator, step: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The offset (L, D) of W+ whose styles come nearest to a step (S,), and the share of the step that it follows."""
    basis = torch.eye(generator.w_dim).to(step)[:, None].expand(-1, generator.num_ws, -1)
    maps = generator.to_style(basis) - generator.to_style(torch.zeros_like(basis[:1]))  # (D, S), affine less constant
    place = torch.cat([torch.full((p.channels,), p.row) for p in generator.style_places()]).to(step.device)
    offset = torch.zeros(generator.num_ws, generator.w_dim).to(step)
    for row in range(generator.num_ws):
        mine = (place == row).nonzero()[:, 0]
        if step[mine].any():
            # styles that W hardly moves are not chased: that would leave the codes that the generator knows
            offset[row] = torch.linalg.pinv(maps[:, mine].T.double().cpu(), rtol=FAINTEST).to(step) @ step[mine]
    followed = generator.to_style(offset[None])[0] - generator.to_style(torch.zeros_like(offset)[None])[0]
    return offset, float(1 - (followed - step).square().sum() / step.square().sum())
