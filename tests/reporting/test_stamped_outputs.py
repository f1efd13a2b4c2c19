"""Outputs: each names the stand-ins it shows and no others, looks the same in any surroundings, and is never empty."""

import io

import av
import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image

from dynode import clips
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.evaluation.records import Row, pooled, read
from dynode.reporting import plots
from dynode.reporting.outputs import Outputs, page
from dynode.reporting.plots.style import house_style, new_figure
from dynode.reporting.tables import Table

TABLE = Table(["a"], [["1"]], {})
ROWS = [Row("mse", 1.0, clip="scene.day", n=2)]


@pytest.fixture
def out(tmp_path, monkeypatch) -> Outputs:
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    return Outputs("reuse", "smoke", "dynode run reuse")


@pytest.fixture
def face(circle) -> Clip:
    return circle


@pytest.fixture
def world() -> Clip:
    return clips.load("scene.day")


def lines_below(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_outputs_name_the_stand_ins_that_they_show(out, face, world):
    figure = plots.memory([10, 100], [700.0, 710.0])
    out.figure(figure, "both", "nothing", shows=[face, world, world, "mask[landmarks]"])
    assert lines_below(figure) == ["codes: chain; stand-ins: rendered world scene, mask[landmarks]"]
    assert "stand-ins: rendered world scene" in out.table(TABLE, "both", shows=[world]).read_text()
    film = out.video(torch.zeros(3, 3, 16, 16), [0, 0.1, 0.2], "both", "a clip", shows=[world])
    with av.open(film) as container:
        assert container.metadata["title"] == "a clip; codes: chain; stand-ins: rendered world scene"
    rows, provenance = read(out.record(ROWS, shows=[face, world]))
    assert provenance["stand_ins"] == ["rendered world scene"] and provenance["command"] == "dynode run reuse"
    assert rows == ROWS and [row.protocol for row in rows] == ["chain"]


def test_an_output_says_by_which_protocol_its_codes_were_made(out, world):
    encoded = clips.load("scene.day.encoder")
    table = out.table(TABLE, "mixed", shows=[world, encoded]).read_text()
    assert "codes: chain (scene.day); independent (scene.day.encoder)" in table
    made = (("a", "chain"), ("b", "independent"), ("c", "chain"))
    across = pooled([Row("mse", 1.0, clip=clip, protocol=protocol) for clip, protocol in made])
    assert [(row.protocol, row.n) for row in across] == [("chain, independent", 3)]


def test_a_face_beside_worlds_names_no_world(out, face, world):
    """The item shows both; what shows the face alone names nothing."""
    for shows, wanted in (([world], 1), ([face], 0)):
        figure = plots.memory([10, 100], [700.0, 710.0])
        out.figure(figure, "one", "nothing", shows=shows)
        assert len(lines_below(figure)) == wanted
        assert ("stand-ins" in out.table(TABLE, "one", shows=shows).read_text()) == bool(wanted)


def test_an_item_without_rows_fails(out, tmp_path):
    with pytest.raises(UserError, match="reuse measured nothing"):
        out.record([], shows=[])
    assert not (tmp_path / "reports").exists()


def test_a_figure_without_data_fails(out, tmp_path):
    empty = plots.categories([], ["hold", "linear"])
    with pytest.raises(UserError, match="figure categories of reuse has no data"):
        out.figure(empty, "categories", "nothing", shows=[])
    assert not (tmp_path / "figures").exists()


def pixels(figure: Figure) -> np.ndarray:
    """A figure as it is saved."""
    with io.BytesIO() as file, house_style():
        figure.savefig(file, format="png", bbox_inches=page(figure))
        return np.asarray(Image.open(file).convert("RGB"))


SURROUNDINGS = [
    {"figure.facecolor": "black", "axes.edgecolor": "red", "text.color": "white", "savefig.facecolor": "black"},
    {"font.family": "a font that is not here", "font.size": 30.0, "axes.titlesize": 40.0},
    {"text.usetex": True},
    {"figure.constrained_layout.use": False, "figure.dpi": 40.0, "savefig.dpi": 50.0, "savefig.bbox": "tight"},
    {"axes.grid": True, "lines.linewidth": 9.0, "axes.prop_cycle": matplotlib.cycler(color=["red"])},
]


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=lambda each: next(iter(each)))
def test_no_setting_around_it_changes_a_figure(surroundings):
    """As a matplotlibrc would, or a style that a session uses."""
    alone = pixels(plots.loss_curves({"a": [3.0, 2.0, 1.0]}, "a loss"))
    with matplotlib.rc_context(surroundings):
        assert np.array_equal(pixels(plots.loss_curves({"a": [3.0, 2.0, 1.0]}, "a loss")), alone)


def test_a_dark_session_changes_no_figure():
    alone = pixels(plots.memory([10, 100], [700.0, 710.0]))
    with style.context("dark_background"):
        assert np.array_equal(pixels(plots.memory([10, 100], [700.0, 710.0])), alone)


def test_a_figure_needs_no_window(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "backend", "tkagg")
    assert pixels(plots.memory([10, 100], [700.0, 710.0])).shape == (540, 975, 3)


def test_a_page_grows_where_a_text_would_be_cut_off():
    with house_style():
        figure = new_figure((2.0, 1.0))
        figure.set_layout_engine("none")
        assert page(figure).bounds == (0, 0, 2, 1)
        figure.text(0.5, 0.5, "a title that is longer than its figure is wide, by far")
        assert page(figure).x1 > 2 and page(figure).y1 == 1
