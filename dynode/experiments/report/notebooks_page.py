"""Executed notebooks of a report as pages, their pictures beside them."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image

from dynode.experiments import items
from dynode.experiments.report.sources import Source
from dynode.io import files
from dynode.reporting.pages import notebook_html, rendered
from dynode.reporting.pages.notebook_pages import ERROR_CELL

LINK = re.compile(r'<a href="(?!https?:|#)(?P<target>[^"#]+)[^"]*"[^>]*>(?P<text>.*?)</a>', re.S)
JUDGES = ".judge("  # in the cell that prints verdicts


def notebooks_page(all_sources: Sequence[Source], folder: Path, links: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The values of the template `notebooks`; writes a page for each item that has an execution."""
    lines: list[dict[str, Any]] = []
    for source in all_sources:
        path, line = (
            source.notebook,
            {"item": source.item, "origin": source.notebook_origin, "address": "", "judged": ""},
        )
        if path is not None:
            address, node = f"notebooks/{source.item.name}.html", nbformat.read(path, as_version=4)
            write_page(source, node, folder, links)
            error = f"#{ERROR_CELL}" if path.name.endswith(".failed.ipynb") else ""
            line |= {"address": address + error, "judged": address + (error or judging_cell(node))}
        lines.append(line)
    return {"lines": lines}


def write_page(source: Source, node: NotebookNode, folder: Path, links: Sequence[tuple[str, str]]) -> None:
    """Write one notebook's page and its pictures."""
    name = source.item.name
    body, pictures = notebook_html(node, name)
    body = LINK.sub(linked, body)
    for old, content in pictures.items():
        new, content = smaller(old, content)
        body = body.replace(f'src="{old}"', f'src="{new}"')
        files.write(folder / new, lambda part, content=content: part.write_bytes(content))
    values = {"title": f"{name}: {source.item.title}", "origin": source.notebook_origin, "body": body, "links": links}
    page = rendered("notebook.html.j2", root="../", **values)
    files.write(folder / f"{name}.html", lambda part: part.write_text(page, encoding="utf-8"))


def linked(found_link: re.Match) -> str:
    """A link of a notebook to another one as a link to its page; of one to another file of the project only the text."""
    target, text = Path(found_link["target"]).name, found_link["text"]
    own = [item.name for item in items.items().values() if Path(item.notebook).name == target]
    return f'<a href="{own[0]}.html">{text}</a>' if own else text


def smaller(name: str, content: bytes) -> tuple[str, bytes]:
    """A PNG as WebP under its name; another picture as it is."""
    if not name.endswith(".png"):
        return name, content
    packed = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.save(packed, "WEBP", quality=85, method=4)
    return name.removesuffix(".png") + ".webp", packed.getvalue()


def judging_cell(node: NotebookNode) -> str:
    """The anchor of the cell that prints the verdicts, "" where there is none."""
    judging = [cell for cell in node.cells if cell.cell_type == "code" and JUDGES in cell.source]
    return f"#cell-id={judging[-1].id}" if judging and "id" in judging[-1] else ""
