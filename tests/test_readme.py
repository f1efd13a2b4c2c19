"""README is short: what a newcomer reads in two minutes.  Whatever is longer has a page of its own."""

import re

import pytest

from dynode.experiments.claims import texts
from dynode.runtime import ROOT

LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.S)


@pytest.fixture(scope="module")
def whole() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def prose(whole) -> str:
    """README without blocks of code, what the records render, and where links lead."""
    return LINK.sub("]", without_code(texts.BLOCK.sub("", whole)))


def test_it_is_read_in_minutes(prose):
    assert len(prose.split()) <= 900
    assert len(re.findall(r"\d[\d,.]*", prose)) <= 60


def test_its_tables_are_small_and_its_lines_short(prose, whole):
    assert sum(line.startswith("|") for line in prose.splitlines()) <= 25
    lines = texts.BLOCK.sub("", whole).splitlines()
    assert [line for line in lines if len(re.sub(r"https?://\S+", "", line)) > 120] == []


def test_the_first_command_stands_at_the_beginning(whole):
    assert any(line.startswith("```") for line in whole.splitlines()[:15])


def test_every_link_and_picture_is_there(whole):
    assert [link for link in LINK.findall(whole) if "://" not in link and not (ROOT / link).exists()] == []


def test_its_moving_picture_is_small():
    assert (ROOT / "reports" / "recorded" / "demo.webp").stat().st_size <= 300_000
