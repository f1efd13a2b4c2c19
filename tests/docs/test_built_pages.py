"""The built pages: no warning, nothing of another site, no link that leads nowhere; and as a browser shows them."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from dynode.runtime import ROOT

pytestmark = pytest.mark.long
TAGS = r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*>"
ELSEWHERE = r"(?:[a-z]+:)?//"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The pages, built as `make docs` does: a warning ends the build."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    options = re.search(r"sphinx-build (.*) docs build/docs", (ROOT / "Makefile").read_text())
    assert options and {"-W", "-n", "--keep-going"} <= {*options[1].split()}
    command = [sys.executable, "-m", "sphinx", *options[1].split(), "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def requested(page: str) -> list[str]:
    """The addresses that a browser loads for a page by itself."""
    tags = re.findall(TAGS, page, re.S)
    return [address for tag in tags for address in re.findall(r"\b(?:src|href|data|poster)=[\"']([^\"']*)", tag)]


def test_no_page_requests_anything_of_another_site(site):
    pages = list(site.rglob("*.html"))
    addresses = [address for page in pages for address in requested(page.read_text())]
    assert len(pages) > 50 and len(addresses) > 500
    assert [each for each in addresses if re.match(ELSEWHERE, each)] == []
    sheets = [
        address for path in site.rglob("*.css") for address in re.findall(r"url\(\s*[\"']?([^\"')]*)", path.read_text())
    ]
    assert [each for each in sheets if re.match(ELSEWHERE, each)] == []
    assert requested('<script src="https://x/y.js"></script><a href="https://x">x</a>') == ["https://x/y.js"]


def test_every_link_of_a_page_leads_to_a_file_and_a_place_in_it(site):
    texts = {path: path.read_text() for path in site.rglob("*.html")}
    lost = []
    for path, text in texts.items():
        for address in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text):
            file, place = urldefrag(unquote(address))
            target = (path.parent / file).resolve() if file else path
            if re.match(r"[a-z]+:", address):
                continue
            if not target.is_file() or (place and target in texts and f'id="{place}"' not in texts[target]):
                lost.append(f"{path.name}: {address}")
    assert lost == []


def test_formulas_are_drawn_by_the_browser_itself(site):
    text = (site / "methods" / "dynode.html").read_text()
    assert text.count("<math ") >= 4 and "mathjax" not in text.lower()
