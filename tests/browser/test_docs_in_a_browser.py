"""The built pages of docs/ in the system's Chromium: nothing of another site, no sideways scrolling on a phone, nothing axe-core objects to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_pages_in_a_browser import DESKTOP, OBJECTIONS, PHONE, Opened, axe, browser  # noqa: F401, fixtures

from dynode.runtime import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.long]
SHOWN = ("index", "check", "supply", "commands", "methods/dynode", "findings", "search")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "docs", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_loads_by_itself_and_fits_a_phone(name, site, browser, axe):  # noqa: F811
    for context in ({"viewport": DESKTOP}, {"viewport": PHONE, "color_scheme": "dark"}):
        with Opened(browser, site / f"{name}.html", **context) as opened:
            opened.page.wait_for_timeout(200)
            assert [each for each in opened.requests if not re.match("file:|data:", each)] == []
            wide = opened.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 1, context
            opened.page.add_script_tag(content=axe)
            found = opened.page.evaluate("axe.run(document)")["violations"]
            serious = [(each["id"], each["nodes"][0]["target"]) for each in found if each["impact"] in OBJECTIONS]
            assert serious == [], context


def test_the_sentences_on_methods_have_the_width_of_a_phone(site, browser):  # noqa: F811
    with Opened(browser, site / "methods.html", viewport=PHONE) as opened:
        cells = opened.page.locator("table.methods td:nth-child(2)")
        assert cells.count() > 5 and cells.first.bounding_box()["width"] > 0.8 * PHONE["width"]
