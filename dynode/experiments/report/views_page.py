"""The viewer of a report: a page for each clip, kept from one report to the next while what it is made by does not change."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from dynode import clips
from dynode.experiments.engine import sources
from dynode.io import files
from dynode.reporting.pages import viewer_page
from dynode.reporting.pages.clip_views import clip_view, fitted, metrics_at_hand, notices_of
from dynode.reporting.pages.demonstration import METHODS, STRIDE
from dynode.reporting.pages.page import FOLDER

MAKER = f"from {__name__} import write_view"  # what the pages are made by, with all that it reaches
LIST = "views.json"  # of the folder of pages: the line of each view, and a hash of what it was made by


def kept(names: Sequence[str], site: Path) -> dict[str, dict[str, Any]]:
    """The lines of the views whose pages in a folder need not be made again."""
    known: Any = {}
    with suppress(OSError, ValueError):
        known = json.loads((site / LIST).read_text(encoding="utf-8"))
    known = known if isinstance(known, dict) else {}
    there = [name for name in names if name in known and (site / page_of(name)).is_file()]
    return {name: known[name] for name in there if known[name]["made_by"] == made_by(name)}


def made_by(name: str) -> str:
    """A hash of a view's code, its templates, the codes of its clip and the metrics that can be shown."""
    made_from = [sources.code_of_text(MAKER), sources.codes_of({"clip": name}), metrics_at_hand()]
    digest = hashlib.sha256(" ".join(map(str, made_from)).encode())
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def page_of(name: str) -> str:
    return f"view-{name}.html"


def views_page(
    names: Sequence[str],
    site: Path,
    links: Sequence[tuple[str, str]],
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, Any]:
    """The values of the template `views`; writes a page for each clip that has none."""
    lines = kept(names, site)
    for name in names:
        if name not in lines:
            lines[name] = write_view(name, site, links, device, progress) | {"made_by": made_by(name)}
            files.write(site / LIST, lambda part: part.write_text(json.dumps(lines), encoding="utf-8"))
    return {"views": [lines[name] for name in names]}


def write_view(
    name: str, site: Path, links: Sequence[tuple[str, str]], device: torch.device | str, progress: bool
) -> dict[str, Any]:
    """Write the viewer's page of one clip; its line on the list of views."""
    clip = clips.load(name)
    observed = clip if not clip.observed.all() else clip.sampled("regular", STRIDE)
    data = clip_view(observed, fitted(observed, METHODS, device), device=device, progress=progress).data()
    text = viewer_page(data, title=name, notices=notices_of(data, len(clip)), links=links)
    files.write(site / page_of(name), lambda part: part.write_text(text, encoding="utf-8"))
    return {"name": name, "address": page_of(name), "frames": len(data["times"]), "observed": sum(data["observed"])}
