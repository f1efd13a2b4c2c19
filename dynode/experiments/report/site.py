"""`write_report`: reports/index.html and reports/site/, pages that load nothing from elsewhere."""

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import torch

from dynode.errors import UserError
from dynode.experiments.report import (
    claims_page,
    gallery,
    notebooks_page,
    runs_page,
    sources,
    tables_page,
    videos_page,
    views_page,
)
from dynode.experiments.report.notes import notes
from dynode.io import files
from dynode.reporting import paths
from dynode.reporting.pages import rendered
from dynode.reporting.pages.page import asset_text

TEMPLATES = {"viewer": "views.html.j2"}
VIEWS = ("bird.flight", "scene.day", "isaac3d.robot_x")
PAGES = {
    "claims": "Claims",
    "gallery": "Gallery",
    "tables": "Tables",
    "viewer": "Viewer",
    "notebooks": "Notebooks",
    "videos": "Videos",
    "runs": "Runs",
    "fidelity": "Fidelity",
    "stand_ins": "Stand-ins",
}
TITLES = {
    "claims": "What was reproduced",
    "gallery": "Figures by item of the paper",
    "tables": "Tables",
    "viewer": "Clips to look at",
    "notebooks": "Executed notebooks",
    "videos": "Videos",
    "runs": "Run times and environment",
    "fidelity": "Deviations from the paper",
    "stand_ins": "Stand-ins",
}


@dataclasses.dataclass(frozen=True)
class Report:
    """What was written: the first page, the bytes of all files, the line that says which claims hold, a sentence on each page
    that could not be made."""

    page: Path
    size: int
    summary: str
    lacks: tuple[str, ...] = ()


def write_report(
    profile: str, views: Sequence[str] = VIEWS, *, device: torch.device | str = "cpu", progress: bool = False
) -> Report:
    """Write the report on the records, figures and notebooks of a profile that are there.

    views: clips that the viewer shows, each fitted by four methods.  A page that cannot be made says so in its place.  Raises
    UserError outside of a checkout.
    """
    reports, all_sources = paths.root() / "reports", sources.sources(profile)
    site = reports / "site"
    clear(site, {views_page.LIST, *(views_page.page_of(name) for name in views_page.kept(views, site))})
    write(site / "style.css", asset_text("style.css"))
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "claims": lambda: claims_page.claims_page(all_sources),
        "gallery": lambda: gallery.gallery_page(all_sources, profile, site / "figures"),
        "tables": lambda: tables_page.tables_page(all_sources, profile, site / "tables"),
        "viewer": lambda: views_page.views_page(views, site, links_from(""), device=device, progress=progress),
        "notebooks": lambda: notebooks_page.notebooks_page(all_sources, site / "notebooks", links_from("../")),
        "videos": lambda: videos_page.videos_page(all_sources, profile, site / "videos"),
        "runs": lambda: runs_page.runs_page(all_sources),
        "fidelity": lambda: {"deviations": notes()["deviations"]},
        "stand_ins": lambda: runs_page.stand_ins_page(all_sources),
    }
    pages = {name: made(name, make) for name, make in makers.items()}
    notebooks = {line["item"].name: line["judged"] for line in pages["notebooks"].get("lines", [])}
    for name, values in pages.items():
        write_page(name, values | {"profile": profile, "notebook_of": notebooks}, reports)
    size = sum(path.stat().st_size for path in [reports / "index.html", *site.rglob("*")] if path.is_file())
    lacks = tuple(values["lacks"] for values in pages.values() if "lacks" in values)
    return Report(reports / "index.html", size, pages["claims"].get("summary", ""), lacks)


def clear(site: Path, kept: Set[str]) -> None:
    """Remove what a report before has left, such as pages of items that are gone."""
    for path in site.glob("*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in kept:
            path.unlink()


def made(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The values of a page; where they cannot be had the sentence that says so, as `lacks`."""
    try:
        return make()
    except Exception as error:  # one figure that cannot be read must not cost the other pages
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return {"lacks": f"The page {PAGES[name]} could not be made ({' '.join(reason.split()).rstrip('.')})."}


def write_page(name: str, values: Mapping[str, Any], reports: Path) -> None:
    """Write one of the pages."""
    root = "site/" if name == "claims" else ""
    template = "lacking.html.j2" if "lacks" in values else TEMPLATES.get(name, f"{name}.html.j2")
    shared = {"title": TITLES[name], "root": root, "links": links_from(root), "here": address(name, root)}
    write(reports / ("index.html" if name == "claims" else f"site/{name}.html"), rendered(template, **values, **shared))


def address(page: str, root: str) -> str:
    """A page's address as seen from the folder of another.  root: the way to the folder `site` from there."""
    if page == "claims":
        return {"site/": "index.html", "": "../index.html"}.get(root, "../../index.html")
    return f"{root}{page}.html"


def links_from(root: str) -> list[tuple[str, str]]:
    """All pages, as links from a folder."""
    return [(address(page, root), text) for page, text in PAGES.items()]


def write(path: Path, text: str) -> None:
    files.write(path, lambda part: part.write_text(text, encoding="utf-8"))
