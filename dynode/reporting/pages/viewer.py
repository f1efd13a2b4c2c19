"""The viewer of a clip as one page: frames beside the moving point, methods toggled, A/B wipe, errors, numbers as a table."""

from collections.abc import Sequence
from typing import Any

from dynode.reporting.pages.page import asset_text, rendered
from dynode.reporting.pages.view_data import means

SYNTHETIC = "These pictures are synthetic: every one is drawn by a generative network, or by a renderer, and none is a photograph."
EDITED = (
    "This video is edited: its pictures are drawn by a generative network. It shows nothing that happened. "
    "Share it only with the consent of the person shown to this very use."
)


def viewer_page(
    view: dict[str, Any], *, title: str, notices: Sequence[str], links: Sequence[tuple[str, str]] = ()
) -> str:
    """The whole page of a view's data, which needs no other file.  links: (address, text) of pages beside it."""
    return rendered(
        "viewer.html.j2",
        view=view,
        title=title,
        notices=notices,
        links=links,
        means={each["name"]: means(view, each["name"]) for each in view["metrics"]},
        style=asset_text("style.css"),
        script=asset_text("viewer.js"),
    )
