"""`dynode report`: a page that cannot be made, views that are kept, videos under their items with their stand-ins."""

import re

import numpy as np
import pytest

from dynode import cli
from dynode.errors import UserError
from dynode.experiments import items
from dynode.experiments.engine import targets
from dynode.experiments.report import runs_page, site, sources, videos_page, views_page, write_report
from dynode.io import video
from dynode.reporting.pages import page


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


def write_video(path, title):
    path.parent.mkdir(parents=True, exist_ok=True)
    video.write(path, (np.full((32, 48, 3), 60 * k, np.uint8) for k in range(3)), fps=8, title=title)


def test_a_video_has_a_first_frame_the_name_of_its_clip_and_edit_and_says_what_its_stand_ins_stand_for(folder):
    title = "edited with dynode: smile 1.5; stand-ins: mask[landmarks], flow[tvl1]"
    write_video(folder / "figures" / "edit_carphone.1_dynode+latent-transformer_offset_smile_1.5.mp4", title)
    write_video(folder / "figures" / "mine.mp4", "")
    write_video(folder / "figures" / "mine.smoke.mp4", "")
    assert write_report("embedded", []).lacks == ()
    shown = (folder / "reports/site/videos.html").read_text()
    assert "<strong>carphone.1: dynode+latent-transformer, offset, smile 1.5</strong> (0.4 s)" in shown
    assert "stands in for a face-parsing network" in shown and "stands in for RAFT" in shown
    assert "<strong>mine</strong>" in shown and "mine.smoke" not in shown
    posters = re.findall(r'poster="([^"]+)"', shown)
    assert len(posters) == 2 and all((folder / "reports/site" / each).is_file() for each in posters)


def test_videos_stand_under_the_item_that_wrote_them():
    tuned, edits = (sources.Source(items.item(name), "smoke") for name in ("tuning", "edit_clips"))
    (path,) = (each for each in targets.written(edits.item, "smoke") if "scene.winter" in each and each.endswith("mp4"))
    one, other = {"name": "b", "source": edits, "path": path}, {"name": "a", "source": None}
    groups = videos_page.grouped([other, one], [tuned, edits])
    assert [(each["source"], each["videos"]) for each in groups] == [(edits, [one]), (None, [other])]


def test_of_every_stand_in_of_the_shipped_records_it_is_known_what_it_stands_for():
    names = {name for source in sources.sources("embedded") for name in source.stand_ins}
    assert names and [name for name in names if not runs_page.stand_in(name)["instead_of"]] == []


def test_a_count_stays_beside_what_it_counts():
    assert page.whole("5 FAIL, 3 TOO EASY") == "5\u00a0FAIL, 3\u00a0TOO\u00a0EASY"
