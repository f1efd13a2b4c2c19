"""`dynode train factors` and `dynode train flow`: a network that reads factors, and the flows it teaches.

A flow learns from codes whose image shows the source class: carried by a length drawn from [alpha / 4, alpha], its image
is to show the target class (cross entropy at temperature tau), and all other factors are to stay (Kullback-Leibler
divergence), as in Khrulkov et al. 2021, with their constants.
"""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from dynode import generators, runtime
from dynode.editing import latent_flow
from dynode.editing.latent_flow import FlowSettings, LatentFlow
from dynode.errors import UserError
from dynode.io import assets
from dynode.io.images import from_levels
from dynode.perception import factor_reader as reading
from dynode.perception.factor_reader import FactorNet, FactorSettings, class_count, classes
from dynode.settings import require_positive, to_json
from dynode.training.rendered_pictures import pictures
from dynode.training.train_gan import HELD_OUT_SEED, TRAINING_SEED
from dynode.worlds import world
from dynode.worlds.factors import from_normal


@dataclass(frozen=True)
class FactorTrainingSettings:
    """How a network learns to read factors."""

    network: FactorSettings = field(default_factory=FactorSettings)
    batch: int = 32
    steps: int = 3000
    lr: float = 2e-3
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr")


@dataclass(frozen=True)
class FlowTrainingSettings:
    """How a flow learns."""

    flow: FlowSettings = field(default_factory=FlowSettings)
    batch: int = 16
    steps: int = 1000
    lr: float = 1e-3
    halve: int = 1000  # steps after which the rate is halved
    alpha: float = 6.0  # the longest flow
    tau: float = 4.0
    keep: float = 1.0  # weight of what is to stay
    codes: int = 4096  # sampled once; those that show the source class are used
    seed: int = 0

    def __post_init__(self):
        require_positive(self, "batch", "steps", "lr", "halve", "alpha", "tau", "codes")


def train_factor_reader(
    settings: FactorTrainingSettings,
    output: Path,
    *,
    distinct: int = 12_288,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Train the network of a world, write it, and return its card with the accuracy of each factor on held-out pictures."""
    runtime.seed_everything(settings.seed)
    known, choices = world(settings.network.world), {"folder": assets.cache_dir() / "pictures", "progress": progress}
    z, seen = pictures(known, distinct, settings.network.resolution, seed=TRAINING_SEED, device=device, **choices)
    labels = classes(known.factors, from_normal(known.factors, z))
    network, draws = FactorNet(settings.network).to(device), torch.Generator().manual_seed(settings.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    for _ in tqdm(range(settings.steps), desc="train", disable=not progress, mininterval=2):
        chosen = torch.randint(len(z), (settings.batch,), generator=draws)
        logits = network(from_levels(seen[chosen].to(device)))
        wanted = labels[chosen].to(device)
        loss = sum(F.cross_entropy(logits[f.name], wanted[:, k]) for k, f in enumerate(known.factors))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    z, held_out = pictures(known, 512, settings.network.resolution, seed=HELD_OUT_SEED, device=device, **choices)
    labels = classes(known.factors, from_normal(known.factors, z))
    with torch.no_grad():
        logits = network.eval()(from_levels(held_out.to(device)))
    right = {f.name: (logits[f.name].argmax(1).cpu() == labels[:, k]).float() for k, f in enumerate(known.factors)}
    accuracy = {name: round(float(hits.mean()), 4) for name, hits in right.items()}
    card = {"settings": to_json(settings), "accuracy": accuracy, "provenance": runtime.provenance(torch.device(device))}
    reading.save(network, output, card)
    return card


@torch.no_grad()
def codes_of_class(
    generator, network: FactorNet, settings: FlowTrainingSettings, factor: str, wanted: int
) -> torch.Tensor:
    """Vectors w (n, D) of samples whose image shows a class.  Raises UserError where hardly any do."""
    draws = torch.Generator().manual_seed(settings.seed)
    z = torch.randn(settings.codes, generator.z_dim, generator=draws).to(generator.w_avg)
    found = []
    for part in z.split(64):
        ws = generator.mapping(part)
        found.append(ws[network(generator.synthesis(ws))[factor].argmax(1) == wanted, 0])
    codes = torch.cat(found)
    if len(codes) < settings.batch:
        raise UserError(
            f"Of {settings.codes} samples only {len(codes)} show class {wanted} of {factor}: choose another source, or "
            "sample more codes."
        )
    return codes


def train_latent_flow(
    generator_name: str,
    settings: FlowTrainingSettings,
    output: Path,
    *,
    network: FactorNet | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """Train a flow of one factor among the codes of a generator of a world, write it, and return its card.

    network: what reads the factors; the shipped one of the world where none is given.
    Raises UserError for an unknown factor or class.
    """
    runtime.seed_everything(settings.seed)
    generator = generators.load(generator_name, device)
    network = network or reading.shipped(generators.category_of(generator_name), device)
    name, count = settings.flow.factor, class_count(network.factor(settings.flow.factor))
    target = count - 1 if settings.flow.target < 0 else settings.flow.target
    if not max(target, settings.flow.source) < count:
        raise UserError(f"{name} has the classes 0 to {count - 1}, got {settings.flow.source} and {target}.")
    settings = dataclasses.replace(settings, flow=dataclasses.replace(settings.flow, target=target))
    codes, began = codes_of_class(generator, network, settings, name, settings.flow.source), time.time()
    flow, draws = LatentFlow(settings.flow, generator.w_dim).to(device), torch.Generator().manual_seed(settings.seed)
    if not settings.flow.depth:
        flow.begin(codes_of_class(generator, network, settings, name, target).mean(0) - codes.mean(0))
    optimiser = torch.optim.Adam(flow.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, settings.halve, 0.5)
    bar = tqdm(range(settings.steps), desc=f"train {name}", disable=not progress, mininterval=2)
    for _ in bar:
        w = codes[torch.randint(len(codes), (settings.batch,), generator=draws)]
        length = settings.alpha * (0.25 + 0.75 * torch.rand(settings.batch, generator=draws)).to(w)
        loss = flow_loss(flow, w, length, generator, network, settings)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    flow.eval().requires_grad_(False)
    card = {
        "generator": {"name": generator_name, "hash": generator.hash},
        "settings": to_json(settings),
        "seconds": round(time.time() - began),
        "quality": measure(flow, codes, generator, network, settings.alpha),
        "provenance": runtime.provenance(torch.device(device)),
    }
    latent_flow.save(flow, output, generator, card)
    return card


def image_of(generator, w: torch.Tensor) -> torch.Tensor:
    return generator.synthesis(w[:, None].expand(-1, generator.num_ws, -1))


def flow_loss(
    flow: LatentFlow, w, length, generator, network: FactorNet, settings: FlowTrainingSettings
) -> torch.Tensor:
    """Cross entropy of the target class behind the flow, and divergence of everything else from what it was."""
    name, tau = settings.flow.factor, settings.tau
    with torch.no_grad():
        before = network(image_of(generator, w))
    after = network(image_of(generator, flow.flowed(w, length)))
    target = torch.full((len(w),), settings.flow.target, device=w.device)
    loss = F.cross_entropy(after[name] / tau, target)
    others = [key for key in after if key != name]
    stays = [F.kl_div((after[k] / tau).log_softmax(1), before[k].softmax(1), reduction="batchmean") for k in others]
    return loss + settings.keep * sum(stays) / len(stays)


@torch.no_grad()
def measure(flow: LatentFlow, codes, generator, network: FactorNet, alpha: float, n: int = 64) -> dict[str, float]:
    """Shares of images that show the target class, and that keep the class of each other factor, behind a full flow."""
    w = codes[:n]
    before, after = (network(image_of(generator, each)) for each in (w, flow.flowed(w, alpha)))
    name = flow.settings.factor
    others = [(after[key].argmax(1) == before[key].argmax(1)).float().mean() for key in after if key != name]
    reached = (after[name].argmax(1) == flow.settings.target).float().mean()
    return {"reached": round(float(reached), 4), "others_kept": round(float(sum(others) / len(others)), 4)}
