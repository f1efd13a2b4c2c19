"""The card in a file of a trained editor: generator, settings, duration, quality, provenance."""

from typing import Any

import torch

from dynode import runtime
from dynode.generators.protocol import Generator
from dynode.settings import to_json


def editor_card(
    name: str,
    generator: Generator,
    settings: Any,
    seconds: float,
    device: torch.device | str,
    *,
    quality: dict[str, float],
    **entries: Any,
) -> dict:
    """name: of the generator.  settings: a dataclass.  seconds: of training.  entries: further ones."""
    return {
        "generator": {"name": name, "hash": generator.hash},
        "settings": to_json(settings),
        "seconds": round(seconds),
        **entries,
        "quality": quality,
        "provenance": runtime.provenance(torch.device(device)),
    }
