"""README and FINDINGS: their numbers are queries on the records that ship, and what is written is what these answer."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typed_numbers import sentences_with_numbers

from dynode.dynamics import leave_one_out
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.experiments import items
from dynode.experiments.claims import text_tables, texts
from dynode.experiments.claims.quantities import QUANTITIES
from dynode.experiments.claims.recorded import SHIPPED
from dynode.runtime import ROOT

BY_HAND = Path(__file__).with_name("numbers_by_hand.txt")
MOST_BY_HAND = 60  # may only fall


@pytest.fixture(scope="module")
def known() -> texts.Records:
    return texts.Records()


@pytest.mark.parametrize("path", texts.DOCUMENTS, ids=lambda path: path.name)
def test_documents_are_as_the_records_have_them(path, known):
    """After a change of a record or a template: `dynode verify --write`."""
    assert texts.document(path, known) == path.read_text()


def test_every_template_is_used():
    blocks = {name for path in texts.DOCUMENTS for _, name, _, _ in texts.BLOCK.findall(path.read_text())}
    assert blocks == {path.stem for path in texts.TEMPLATES.glob("*.md")}


@pytest.mark.parametrize(
    "query, answer",
    [
        ("mean worlds metric=precision method=stylegan2-scene-factors | .2f", "0.48"),
        ("mean worlds metric=precision method=stylegan2-scene-factors | 100 short.0f", "48"),
        ("mean worlds metric=precision method=stylegan2-scene-factors | short.2f", ".48"),
        ("count worlds metric=precision,recall | d", "8"),
        ("ratio worlds metric=recall method=stylegan2-bird-factors to method=stylegan2-scene-factors | .2f", "0.85"),
        ('count interpolation "variant=10 frames,100 frames" metric=peak_memory | d', "2"),
        ("count_below worlds metric=precision below=0.7 | d", "3"),
        ("paper dynamics_face mse unobserved | 1e3 .3f", "35.397"),
        ("label demo_codes demo", "`demo[1000/20000]`"),
        ("verdict worlds.recall", "FAIL"),
        ("verdicts memory", "2 PASS"),
    ],
)
def test_queries(query, answer, known):
    assert texts.rendered(f"a {{{{ {query} }}}} b", known) == f"a {answer} b"


@pytest.mark.parametrize(
    "query, sentence",
    [
        ("mean worlds metric=precison | .2f", "matches no row"),
        ("meen worlds metric=precision | .2f", "no quantity of texts 'meen', did you mean 'mean'"),
        ("mean worlds metric | .2f", "wants FIELD=VALUE, got 'metric'"),
        ("verdict worlds.recal", "did you mean 'worlds.recall'"),
        ("quote memroy", "did you mean 'memory'"),
        ("table facs", "did you mean 'faces'"),
        ("label demo_codes d", "4 methods that begin with 'd'"),
    ],
)
def test_a_query_that_is_none_is_an_error(query, sentence, known):
    with pytest.raises(UserError, match=sentence):
        texts.answer(query, known)


def test_a_block_without_a_template_is_an_error(tmp_path, known):
    (tmp_path / "page.md").write_text("<!-- rendered: nothing -->\n<!-- end -->\n")
    with pytest.raises(UserError, match="a block 'nothing'"):
        texts.document(tmp_path / "page.md", known)


def measured(template: str) -> list[str]:
    """The queries of a template that ask for numbers of records."""
    queries = texts.QUERY.findall((texts.TEMPLATES / f"{template}.md").read_text())
    return [query for query in queries if query.split()[0] in {*QUANTITIES, "table"}]


class Changed(texts.Records):
    """The records with other values, and each second row left out where `thinned`."""

    def __init__(self, thinned: bool):
        super().__init__()
        self.thinned, self.numbers = thinned, random.Random(0)

    def rows(self, item):
        if item not in self.read:
            rows = super().rows(item)
            rows = [replace(row, value=row.value * self.numbers.uniform(-3, 3)) for row in rows]
            self.read[item] = rows[:: 1 + self.thinned]
        return self.read[item]


@pytest.mark.parametrize("template", ["holds", "worlds_sample"])
def test_every_number_of_the_readmes_table_comes_from_a_record(template, known):
    asked = measured(template)
    assert len(asked) > 8
    others = [Changed(thinned) for thinned in (False, True)]
    for query in asked:
        own = texts.answer(query, known)
        assert any(answer_or_none(query, other) != own for other in others), query


def answer_or_none(query, known):
    try:
        return texts.answer(query, known)
    except UserError:  # the row was left out
        return None


def test_the_tables_of_the_test_set_compare_with_what_its_claims_and_auto_list():
    claims = {each.id: each for each in items.item("sparsity").claims}
    assert list(text_tables.BASELINES) == list(claims["sparse"].to["method"])
    assert list(text_tables.AUTO) == list(claims["auto_is_near_the_best"].to["method"]) == leave_one_out.AUTO.names


def test_the_readme_follows_a_changed_record(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "recorded")
    path = tmp_path / "recorded" / "interpolation.embedded.json.xz"
    rows, provenance = records.read(path)
    rows = [replace(row, value=2 * row.value) if row.variant == "1000 frames" else row for row in rows]
    records.write(path, "interpolation", "embedded", rows, provenance)
    memory = {row.variant: row.value for row in rows if row.metric == "peak_memory"}
    growth = memory["1000 frames"] / memory["10 frames"]
    page = texts.document(ROOT / "README.md", texts.Records(tmp_path / "recorded"))
    (line,) = (line for line in page.splitlines() if "constant memory cost" in line)
    assert growth > 2 and f"takes {growth:.2f} times the memory" in line and line.endswith("| 2 FAIL |")
    assert f"takes {growth / 2:.2f} times the memory" in (ROOT / "README.md").read_text()


def by_hand() -> list[str]:
    """The sentences of FINDINGS and of what holds in the README with a number that is no query."""
    sentences = []
    for path in texts.DOCUMENTS:
        text = texts.BLOCK.sub(lambda block: (texts.TEMPLATES / f"{block[2]}.md").read_text(), path.read_text())
        if path.name == "README.md":
            text = text.partition("## What holds")[2].partition("\n## ")[0]
        sentences += sentences_with_numbers(text)
    return sentences


def test_sentences_whose_numbers_are_no_queries_are_listed_and_become_fewer():
    """Write numbers as queries in reports/texts; a sentence that has become one leaves the list."""
    listed = BY_HAND.read_text().splitlines()
    assert sorted({*by_hand()} - {*listed}) == [], "a number that is no query"
    assert sorted({*listed} - {*by_hand()}) == [], "take out what is no longer there"
    assert len(listed) <= MOST_BY_HAND


if __name__ == "__main__":  # only for sentences that were reworded: the list may not grow
    BY_HAND.write_text("\n".join(dict.fromkeys(by_hand())) + "\n")
