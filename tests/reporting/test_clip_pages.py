"""Pages of clips: what a view holds, how large it may be, what it must say, and the commands that write one."""

import base64
import dataclasses
import hashlib
import io
import json
import re

import numpy as np
import pytest
import torch
from pages_of_a_circle import METHODS, view_of_circle
from PIL import Image

from dynode import cli, clips, generators
from dynode.cli.pages.demo import codes_there
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.inversion.invert_frames import usual_settings
from dynode.io import assets, video
from dynode.io.video import Stretch
from dynode.reporting.pages import curve_looks, sheets, view_data, viewer_page
from dynode.reporting.pages.clip_views import clip_view, fitted, metrics_at_hand, notices_of
from dynode.reporting.pages.demonstration import remark
from dynode.reporting.pages.view_data import DENSE, dense_times, means, shown_frames
from dynode.reporting.plots.looks import LOOKS

NAME = "mobilestylegan-ffhq"


@pytest.fixture
def view(circle):
    return view_of_circle(circle).data()


def data_of(page: str) -> dict:
    """The view inside of a page."""
    return json.loads(re.search(r'<script type="application/json" id="view">(.*?)</script>', page, re.S)[1])


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb", as WCAG 2 defines it."""
    levels = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(levels <= 0.03928, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_a_view_has_the_fields_of_its_format(view, circle):
    assert view["format"] == "dynode-view-1" and view["clip"] == "circle" and view["category"] == "face"
    assert view["times"] == pytest.approx(circle.ts.tolist(), rel=1e-3) and sum(view["observed"]) == 5
    assert [each["name"] for each in view["methods"]] == [*METHODS] and view["dense"] == DENSE
    for each in view["methods"]:
        assert len(each["path"]) == DENSE * 15 + 1 and len(each["mse"]) == 16
    assert sum(view["plane"]["share"]) == pytest.approx(1, abs=1e-3)  # a circle lies in a plane


def test_the_plane_shows_where_a_path_meets_the_codes(view):
    truth, linear = (np.array(each["path"]) for each in (view["truth"], view["methods"][1]))
    observed = np.flatnonzero(view["observed"])
    assert np.allclose(linear[DENSE * observed], truth[observed], atol=1e-3)
    assert not np.allclose(linear[DENSE * 2], truth[2], atol=1e-2)  # off the circle between them


def test_a_sheet_holds_the_frames_row_by_row(view):
    picture = Image.open(io.BytesIO(base64.b64decode(view["methods"][0]["sheet"].partition(",")[2])))
    assert picture.format == "WEBP" and picture.size == (8 * 16, 2 * 16)
    levels = np.asarray(picture.convert("L")).reshape(2, 16, 8, 16).mean((1, 3)).flatten()
    assert np.abs(levels - np.linspace(0, 255, 16)).max() < 4


def test_sheets_are_made_smaller_until_they_fit_and_refused_where_they_cannot(circle):
    noise = torch.rand(16, 3, 192, 192, generator=torch.Generator().manual_seed(0)) * 2 - 1
    large = sheets.sheets_within({"a": noise}, 10_000_000)["a"]
    small = sheets.sheets_within({"a": noise}, len(large) // 3)["a"]
    assert len(small) <= len(large) // 3 and Image.open(io.BytesIO(small)).width < Image.open(io.BytesIO(large)).width
    with pytest.raises(UserError, match="show fewer methods"):
        view_of_circle(circle).data(most=100)


def test_dense_times_divide_uneven_steps_evenly():
    times = dense_times(torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64))
    assert len(times) == 17 and times[[0, 4, 8, 12, 16]].tolist() == [0, 0.5, 1, 2, 3]


def test_of_a_long_clip_every_nth_frame_is_shown(circle):
    assert shown_frames(circle) is not None and len(shown_frames(circle)) == 16
    assert shown_frames(circle, most=6).ts.tolist() == circle.ts[::3].tolist()
    few = shown_frames(circle.where(torch.arange(16) >= 0).sampled("regular", 15), most=6)
    assert int(few.observed.sum()) == 2  # both ends stay


def test_no_two_methods_differ_by_colour_alone_and_all_are_seen_on_both_pages():
    first = curve_looks(["dynode", "linear", "hold", "cubic", "trend", "gp"])
    assert len({(each.dash, each.mark) for each in first}) == len(first)
    for each in curve_looks([*LOOKS]):
        assert contrast(each.light, "#f3f5f7") >= 3 and contrast(each.dark, "#1d2228") >= 3


def test_a_page_needs_nothing_else_and_says_that_it_is_edited(view):
    page = viewer_page(view, title="</script><b>", notices=notices_of(view))
    assert "&lt;/script&gt;&lt;b&gt;" in page and "<b>" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page) and "http" not in re.sub(
        "http://www.w3.org/2000/svg", "", page
    )
    assert "This video is edited" in page and data_of(page)["clip"] == "circle"
    assert "held-out frames had a part in the observed" in page.replace("\n", " ") or view["protocol"] != "chain"


def test_a_page_of_a_world_says_that_it_is_synthetic_and_what_its_codes_test():
    world = {"stand_ins": ["rendered world bird"], "protocol": "chain", "times": [0, 1], "observed": [1, 0]}
    synthetic, leaky, fewer = notices_of(world, frames=4)
    assert "synthetic" in synthetic and "no test" in leaky and "2 of the clip's 4 frames" in fewer
    assert len(notices_of({"stand_ins": [], "protocol": "independent", "times": [0, 1], "observed": [1, 0]}, 2)) == 1
    assert len(notices_of(world | {"observed": [1, 1]})) == 1  # nothing is held out


def test_a_page_on_which_nothing_is_held_out_says_so_and_has_no_column_of_it(view):
    partly = viewer_page(view, title="a", notices=[])
    whole = viewer_page(view | {"observed": [1] * len(view["times"])}, title="a", notices=[])
    assert "held out</th>" in partly and "were shown to each method, which then drew" in partly
    assert "held out</th>" not in whole and "none was held out" in whole and "rings:" not in whole


def test_a_fit_is_called_by_its_file_and_its_method_whose_colour_it_has(circle):
    path = methods.fit(circle, "cubic")
    assert [view_data.label_of(name, path) for name in ("talk", "talk-cubic")] == ["talk (cubic)", "talk-cubic"]


def test_names_in_a_view_cannot_end_its_script(view):
    page = viewer_page(view | {"clip": "</script><script>alert(1)</script>"}, title="a", notices=[])
    assert "<script>alert" not in page and data_of(page)["clip"].startswith("</script>")


def test_means_are_over_held_out_and_observed_frames(view):
    unobserved, observed = means(view)["linear"]
    mse, mask = np.array(view["methods"][1]["mse"]), np.array(view["observed"], bool)
    assert unobserved == pytest.approx(mse[~mask].mean()) and observed == pytest.approx(mse[mask].mean())
    assert observed < 1e-6 < unobserved


def test_a_method_that_is_ahead_is_named_unless_it_is_ours():
    assert remark({"cubic": 1.0, "dynode": 2.0}) == "   <- here cubic is ahead"
    assert remark({"cubic": 2.0, "dynode": 1.0}) == "" == remark({"cubic": float("nan"), "dynode": 1.0})


def test_a_demonstration_is_four_lines_a_page_and_a_video(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "--frames", "12"]) == 0
    first, errors, written, following = capsys.readouterr().out.splitlines()
    assert first.startswith("bird.flight: 4 of 12 frames shown; error of the other 8 (MSE x 1e3")
    assert re.match(r"  hold [\d.]+   linear [\d.]+   cubic [\d.]+   dynode [\d.]+", errors)
    assert re.match(r"  path and frames: reports/demo/index.html   video: reports/demo/demo.mp4   \d+ s$", written)
    assert following.startswith("  next: dynode list | dynode verify --recorded")
    page = (tmp_path / "reports/demo/index.html").read_text(encoding="utf-8")
    view = data_of(page)
    printed = dict(re.findall(r"(\w+) ([\d.]+)", errors))
    for name, (unobserved, _) in means(view).items():
        assert float(printed[name]) == pytest.approx(1e3 * unobserved, rel=0.01)
    assert view["truth"]["reference"] == "truth" and "rendered world bird" in page and str(tmp_path) not in page
    frames = [frame for _, frame in video.iterate(tmp_path / "reports/demo/demo.mp4")]
    assert len(frames) == 12 and frames[0].shape == (288, 5 * 256, 3)


def test_a_demonstration_takes_the_codes_that_it_has_made_before(circle, tmp_path, capsys):
    footage, stretch, settings = tmp_path / "talk.mp4", Stretch(count=16), usual_settings("independent", NAME)
    footage.write_bytes(b"a video")
    made = {"stretch": dataclasses.asdict(stretch), "settings": dataclasses.asdict(settings), "generator": NAME}
    made |= {"generator_hash": generators.hash_of(NAME), "source_sha256": hashlib.sha256(b"a video").hexdigest()}
    assert codes_there(tmp_path / "talk.safetensors", footage, stretch, settings, NAME) is None
    dataclasses.replace(circle, meta=circle.meta | made).save(tmp_path / "talk.safetensors")
    clip = codes_there(tmp_path / "talk.safetensors", footage, stretch, settings, NAME)
    assert clip is not None and torch.equal(clip.ts, circle.ts)
    assert "talk.safetensors has the codes of these frames already" in capsys.readouterr().out
    assert codes_there(tmp_path / "talk.safetensors", footage, Stretch(count=8), settings, NAME) is None
    footage.write_bytes(b"another video")
    assert codes_there(tmp_path / "talk.safetensors", footage, stretch, settings, NAME) is None


def test_lpips_stands_beside_the_mse_where_its_network_is_at_hand(monkeypatch, tmp_path):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    assert metrics_at_hand() == ["mse"]
    monkeypatch.setattr(assets, "at_hand", lambda name: name == "lpips-alexnet")
    monkeypatch.setitem(view_data.MEASURED, "lpips", "ssim")  # which needs no network
    clip = clips.load("scene.day").head(9).sampled("regular", 4)
    data = clip_view(clip, fitted(clip, ["hold", "linear"])).data()
    first, second = data["metrics"]
    assert first == {"name": "mse", "label": "MSE x 1e3", "scale": 1e3} and second["name"] == "lpips"
    assert all(len(each["lpips"]) == 9 for each in data["methods"]) and 0 < means(data, "lpips")["linear"][0] < 1
    page, label = viewer_page(data, title="a", notices=[]), second["label"]
    assert f'colspan="2">{label}</th>' in page and f"<summary>{label} of every frame</summary>" in page


def test_fits_are_shared_as_one_small_page_without_paths(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    clips.load("scene.day").head(9).save(tmp_path / "talk.safetensors")
    assert cli.main(["fit", "talk.safetensors", "--preset", "cubic", "--stride", "4"]) == 0
    assert cli.main(["share", "talk.cubic.fit", "--clip", "talk.safetensors"]) == 0
    assert re.search(r"talk.cubic.html: 0\.\d\d MB, 9 frames of 3 methods", capsys.readouterr().out)
    page = (tmp_path / "talk.cubic.html").read_text(encoding="utf-8")
    assert (tmp_path / "talk.cubic.html").stat().st_size < 3e6
    assert "synthetic" in page and str(tmp_path) not in page and not re.search(r"/(home|tmp|work|root)/", page)
    assert [each["name"] for each in data_of(page)["methods"]] == ["hold", "linear", "talk.cubic"]


def test_fits_of_other_observed_frames_are_not_shown_on_one_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for preset, stride in (("linear", "4"), ("cubic", "2")):
        assert cli.main(["fit", "scene.day", "--preset", preset, "--stride", stride]) == 0
    assert cli.main(["share", "scene.day.linear.fit", "scene.day.cubic.fit"]) == 2
    assert "observed different frames" in capsys.readouterr().err
