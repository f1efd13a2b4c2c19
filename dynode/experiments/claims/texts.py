"""Texts whose numbers are queries on the records that ship: README and FINDINGS are rendered from reports/texts.

A document has blocks between `<!-- rendered: NAME -->` and `<!-- end -->`; NAME.md in the folder of templates is its text, with
queries in double braces:

    {{ mean dynamics_face metric=skill split=unobserved method=dynode to method=cubic | 1e3 +.2f }}

is a quantity (`quantities.QUANTITIES`), items with commas between them, the fields of rows, a `to` before what differs in the
rows compared with, and behind the bar a factor and a format.  A value with commas is a list; name=value pairs of a quantity's
options may stand among the fields.  {{ quote ID }} and {{ verdicts ID }} are a statement of the paper and its counted verdicts,
{{ verdict ITEM.ID }} and {{ bound ITEM.ID }} are of one claim, {{ paper ITEM METRIC SPLIT | FORMAT }} a number of the paper, {{ table NAME }} a table,
{{ label ITEM START }} the method of that beginning, {{ recorded_std ITEM FIELDS | FORMAT }} the standard deviation in a row,
{{ minutes ITEM ITEM }} the sum of measured minutes of items, of all where none is named.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dynode import runtime
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.experiments import items
from dynode.experiments.claims import text_tables
from dynode.experiments.claims.declared import Statement
from dynode.experiments.claims.judging import grouped, indexed
from dynode.experiments.claims.quantities import QUANTITIES, matches, options_of
from dynode.experiments.claims.recorded import SHIPPED, Judged, counted, judge_record, of_statement, path_of
from dynode.io import files
from dynode.settings import choose

TEMPLATES = runtime.ROOT / "reports" / "texts"
DOCUMENTS = (runtime.ROOT / "README.md", runtime.ROOT / "reports" / "FINDINGS.md")
BLOCK = re.compile(r"(<!-- rendered: (\S+) -->\n)(.*?)(<!-- end -->)", re.S)
QUERY = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.S)


@dataclass
class Records:
    """The records that ship, each read once, and the verdicts on them."""

    folder: Path = SHIPPED
    read: dict[str, list[records.Row]] = field(default_factory=dict)

    def rows(self, item: str) -> list[records.Row]:
        """The rows of a record: of an item, or of a command, such as "bench"."""
        if item not in self.read:
            path = path_of(item, "embedded", self.folder)
            self.read[item] = records.read(path if path.is_file() else self.folder / f"{item}.json.xz")[0]
        return self.read[item]

    @cached_property
    def judged(self) -> list[Judged]:
        """Every item, judged by its record."""
        return [judge_record(item, shipped=self.folder) for item in items.items().values()]


def rendered(text: str, known: Records) -> str:
    """A template with its queries answered.  Raises UserError for a query that is none."""
    return QUERY.sub(lambda query: answer(query[1], known), text)


def answer(query: str, known: Records) -> str:
    """The answer to one query."""
    head, _, form = query.partition("|")
    name, *words = shlex.split(head)
    if name in SPECIAL:
        return SPECIAL[name](known, words, form.strip())
    return formatted(number(name, words, known, query), form.strip())


def number(name: str, words: list[str], known: Records, query: str) -> float:
    """What a quantity makes of rows.  Raises UserError where there are none."""
    choose("quantity of texts", name, QUANTITIES)
    sources, pairs = words[0].split(","), words[1:]
    own, other = (pairs[: pairs.index("to")], pairs[pairs.index("to") + 1 :]) if "to" in pairs else (pairs, [])
    fields, differing = selector(own), selector(other)
    options = {key: float(fields.pop(key)) for key in options_of(name) if key in fields}
    rows = [row for source in sources for row in known.rows(source)]
    metrics = indexed(rows)
    groups = grouped(metrics, fields, ()), grouped(metrics, {**fields, **differing}, ()) if differing else {}
    value = QUANTITIES[name](*(group.get((), []) for group in groups), **options)
    if value is None:
        raise UserError(f"The query {{{{ {query} }}}} matches no row.")
    return value


def selector(pairs: list[str]) -> dict[str, Any]:
    """ "a=1", "b=x,y" as fields of rows: a value with commas, where none follows a space, is a list."""
    fields: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"A query wants FIELD=VALUE, got {pair!r}.")
        fields[key] = re.split(r",(?! )", value) if re.search(r",(?! )", value) else value
    return fields | {"stride": int(fields["stride"])} if "stride" in fields else fields


def formatted(value: float, form: str) -> str:
    """A number in a format, times a factor that stands before it: "1e3 +.2f"; "short" leaves the 0 before the point out."""
    *factors, spec = form.split() or [".3g"]
    for factor in factors:
        value *= float(factor)
    text = f"{value:{spec.removeprefix('short')}}" if spec != "d" else f"{round(value):d}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text) if spec.startswith("short") else text


def quote(known: Records, words: list[str], form: str) -> str:
    statement = statement_of(words[0])
    return f"“{statement.quote}” ({statement.section})"


def statement_of(name: str) -> Statement:
    return choose("statement", name, {each.id: each for each in items.statements()})


def verdicts(known: Records, words: list[str], form: str) -> str:
    return counted(of_statement(statement_of(words[0]), known.judged))


def verdict(known: Records, words: list[str], form: str) -> str:
    every = {each.id: each for one in known.judged for each in one.verdicts}
    return str(choose("claim", words[0], every).kind)


def paper(known: Records, words: list[str], form: str) -> str:
    item, metric, split = words
    return formatted(items.item(item).paper[metric][split], form)


def recorded_std(known: Records, words: list[str], form: str) -> str:
    """The standard deviation that the one row holds: of what was averaged before it was recorded."""
    chosen = [row for row in known.rows(words[0]) if matches(row, selector(words[1:]))]
    if len(chosen) != 1 or chosen[0].std is None:
        raise UserError(
            f"{words[0]} has {len(chosen)} rows {' '.join(words[1:])}, where a text wants one with its std."
        )
    return formatted(chosen[0].std, form)


def bound(known: Records, words: list[str], form: str) -> str:
    every = {each.id: each for one in known.judged for each in one.verdicts}
    return f"{choose('claim', words[0], every).claim.bound:g}"


def table(known: Records, words: list[str], form: str) -> str:
    return choose("table", words[0], text_tables.TABLES)(known.rows)


def label(known: Records, words: list[str], form: str) -> str:
    """The name of the one method of an item that begins so, as the record has it.  Raises UserError for none or several."""
    item, begin = words
    names = {row.method for row in known.rows(item) if row.method.startswith(begin)}
    if len(names) != 1:
        raise UserError(f"{item} has {len(names)} methods that begin with {begin!r}, where a text wants one.")
    return f"`{names.pop()}`"


def minutes(known: Records, words: list[str], form: str) -> str:
    """The sum of the measured minutes of some items, or of those that `make reproduce` runs, one after the other."""
    usual = [each for each in items.items().values() if not each.needs.get("embedded")]
    chosen = [items.item(name) for name in words] or usual
    return f"{sum(items.minutes_of(each, 'embedded') for each in chosen):.0f}"


SPECIAL: dict[str, Callable[[Records, list[str], str], str]] = {
    each.__name__: each for each in (quote, verdicts, verdict, bound, paper, table, label, recorded_std, minutes)
}


def document(path: Path, known: Records, templates: Path = TEMPLATES) -> str:
    """A document with its blocks rendered anew.  Raises UserError for a block without a template."""

    def block(each: re.Match) -> str:
        template = templates / f"{each[2]}.md"
        if not template.is_file():
            raise UserError(f"{path.name} has a block {each[2]!r}, but there is no {template}.")
        return each[1] + rendered(template.read_text(encoding="utf-8"), known).rstrip("\n") + "\n" + each[4]

    return BLOCK.sub(block, path.read_text(encoding="utf-8"))


def write() -> list[Path]:
    """Render the documents; those that were changed by it."""
    known = Records()
    changed = {path: text for path in DOCUMENTS if (text := document(path, known)) != path.read_text(encoding="utf-8")}
    for path, text in changed.items():
        files.write(path, lambda part, text=text: part.write_text(text, encoding="utf-8"))
    return list(changed)
