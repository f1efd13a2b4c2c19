"""Lists that the package holds: items, commands' checklists, files, datasets, deviations, stand-ins, metrics, editors."""

import tomllib
from pathlib import Path

import yaml

from dynode.editing.listing import editors_by_generator
from dynode.experiments import items
from dynode.experiments.claims import texts
from dynode.experiments.claims.recorded import counted, of_statement
from dynode.experiments.claims.texts import Records
from dynode.experiments.report.notes import notes
from dynode.generators import SOURCES
from dynode.io.dataset_layouts import LAYOUTS
from dynode.metrics import METRICS
from dynode.reporting import paths
from dynode.runtime import PACKAGE, ROOT
from dynode_pages.answers import answers, numbered, sentence, table

CHECKLISTS = Path(__file__).parents[1] / "checklists.yaml"
KNOWN = Records()


@answers
def items_of_the_paper() -> str:
    rows = [
        [f"`{name}`", ", ".join(each.paper_items), each.title, f"{items.minutes_of(each, 'embedded'):g}"]
        for name, each in items.items().items()
    ]
    return table(["item", "of the paper", "what it makes", "minutes"], rows)


@answers
def minutes(*names: str) -> str:
    """The sum of the measured minutes of some items, or of all, one after the other."""
    return texts.minutes(Records(), list(names), "")


@answers
def statements() -> str:
    """What the paper says, word for word, and the verdicts on the claims that test it, by the records that ship."""
    rows = [
        [f"“{each.quote}” ({each.section})", counted(of_statement(each, KNOWN.judged))] for each in items.statements()
    ]
    return table(["the paper says", "verdicts"], rows)


@answers
def python() -> str:
    """The oldest Python that the package takes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["requires-python"].removeprefix(">=")


@answers
def deviations(of: str) -> str:
    """What is done otherwise than by the paper, or by the authors' demo, numbered."""
    return numbered(
        f"**{sentence(each['published'])}** Here: {sentence(each['here'])[:1].lower()}{sentence(each['here'])[1:]} "
        f"Why: {each['reason']}. What it changes: {each['effect']}. Shown by `{each['shown_by']}`."
        for each in notes()["deviations"]
        if each["of"] == of
    )


@answers
def stand_ins() -> str:
    rows = [[f"`{each['begins']}`", each["instead_of"]] for each in notes()["stand_ins"]]
    return table(["how its name begins", "in the place of"], rows)


@answers
def files_of_others() -> str:
    """Every file of somebody else that is fetched."""
    assets = tomllib.loads((PACKAGE / "io" / "assets.toml").read_text(encoding="utf-8"))["assets"]
    rows = [
        [f"`{name}`", each["purpose"], f"{each['size'] / 1e6:.1f}", each["licence"], f"`{each['sha256'][:12]}…`"]
        for name, each in assets.items()
    ]
    return table(["asset", "what it is", "MB", "licence", "sha256"], rows)


@answers
def datasets() -> str:
    rows = [
        [f"`{name}`", layout.title, layout.kind, layout.licence, f"`{layout.example}`"]
        for name, layout in LAYOUTS.items()
    ]
    return table(["`dynode dataset`", "dataset", "holds", "licence", "a file of it"], rows)


@answers
def generators() -> str:
    rows = [
        [f"`{name}`", each.category, each.resolution, ", ".join(f"`{a}`" for a in each.assets)]
        for name, each in SOURCES.items()
    ]
    return table(["generator", "category", "pixels", "assets"], rows)


@answers
def metrics() -> str:
    rows = [[f"`{n}`", m.unit, m.better, m.space, m.heading()] for n, m in METRICS.items() if m.compute is not None]
    return table(["metric", "unit", "better", "compares", "in tables"], rows)


@answers
def editors() -> str:
    rows = [[f"`{name}`", *each.cells] for name, listed in editors_by_generator().items() for each in listed]
    return table(["generator", "`--editor`", "`--attribute`", "recommended", "valid", "unit of strength"], rows)


@answers
def variables() -> str:
    return ", ".join(f"`{name}`" for name in paths.VARIABLES)


@answers
def checklist(name: str) -> str:
    """The rows of a checklist: question, answer, the command that shows it."""
    rows = [[each["question"], each["answer"], f"`{each['command']}`"] for each in checklists()[name]]
    return table(["question", "answer", "shown by"], rows)


def checklists() -> dict[str, list[dict[str, str]]]:
    return yaml.safe_load(CHECKLISTS.read_text(encoding="utf-8"))
