"""Pages in the system's Chromium: keys move frame and point, nothing is requested from elsewhere, axe-core objects to nothing serious."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages_of_a_circle import view_of_circle

from dynode.errors import UserError
from dynode.experiments.report import write_report
from dynode.io import assets
from dynode.reporting.pages import viewer_page
from dynode.reporting.pages.clip_views import notices_of

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
OBJECTIONS = ("serious", "critical")


def missing(what: str) -> None:
    """Skip what needs it, or fail where it must be there."""
    if os.environ.get("DYNODE_BROWSER") == "required":
        pytest.fail(f"{what}, and DYNODE_BROWSER is `required`")
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        missing("there is no Chromium on the PATH: install it (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        return assets.fetch("axe-core").read_text(encoding="utf-8")
    except UserError as error:
        missing(f"axe-core cannot be fetched: {error}")
        raise


@pytest.fixture
def viewer(circle, tmp_path) -> Path:
    data = view_of_circle(circle).data()
    page = viewer_page(data, title="a circle", notices=notices_of(data))
    (tmp_path / "viewer.html").write_text(page, encoding="utf-8")
    return tmp_path / "viewer.html"


class Opened:
    """A page that was opened from a file, with all that it requested and wrote to the console."""

    def __init__(self, browser: Any, path: Path, **context: Any):
        self.context = browser.new_context(**({"viewport": DESKTOP} | context))
        self.page, self.requests, self.messages = self.context.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state("load")

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def state(self) -> tuple[str, str, str]:
        """Which frame a canvas shows, where the point of the last method is, and what the slider says."""
        script = """() => [
            document.querySelector("#frames figure:last-child canvas").dataset.frame,
            [...document.querySelectorAll(".point")].at(-1).getAttribute("transform"),
            document.querySelector("#time").getAttribute("aria-valuetext")]"""
        return tuple(self.page.evaluate(script))

    def require_alone(self) -> None:
        """No request but for files and data, and no message on the console."""
        assert self.requests and all(re.match(r"file://|data:image/", url) for url in self.requests)
        assert self.messages == []


def brightness(opened: Opened, selector: str) -> int:
    """The red of the middle of a canvas.  Its pictures are data URIs, so that it may be read."""
    script = """selector => {
        const shown = document.querySelector(selector), copy = new OffscreenCanvas(shown.width, shown.height);
        const context = copy.getContext("2d", {willReadFrequently: true});
        context.drawImage(shown, 0, 0);
        return context.getImageData(shown.width / 2, 9, 1, 1).data[0];
    }"""
    return opened.page.evaluate(script, selector)


def test_keys_move_frame_point_and_words(browser, viewer):
    with Opened(browser, viewer) as opened:
        opened.page.focus("#time")
        first = opened.state()
        assert first[0] == "0" and first[2] == "0.00 s, frame 0, observed"
        opened.page.keyboard.press("ArrowRight")
        second = opened.state()
        assert second[0] == "1" and second[1] != first[1] and second[2] == "0.03 s, frame 1, not observed"
        opened.page.keyboard.press("PageUp")
        assert opened.state()[0] == "11" and brightness(opened, "#frames canvas") > 150
        opened.page.keyboard.press("End")
        assert opened.state()[0] == "15" and brightness(opened, "#frames canvas") > 240
        opened.page.keyboard.press("Home")
        assert opened.state() == first and brightness(opened, "#frames canvas") < 15
        opened.require_alone()


def test_number_keys_and_boxes_show_and_hide_a_method(browser, viewer):
    with Opened(browser, viewer) as opened:
        shown = "document.querySelectorAll('#frames figure:not([hidden])').length"
        assert opened.page.evaluate(shown) == 4
        opened.page.focus("#time")
        opened.page.keyboard.press("2")
        assert opened.page.evaluate(shown) == 3 and not opened.page.is_checked("[data-toggle='1']")
        hidden = opened.page.evaluate("getComputedStyle(document.querySelector('#plane g[data-method=\"1\"]')).display")
        assert hidden == "none"
        opened.page.check("[data-toggle='1']")
        assert opened.page.evaluate(shown) == 4


def test_a_drag_on_the_errors_moves_in_time_and_one_on_the_wipe_its_edge(browser, viewer):
    with Opened(browser, viewer) as opened:
        opened.page.locator("#errors").scroll_into_view_if_needed()
        box = opened.page.locator("#errors").bounding_box()
        opened.page.mouse.click(box["x"] + box["width"] - 12, box["y"] + 50)
        assert opened.state()[0] == "15"
        opened.page.locator("#wipe-part > summary").click()
        opened.page.locator("#wipe").scroll_into_view_if_needed()
        box = opened.page.locator("#wipe").bounding_box()
        opened.page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 50)
        assert opened.page.input_value("#split") == "25"
        assert opened.page.get_attribute("#split", "aria-valuetext") == "25 % own codes, 75 % cubic"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_playing_moves_the_point_between_frames_unless_less_motion_is_wanted(browser, viewer, motion):
    with Opened(browser, viewer, reduced_motion=motion) as opened:
        places = "() => [...document.querySelectorAll('.point')].at(-1).getAttribute('transform')"
        opened.page.click("#play")
        transforms = set()
        for _ in range(40):
            transforms.add(opened.page.evaluate(places))
            opened.page.wait_for_timeout(15)
        assert (len(transforms) > 3) == (motion == "no-preference")
        opened.page.click("#play")
        assert opened.page.get_attribute("#play", "aria-pressed") == "false"


def test_targets_are_large_enough_for_a_finger_and_nothing_scrolls_sideways(browser, viewer):
    with Opened(browser, viewer, viewport=PHONE, has_touch=True) as opened:
        low = "() => [...document.querySelectorAll('button, select, summary, .toggle, input[type=range]')]"
        low += (
            ".filter(each => each.offsetParent && each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"
        )
        assert opened.page.evaluate(low) == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def objections(opened: Opened, axe: str) -> list[str]:
    """What axe-core has against a page, of serious and critical impact."""
    opened.page.evaluate(axe)
    result = opened.page.evaluate("axe.run(document, {preload: false})")
    assert len(result["passes"]) > 10  # it did look
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]}"
        for each in result["violations"]
        if each["impact"] in OBJECTIONS
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_has_no_serious_objection_to_the_viewer(browser, viewer, axe, size, scheme):
    with Opened(browser, viewer, viewport=size, color_scheme=scheme) as opened:
        opened.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert objections(opened, axe) == []


def test_axe_notices_a_page_that_is_not_accessible(browser, axe, tmp_path):
    page = "<!doctype html><html lang=en><title>a</title><main><h1>a</h1><p>b</p><ul><li>c</ul><a href=#d>d</a>"
    (tmp_path / "a.html").write_text(page + "<img src=data:><input><p style='color:#ddd'>pale</p></main>")
    with Opened(browser, tmp_path / "a.html") as opened:
        noticed = " ".join(objections(opened, axe))
        assert "image-alt" in noticed and "label" in noticed and "color-contrast" in noticed


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report on the records that ship."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DYNODE_OUTPUT", str(tmp_path_factory.mktemp("report")))
        return write_report("embedded", ["bird.flight"]).page


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_of_a_report_is_alone_narrow_and_accessible(browser, report, axe, size, scheme):
    pages = [
        report,
        *sorted(report.parent.glob("site/*.html")),
        *sorted(report.parent.glob("site/notebooks/*.html"))[:3],
    ]
    assert len(pages) == 13
    for path in pages:
        with Opened(browser, path, viewport=size, color_scheme=scheme) as opened:
            opened.require_alone()
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
            assert (path.name, objections(opened, axe)) == (path.name, [])


@pytest.mark.long
def test_the_first_view_of_a_report_is_there_within_two_seconds(browser, report):
    with Opened(browser, report) as opened:
        loaded = opened.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert 0 < loaded < 2000 and opened.page.locator(".cards").bounding_box()["y"] < DESKTOP["height"]


@pytest.mark.long
def test_links_of_a_report_lead_to_files_and_places_that_are_there(browser, report):
    folder, checked = report.parent, 0
    for path in [report, *folder.glob("site/*.html"), *folder.glob("site/notebooks/*.html")]:
        text = path.read_text(encoding="utf-8")
        for address in re.findall(r'(?:href|src)="([^"]+)"', text):
            if address.startswith(("data:", "#")):
                continue
            name, _, anchor = address.partition("#")
            target = (path.parent / name).resolve()
            assert target.is_file(), f"{path.name}: {address}"
            assert not anchor or f'id="{anchor}"' in target.read_text(encoding="utf-8")
            checked += 1
    assert checked > 100
