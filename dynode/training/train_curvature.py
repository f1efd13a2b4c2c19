"""The curvature of a generator's images that projections take their steps by, with a card: measured once, then shipped."""

import time
from pathlib import Path

import torch

from dynode import generators
from dynode.inversion import loss_curvature, whitening
from dynode.inversion.projection import Projector
from dynode.inversion.projection_settings import ProjectionSettings
from dynode.perception.identity import identity_of
from dynode.perception.lpips import LPIPS
from dynode.training.cards import editor_card


def measure_curvature(
    generator: str,
    output: Path,
    settings: ProjectionSettings,
    device: torch.device | str = "cpu",
    *,
    progress: bool = True,
) -> dict:
    """Measure the mean curvature of the loss of these settings, for each channel of the style space; write it; return its card.

    quality: the largest curvature of a code over the mean one, along the steepest axis of all rows.
    """
    network, started = generators.load(generator, device), time.time()
    identity = identity_of(generators.category_of(generator), device)
    projector = Projector(network, LPIPS(settings.lpips_net).to(device), settings, identity)
    measured = projector.loss_curvature(progress)
    values = torch.linalg.eigvalsh(whitening.row_curvature(whitening.require_styles(network), measured))
    quality = {"steepest_over_mean": (values.max() / values.mean()).item()}
    sizes = {"codes": loss_curvature.CODES, "probes": loss_curvature.PROBES}
    card = editor_card(generator, network, settings, time.time() - started, device, quality=quality, **sizes)
    whitening.save(measured, output, network, card)
    return card
