"""Figures of a report, by the item of the paper that they regenerate; pictures are made small enough to send."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from dynode import clips
from dynode.experiments.report.notes import notes
from dynode.experiments.report.sources import Source, shipped_figures
from dynode.io import files
from dynode.reporting import paths

WIDTH, QUALITY = 1400, 82  # of a picture on a page


@dataclass(frozen=True)
class Figure:
    """A picture and where it comes from.  note: protocols of codes and stand-ins that it shows, "" where it does not say."""

    path: Path
    item: str
    alt: str
    origin: str
    note: str = ""


def figures_of(profile: str) -> list[Figure]:
    """The figures of runs under a profile, and those that ship where there is none of that name."""
    own = [each for path in sorted((paths.root() / "figures").glob("*.png")) if (each := stamped(path, profile))]
    names = {each.path.stem for each in own}
    known = {each["name"]: each for each in notes()["shipped_figures"]}
    shipped = [
        Figure(path, known[path.stem]["item"], known[path.stem]["alt"], "ships with the project")
        for path in shipped_figures()
        if path.stem not in names and path.stem in known
    ]
    return own + shipped


def stamped(path: Path, profile: str) -> Figure | None:
    """A figure by its own metadata; None for one of another profile, or of somebody else."""
    with Image.open(path) as picture:
        known = {key: str(value) for key, value in picture.info.items()}
    words = known.get("Source", "").split()
    item, _, made_under = (words[1] if len(words) > 1 else "").partition(".")
    if made_under != profile:
        return None
    return Figure(path, item, known.get("Description", ""), known["Source"], known.get("Comment", ""))


def gallery_page(all_sources: Sequence[Source], profile: str, folder: Path) -> dict[str, Any]:
    """The values of the template `gallery`; writes the pictures into a folder."""
    figures = figures_of(profile)
    groups = [
        {
            "item": source.item,
            "stand_ins": source.stand_ins,
            "figures": [pictured(each, folder) for each in figures if each.item == source.item.name],
        }
        for source in all_sources
    ]
    missing = [each["item"].name for each in groups if not each["figures"]]
    return {"groups": [each for each in groups if each["figures"]], "missing": missing, "protocols": clips.PROTOCOLS}


def pictured(figure: Figure, folder: Path) -> dict[str, Any]:
    """One figure on the page; writes its picture."""
    with Image.open(figure.path) as picture:
        shown = picture.convert("RGB") if picture.mode not in ("RGB", "RGBA") else picture
        if shown.width > WIDTH:
            shown = shown.resize((WIDTH, round(shown.height * WIDTH / shown.width)), Image.Resampling.LANCZOS)
        content = io.BytesIO()
        shown.save(content, "WEBP", quality=QUALITY, method=4)
        width, height = shown.size
    name = f"{figure.path.stem}.webp".replace(" ", "_")
    files.write(folder / name, lambda part: part.write_bytes(content.getvalue()))
    described = {"alt": figure.alt, "origin": figure.origin, "note": figure.note, "name": figure.path.stem}
    return described | {"file": f"figures/{name}", "width": width, "height": height}
