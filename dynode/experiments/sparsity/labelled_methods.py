"""Methods by their labels in records: `paper_scaled[latent]` is the preset with its latent loss alone, `[200/5000]` shortens it."""

import re
from collections.abc import Iterable
from typing import Any

from dynode.dynamics.methods import settings_of
from dynode.dynamics.presets import DynamicsSettings
from dynode.dynamics.registry import METHODS
from dynode.errors import UserError
from dynode.settings import changed

LABEL = re.compile(r"(?P<preset>[^\[\]]+)\[(?P<latent>latent)?,?(?:(?P<iterations>\d+)/\d+)?\]")


def method_of(label: str) -> str | Any:
    """What `dynode.fit` takes for a label: a method's name, or settings whose label it is.  Raises UserError for another."""
    match = LABEL.fullmatch(label)
    if label in METHODS or match is None or match["preset"] not in METHODS:
        return label
    settings = settings_of(match["preset"], latent_only=bool(match["latent"]))
    if match["iterations"]:
        settings = changed(settings, {"training.iterations": int(match["iterations"])})
    if getattr(settings, "label", "") != label:
        raise UserError(f"There is no method {label}; this one would be {getattr(settings, 'label', match['preset'])}.")
    return settings


def baselines(labels: Iterable[str]) -> list[str]:
    """Of some methods those that are no roll-out of a neural ODE."""
    return [label for label in labels if not label.startswith("dynode") and not is_rolled_out(method_of(label))]


def is_rolled_out(method: str | Any) -> bool:
    """Whether a method is a preset whose path is the roll-out from the first code."""
    settings = METHODS[method].settings if isinstance(method, str) and method in METHODS else method
    return isinstance(settings, DynamicsSettings) and settings.path == "rollout"
