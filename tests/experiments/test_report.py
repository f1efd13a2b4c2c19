"""`dynode report`: a page that cannot be made, views that are kept."""

import pytest

from dynode import cli
from dynode.errors import UserError
from dynode.experiments.report import site, sources, views_page, write_report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An output folder of a project without items, of which nothing ships."""
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    monkeypatch.setattr(sources, "sources", lambda profile: [])
    monkeypatch.setattr(sources, "SHIPPED", tmp_path / "none")
    return tmp_path


def test_a_page_that_cannot_be_made_says_so_and_costs_no_other(folder, capsys):
    (folder / "figures").mkdir()
    (folder / "figures" / "a.png").write_bytes(b"no picture")
    assert cli.main(["report", "--views", "none"]) == 0
    (note,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Note: "))
    assert note.startswith("Note: The page Gallery could not be made (UnidentifiedImageError: ") and note.endswith(").")
    assert "could not be made (UnidentifiedImageError" in (folder / "reports/site/gallery.html").read_text()
    assert "What the paper says" in (folder / "reports/index.html").read_text()
    (folder / "figures" / "a.png").unlink()
    assert write_report("embedded", []).lacks == ()
    assert "could not be made" not in (folder / "reports/site/gallery.html").read_text()


def test_a_reason_that_is_a_sentence_is_given_as_it_is():
    def refuse():
        raise UserError("There is no clip x.")

    assert site.made("viewer", refuse) == {"lacks": "The page Viewer could not be made (There is no clip x)."}


def test_a_view_is_made_once_and_again_when_its_clip_or_code_is_another(folder, monkeypatch):
    made = []

    def write_view(name, site, links, device, progress):
        made.append(name)
        (site / views_page.page_of(name)).write_text(name)
        return {"name": name, "address": views_page.page_of(name), "frames": 2, "observed": 1}

    monkeypatch.setattr(views_page, "write_view", write_view)
    for names in (["a", "b"], ["a", "b"], ["b"]):
        write_report("embedded", names)
        page = (folder / "reports/site/viewer.html").read_text()
        assert [name for name in "ab" if f"view-{name}.html" in page] == names
    assert made == ["a", "b"] and not (folder / "reports/site/view-a.html").exists()
    monkeypatch.setattr(views_page.sources, "codes_of", lambda parameters: "others")
    write_report("embedded", ["b"])
    (folder / "reports/site/view-b.html").unlink()
    write_report("embedded", ["b"])
    (folder / "reports/site/views.json").write_text("[broken")
    write_report("embedded", ["b"])
    assert made == ["a", "b", "b", "b", "b"]
