"""`notes.yaml`: deviations from the paper and the authors' demo, and captions of the figures that ship."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("notes.yaml")


@cache
def notes() -> dict[str, Any]:
    """The notes by section: deviations, stand_ins, shipped_figures."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))
