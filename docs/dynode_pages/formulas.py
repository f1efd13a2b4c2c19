"""Formulas as MathML, which browsers draw by themselves."""

from typing import Any

from docutils import nodes

from dynode.reporting.pages.notebook_pages import mathml


def inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def displayed(translator: Any, node: nodes.Element) -> None:
    """One in a line of its own, in a box that scrolls where it is wider than the page."""
    formula = mathml(node.astext(), "block")
    translator.body.append(f'<div class="math" tabindex="0" role="group" aria-label="Formula">{formula}</div>\n')
    raise nodes.SkipNode
