"""The Sphinx extension of these pages: their queries are answered before a page is read, and formulas become MathML.

A page is Markdown with queries in double braces.  Those of `dynode.experiments.claims.texts` are numbers of records; those of
`ANSWERS` are tables and texts that the package itself holds: settings, deviations, commands, files.  No number is typed that
something else knows.
"""

from typing import Any

from dynode.experiments.claims import texts
from dynode_pages import benchmarks, command_pages, documents, facts, formulas, measurements, methods, systems, walk
from dynode_pages.answers import ANSWERS

MODULES = (
    benchmarks,
    command_pages,
    documents,
    facts,
    measurements,
    methods,
    systems,
    walk,
)  # whose answers are in ANSWERS once imported
KNOWN = texts.Records()


def answered(page: str) -> str:
    """A page with its queries answered.  Raises UserError for a query that is none."""
    return texts.QUERY.sub(lambda query: answer(query[1]), page)


def answer(query: str) -> str:
    name, *words = query.split()
    return ANSWERS[name](*words) if name in ANSWERS else texts.answer(query, KNOWN)


def before_reading(app: Any, page: str, source: list[str]) -> None:
    source[0] = answered(source[0])


def before_writing(app: Any, name: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """What the theme leaves out for readers who hear a page, or move in it by keys."""
    for part in ("furo_navigation_tree", "body"):
        text = str(context.get(part) or "").replace(
            'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'
        )
        text = text.replace(
            '<div class="table-wrapper', '<div tabindex="0" role="region" aria-label="Table" class="table-wrapper'
        )
        context[part] = text.replace("<pre>", '<pre tabindex="0">')


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", before_reading)
    app.connect("html-page-context", before_writing, priority=900)  # after the theme's own
    app.add_html_math_renderer("mathml", (formulas.inline, None), (formulas.displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
