"""Executed notebooks as HTML that loads nothing: nbconvert's template `basic`, formulas as MathML, pictures as files."""

import html
import itertools
import re
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets.config import Config

ERROR_CELL = "papermill-error-cell"  # where a page of a failed notebook is opened
UNKNOWN = {r"\arg": r"\operatorname{arg}", r"\big\|": r"\|"}  # macros that latex2mathml does not have
LONG = 40  # letters of a formula that may be wider than a phone
SCROLLS = '<span class="{}" tabindex="0" role="group" aria-label="Formula">{}</span>'
TABLE = re.compile(r"<table[^>]*>.*?</table>", re.S)
SCROLLED_TABLE = '<div class="scroll" tabindex="0" role="region" aria-label="Table {}">{}</div>'
NO_ALT = re.compile(r"<img(?![^>]*\balt=)")


def mathml(formula: str, display: str = "inline") -> str:
    """A LaTeX formula as MathML; as code where it is none that is known."""
    for macro, known in UNKNOWN.items():
        ending = r"(?![a-z])" if macro[-1].isalpha() else ""
        formula = re.sub(re.escape(macro) + ending, lambda _, known=known: known, formula)
    try:
        return convert(formula, display=display)
    except Exception:  # latex2mathml raises many kinds for what it cannot read
        return f"<code>{html.escape(formula)}</code>"


class MathMLRenderer(IPythonRenderer):
    """Markdown whose formulas become MathML instead of text for a script that would have to be loaded."""

    def inline_math(self, body: str) -> str:
        return mathml(body) if len(body) <= LONG else SCROLLS.format("wide", mathml(body))

    def block_math(self, body: str) -> str:
        return SCROLLS.format("wide block", mathml(body, "block"))

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


class PageExporter(HTMLExporter):
    """nbconvert's HTML exporter with formulas as MathML and headings below the page's own."""

    def __init__(self, **choices: Any):
        outputs = {"enabled": True, "output_filename_template": "{unique_key}_{cell_index}_{index}{extension}"}
        config = Config({"ExtractOutputPreprocessor": outputs, "CoalesceStreamsPreprocessor": {"enabled": True}})
        super().__init__(config=config, template_name="basic", **choices)

    def default_filters(self):
        yield from super().default_filters()
        yield "markdown2html", markdown_html


def markdown_html(source: str, *_: Any, **__: Any) -> str:
    """Markdown as HTML, headings one level down."""
    text = str(MarkdownWithMath(renderer=MathMLRenderer(escape=False)).render(source))
    text = re.sub(r"<(/?)h([1-5])\b", lambda m: f"<{m[1]}h{int(m[2]) + 1}", text)
    return re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", text)


def notebook_html(notebook: NotebookNode | str, key: str) -> tuple[str, dict[str, bytes]]:
    """A notebook, or its JSON text, as HTML without head and body; and its pictures by the names that it gives them.

    key: what the names of its pictures begin with; a number follows, which says how many came before and does not depend on
    what the cells printed.
    """
    node = nbformat.reads(notebook, as_version=4) if isinstance(notebook, str) else notebook
    body, resources = PageExporter().from_notebook_node(node, resources={"unique_key": key})
    pictures = {}
    for number, (old, content) in enumerate(resources.get("outputs", {}).items(), 1):
        new = f"{key}_{number}{Path(old).suffix}"
        body, pictures[new] = body.replace(f'src="{old}"', f'src="{new}"'), content
    # of pictures that have no text alternative the caption is the text around them
    body = NO_ALT.sub('<img alt="Output of the cell above"', body)
    body = re.sub(r"(<pre)(?![^>]*tabindex)", r'\1 tabindex="0"', body)
    tables = itertools.count(1)
    body = TABLE.sub(lambda table: SCROLLED_TABLE.format(next(tables), table[0]), body)
    return body, pictures
