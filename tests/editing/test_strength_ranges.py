"""Strength ranges of shipped editors: every one has a range, ladders cover it, and editors that turn back are detected."""

from types import SimpleNamespace

import pytest
import torch

from dynode.editing import editors, strength_ranges
from dynode.editing.editor_files import FORMATS
from dynode.editing.latent_flow import FlowSettings, LatentFlow
from dynode.editing.strength_ranges import StrengthRange
from dynode.evaluation import editor_quality, records
from dynode.evaluation.editor_quality import EditorEvaluator, ImageScores
from dynode.evaluation.records import select
from dynode.reporting import plots, tables
from dynode.runtime import ROOT


def test_every_editor_that_ships_has_a_range_and_nothing_else_has():
    shipped = set()
    for method, kind in FORMATS.items():
        if method != "interfacegan":
            for name in kind.shipped():
                category, _, attribute = name.partition(".")
                shipped.add((category, f"{method}:{attribute}"))
    (planes,) = FORMATS["interfacegan"].shipped().values()
    shipped |= {("face", f"interfacegan:{name}") for name in FORMATS["interfacegan"].card(planes)["names"]}
    ranges = {(category, name) for category, known in strength_ranges.SHIPPED.items() for name in known}
    assert {each for each in ranges if not each[1].startswith(strength_ranges.UNNAMED)} == shipped
    for known in strength_ranges.SHIPPED.values():
        assert all(each.low <= 0 < each.default <= each.high for each in known.values())


def test_a_ladder_holds_the_ends_nothing_and_the_strength_used():
    assert StrengthRange(1.0, -2.0, 3.0).ladder() == [-2, 0, 1, 3]
    assert StrengthRange(1.0, -2.0, 3.0).ladder(2) == [-2, -1, 0, 0.5, 1, 2, 3]
    assert StrengthRange(4.0, 0.0, 4.0).ladder(2) == [0, 2, 4]


def test_a_strength_beyond_the_range_is_told_and_one_within_is_not():
    assert strength_ranges.range_warning("styleclip:mountain", 1.0, "scene") == ""
    assert "outside its range, -1 to 1" in strength_ranges.range_warning("styleclip:mountain", 1.5, "scene")
    assert "outside its range, -3 to 3" in strength_ranges.range_warning("interfacegan:smile|age", -4.0, "face")
    assert (
        strength_ranges.range_warning("interfacegan:smile@own.safetensors", 9.0, "face")
        == strength_ranges.range_warning("flow:fog", 99, "bird")
        == ""
    )


class Colours:
    """Codes of three numbers, which are the picture's colours and its scores; the second goes round after 8."""

    name, num_ws, w_dim, resolution = "tiny", 1, 3, 8
    w_avg = torch.zeros(3)

    def synthesis(self, ws, resolution=None):
        return ws[:, 0, :, None, None].expand(-1, -1, 8, 8)


@pytest.fixture
def judge(monkeypatch) -> EditorEvaluator:
    made = object.__new__(EditorEvaluator)
    made.generator, made.category, made.device = Colours(), "scene", "cpu"
    made.scorer = SimpleNamespace(names=("glow", "hour", "sky"), periods=torch.tensor([0.0, 8.0, 0.0]))
    made.samples = SimpleNamespace(std=torch.tensor([1.0, 2.0, 1.0]))
    made.score_codes = lambda ws: ImageScores(ws[:, 0])
    return made


class Bends:
    """Adds strength to the glow up to 1, then takes it away again; half as much to the sky."""

    name, space = "plain glow", "w+"

    def edit(self, ws, strength, rows=0):
        moved = min(strength, 2 - strength)
        return ws + torch.tensor([moved, 0.0, moved / 2])


def test_an_editor_that_turns_back_beyond_its_range_is_found_out(judge, monkeypatch):
    monkeypatch.setitem(editors.METHODS.load(), "plain", lambda attribute, generator: Bends())
    ws = torch.zeros(5, 1, 3)
    rows = editor_quality.ladder_rows(judge, {"plain:glow": StrengthRange(1.0, -1.0, 1.0)}, ws, 2)
    own = {row.variant: row.value for row in select(rows, metric="own_change")}
    assert own == {"-1": -1, "-0.5": -0.5, "+0": 0, "+0.5": 0.5, "+1": 1}
    (step,), (leak,) = (select(rows, metric="smallest_step"), select(rows, metric="leakage", variant="+1"))
    assert step.value == pytest.approx(0.5) and (step.method, step.reference) == ("plain:glow", "glow")
    assert leak.value == pytest.approx(0.25)  # half of it in one of two others
    far = editor_quality.ladder_rows(judge, {"plain:glow": StrengthRange(1.0, -1.0, 1.5)}, ws, 2)
    assert select(far, metric="smallest_step")[0].value == pytest.approx(-0.25)
    lines = tables.ladders_table(rows).cells
    assert lines[0][:5] == ["scene", "plain:glow", "glow", "1", "-1: -1.00; -0.5: -0.50; +0.5: 0.50; +1: 1.00"]
    named = dict(zip(tables.ladders_table(rows).header, lines[0], strict=True))
    assert named["one way"] == "yes" and named["most changed beside it"] == "sky +0.50"
    assert tables.ladders_table(far).cells[0][5] == "no"


def test_a_step_counts_in_the_direction_that_the_editor_takes(judge, monkeypatch):
    monkeypatch.setitem(editors.METHODS.load(), "plain", lambda attribute, generator: Bends())
    falls = {"plain:glow": StrengthRange(3.0, 0.0, 4.0)}
    rows, closer = (editor_quality.ladder_rows(judge, falls, torch.zeros(2, 1, 3), rungs) for rungs in (1, 3))
    assert [row.value for row in select(rows, metric="own_change")] == [0, -1, -2]
    assert select(rows, metric="smallest_step")[0].value == pytest.approx(1)
    assert select(closer, metric="smallest_step")[0].value == pytest.approx(-1)  # it rises to 1 before


def test_what_leads_to_a_place_on_a_circle_counts_by_how_much_nearer_it_comes(judge):
    before, after = (
        ImageScores(torch.tensor([[0.0, 6.0, 0.0], [0.0, 2.0, 0.0]])),
        ImageScores(torch.tensor([[0.0, 7.5, 0], [0, 1, 0]])),
    )
    assert judge.own_change(before, after, 1).tolist() == pytest.approx([0.75, -0.5])
    assert judge.own_change(before, after, 1, towards=0).tolist() == pytest.approx([0.75, 0.5])  # both come nearer
    assert judge.own_change(before, after, 0, towards=3).tolist() == [0, 0]  # no circle: more is more
    assert (
        LatentFlow(FlowSettings("hour", target=7), 4).target_class == 7
        and LatentFlow(FlowSettings("hour"), 4).target_class is None
    )


def test_the_figures_have_a_panel_for_each_attribute_and_a_line_for_each_editor(judge, monkeypatch):
    monkeypatch.setitem(editors.METHODS.load(), "flow", lambda attribute, generator: Bends())
    monkeypatch.setitem(editors.METHODS.load(), "styleclip", lambda attribute, generator: Bends())
    known_ranges = {
        "flow:glow": StrengthRange(1.0, -1.0, 1.0),
        "styleclip:1": StrengthRange(0.5, -1.0, 1.0, "sky"),
        "styleclip:glow": StrengthRange(0.5, 0.0, 1.0),
    }
    rows = editor_quality.ladder_rows(judge, known_ranges, torch.zeros(3, 1, 3))
    shown = [axis for axis in plots.ladders(rows).axes if axis.get_visible()]
    assert [axis.get_title() for axis in shown] == ["scene:\nglow", "scene:\nsky"]
    curves = [line.get_xdata().tolist() for line in shown[0].lines if len(line.get_xdata()) > 2]
    assert curves == [[-1, 0, 1], [0, 1, 2]]  # in units of the strength used
    figure = plots.editors(rows)
    assert len(figure.axes) == 2  # nobody looked at identity
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["scene: glow, 1", "scene: component 1 (sky), 0.5", "scene: glow, 0.5"]


def test_the_record_of_the_project_holds_every_editor_that_ships():
    rows, _ = records.read(ROOT / "reports" / "recorded" / "edit_clips.embedded.json.xz")
    graded = {(row.category, row.method): row.value for row in select(rows, metric="strength_used")}
    wanted = {
        (category, name): each.default
        for category, known in strength_ranges.SHIPPED.items()
        for name, each in known.items()
    }
    assert graded == wanted
