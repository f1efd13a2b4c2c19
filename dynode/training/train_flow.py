"""`dynode train flow`: a latent flow of one factor of a world, trained with the network that reads factors.

Training codes are those whose image shows the source class.  After a flow of random length in [alpha / 4, alpha] the image
is to show the target class (cross entropy at temperature tau), and all other factors are to stay (Kullback-Leibler
divergence), as in Khrulkov et al. 2021, with their constants.
"""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import latent_flow
from dynode.editing.latent_flow import FlowSettings, LatentFlow
from dynode.errors import UserError
from dynode.generators.protocol import Generator
from dynode.perception import factor_reader
from dynode.perception.factor_reader import FactorNet, class_count
from dynode.settings import require_positive
from dynode.training.cards import editor_card
from dynode.training.loops import minimise


@dataclass(frozen=True)
class FlowTrainingSettings:
    """How a flow is trained."""

    flow: FlowSettings = field(default_factory=FlowSettings)
    batch: int = 16
    steps: int = 1000
    lr: float = 1e-3
    halve: int = 1000  # steps after which the learning rate is halved
    alpha: float = 6.0  # the longest flow
    tau: float = 4.0
    keep: float = 1.0  # weight of the divergence of the other factors
    codes: int = 4096  # sampled once; those that show the source class are used
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr", "halve", "alpha", "tau", "codes")


def train_latent_flow(
    generator_name: str,
    settings: FlowTrainingSettings,
    output: Path,
    *,
    network: FactorNet | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Train a flow of one factor for a generator of a world, write it, and return its card.

    network: the factor reader, by default the shipped one of the world.
    Raises UserError for an unknown factor or class, and for a source class that hardly any sample shows.
    """
    runtime.seed_everything(settings.seed)
    generator = generators.load(generator_name, device)
    network = network or factor_reader.shipped(generators.category_of(generator_name), device)
    settings = replace(settings, flow=with_target(settings.flow, network))
    codes, began = codes_of_class(generator, network, settings, settings.flow.source), time.time()
    flow = LatentFlow(settings.flow, generator.w_dim).to(device)
    if not settings.flow.depth:
        flow.begin(codes_of_class(generator, network, settings, settings.flow.target).mean(0) - codes.mean(0))
    fit_flow(flow, codes, generator, network, settings, progress)
    seconds, quality = time.time() - began, measure(flow, codes, generator, network, settings.alpha)
    card = editor_card(generator_name, generator, settings, seconds, device, quality=quality)
    latent_flow.save(flow, output, generator, card)
    return card


def with_target(flow: FlowSettings, network: FactorNet) -> FlowSettings:
    """The settings with the number of the target class, the last for -1.  Raises UserError for an unknown class."""
    count = class_count(network.factor(flow.factor))
    target = count - 1 if flow.target < 0 else flow.target
    if not max(target, flow.source) < count:
        raise UserError(f"{flow.factor} has the classes 0 to {count - 1}, got {flow.source} and {target}.")
    return replace(flow, target=target)


@torch.no_grad()
def codes_of_class(
    generator: Generator, network: FactorNet, settings: FlowTrainingSettings, wanted: int
) -> torch.Tensor:
    """Codes w (n, D) of samples whose image shows a class of the factor.  Raises UserError where hardly any do."""
    factor, rng = settings.flow.factor, torch.Generator().manual_seed(settings.seed)
    z = torch.randn(settings.codes, generator.z_dim, generator=rng).to(generator.w_avg)
    parts = []
    for part in z.split(64):
        ws = generator.mapping(part)
        parts.append(ws[network(generator.synthesis(ws))[factor].argmax(1) == wanted, 0])
    codes = torch.cat(parts)
    if len(codes) < settings.batch:
        raise UserError(
            f"Of {settings.codes} samples only {len(codes)} show class {wanted} of {factor}: choose another source, or "
            "sample more codes."
        )
    return codes


def fit_flow(
    flow: LatentFlow,
    codes: torch.Tensor,
    generator: Generator,
    network: FactorNet,
    settings: FlowTrainingSettings,
    progress: bool = False,
) -> None:
    """Train a flow, in place, on codes (n, D) of the source class, and freeze it."""
    optimiser, rng = torch.optim.Adam(flow.parameters(), lr=settings.lr), torch.Generator().manual_seed(settings.seed)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, settings.halve, 0.5)
    bar = tqdm(range(settings.steps), desc=f"train {settings.flow.factor}", disable=not progress, mininterval=2)
    for _ in bar:
        w = codes[torch.randint(len(codes), (settings.batch,), generator=rng)]
        length = settings.alpha * (0.25 + 0.75 * torch.rand(settings.batch, generator=rng)).to(w)
        loss = flow_loss(flow, w, length, generator, network, settings)
        minimise(optimiser, loss)
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    flow.eval().requires_grad_(False)


def images_of(generator: Generator, w: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, R, R) of codes (B, D) repeated in all rows."""
    return generator.synthesis(w[:, None].expand(-1, generator.num_ws, -1))


def flow_loss(
    flow: LatentFlow,
    w: torch.Tensor,
    length: torch.Tensor,
    generator: Generator,
    network: FactorNet,
    settings: FlowTrainingSettings,
) -> torch.Tensor:
    """Cross entropy of the target class after flows of codes w (B, D), plus the divergence of all other factors."""
    name, tau = settings.flow.factor, settings.tau
    with torch.no_grad():
        before = network(images_of(generator, w))
    after = network(images_of(generator, flow.flowed(w, length)))
    target = torch.full((len(w),), settings.flow.target, device=w.device)
    loss = F.cross_entropy(after[name] / tau, target)
    others = [key for key in after if key != name]
    stays = [F.kl_div((after[k] / tau).log_softmax(1), before[k].softmax(1), reduction="batchmean") for k in others]
    return loss + settings.keep * sum(stays) / len(stays)


@torch.no_grad()
def measure(
    flow: LatentFlow, codes: torch.Tensor, generator: Generator, network: FactorNet, alpha: float, n: int = 64
) -> dict[str, float]:
    """Fraction of images that show the target class after a full flow, and of other factors whose class stays."""
    w = codes[:n]
    before, after = (network(images_of(generator, each)) for each in (w, flow.flowed(w, alpha)))
    name = flow.settings.factor
    others = [(after[key].argmax(1) == before[key].argmax(1)).float().mean() for key in after if key != name]
    reached = (after[name].argmax(1) == flow.settings.target).float().mean()
    return {"reached": round(float(reached), 4), "others_kept": round(float(sum(others) / len(others)), 4)}
