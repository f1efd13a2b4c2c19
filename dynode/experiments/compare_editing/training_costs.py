"""What was trained before any clip was edited: parts of the systems that learned, and how long, from the cards of their files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dynode.editing import latent_transformer
from dynode.editing.listing import attribute_file
from dynode.errors import UserError
from dynode.evaluation.records import Row
from dynode.generators.protocol import Generator
from dynode.inversion import encoder_files
from dynode.inversion.joint import recurrent_files

COUNTS = {"training_steps": "times", "training_pictures": "times", "training_hours": "h"}


def rows(systems: Iterable[str], attributes: Iterable[str], method: str, generator: Generator) -> list[Row]:
    """For each trained part (`method` of the row) its steps, its pictures and its hours, `reference` the device.

    attributes, method: what edits one code.  A part whose training took several runs has the sums of them.
    """
    cards: dict[str, dict] = {"encoder of the generator": encoder_files.card(encoder_files.shipped_for(generator))}
    if method == "latent-transformer":
        for attribute in dict.fromkeys(attributes):
            cards[f"{method} {attribute}"] = card_of_transformer(attribute, generator)
    if "rigid" in systems:
        cards["RIGID's encoder"] = recurrent_files.card(recurrent_files.located("", generator))
    return [row for part, card in cards.items() for row in of_card(part, card)]


def card_of_transformer(attribute: str, generator: Generator) -> dict:
    """The card of a shipped Latent Transformer; empty for an attribute that none edits."""
    try:
        path: Path = attribute_file(latent_transformer.FILES, attribute, generator)
        return latent_transformer.FILES.card(path)
    except UserError:
        return {}


def of_card(part: str, card: Mapping[str, Any]) -> Iterator[Row]:
    """Sums over the run of a card and those that it started from, of what these count."""
    runs = list(chain(card))
    devices = dict.fromkeys(run["provenance"]["device"] for run in runs)
    for metric, unit in COUNTS.items():
        values = [value for run in runs if (value := counted(run, metric)) is not None]
        if values:
            yield Row(metric, sum(values), unit=unit, space="cost", method=part, reference=" and ".join(devices))


def chain(card: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A card, and the cards of the files that trainings started from."""
    while card:
        yield card
        card = card.get("started_from", {})


def counted(card: Mapping[str, Any], metric: str) -> float | None:
    """What one run counted, None where its card does not say."""
    if metric == "training_hours":
        hours = card.get("hours", card["seconds"] / 3600 if "seconds" in card else None)
        return None if hours is None else float(hours)
    settings = json.loads(card.get("settings", "{}"))
    known = card.get("pictures_shown") if metric == "training_pictures" else settings.get("steps")
    return None if known is None else float(known)
