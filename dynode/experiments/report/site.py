"""`write_report`: reports/index.html and reports/site/, pages that load nothing from elsewhere."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dynode import clips
from dynode.experiments.report import claims_page, gallery, notebooks_page, runs_page, sources, tables_page
from dynode.experiments.report.notes import notes
from dynode.io import files
from dynode.reporting import paths
from dynode.reporting.pages import rendered, viewer_page
from dynode.reporting.pages.clip_views import clip_view, fitted, notices_of
from dynode.reporting.pages.demonstration import METHODS, STRIDE
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
    """What was written: the first page, the bytes of all files, and the line that says which claims hold."""

    page: Path
    size: int
    summary: str


def write_report(
    profile: str, views: Sequence[str] = VIEWS, *, device: torch.device | str = "cpu", progress: bool = False
) -> Report:
    """Write the report on the records, figures and notebooks of a profile that are there.

    views: clips that the viewer shows, each fitted now by four methods.  Raises UserError outside of a checkout.
    """
    reports, all_sources = paths.root() / "reports", sources.sources(profile)
    site = reports / "site"
    shutil.rmtree(site, ignore_errors=True)  # of a report before: pages of items that are gone
    write(site / "style.css", asset_text("style.css"))
    claims = claims_page.claims_page(all_sources)
    pages: dict[str, dict[str, Any]] = {
        "claims": claims,
        "gallery": gallery.gallery_page(all_sources, profile, site / "figures"),
        "tables": tables_page.tables_page(all_sources, profile, site / "tables"),
        "viewer": {"views": [write_view(name, site, device, progress) for name in views]},
        "notebooks": notebooks_page.notebooks_page(all_sources, site / "notebooks", links_from("../")),
        "videos": gallery.videos_page(profile, site / "videos"),
        "runs": runs_page.runs_page(all_sources),
        "fidelity": {"deviations": notes()["deviations"]},
        "stand_ins": runs_page.stand_ins_page(all_sources),
    }
    notebooks = {line["item"].name: line["judged"] for line in pages["notebooks"]["lines"]}
    for name, values in pages.items():
        root = "site/" if name == "claims" else ""
        values = values | {"title": TITLES[name], "profile": profile, "root": root, "notebook_of": notebooks}
        text = rendered(
            TEMPLATES.get(name, f"{name}.html.j2"), links=links_from(root), here=address(name, root), **values
        )
        write(reports / "index.html" if name == "claims" else site / f"{name}.html", text)
    size = sum(path.stat().st_size for path in [reports / "index.html", *site.rglob("*")] if path.is_file())
    return Report(reports / "index.html", size, claims["summary"])


def write_view(name: str, site: Path, device: torch.device | str, progress: bool) -> dict[str, Any]:
    """Write the viewer's page of one clip; its line on the list of views."""
    clip = clips.load(name)
    observed = clip if not clip.observed.all() else clip.sampled("regular", STRIDE)
    data = clip_view(observed, fitted(observed, METHODS, device), device=device, progress=progress).data()
    page = viewer_page(data, title=name, notices=notices_of(data, len(clip)), links=links_from(""))
    write(site / f"view-{name}.html", page)
    return {
        "name": name,
        "address": f"view-{name}.html",
        "frames": len(data["times"]),
        "observed": sum(data["observed"]),
    }


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
