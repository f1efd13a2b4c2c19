"""The grid of readings of the paper's settings: cells, rows, verdicts, table and figure."""

import pytest
import torch

from dynode.clips import Clip
from dynode.dynamics.presets import preset
from dynode.evaluation.records import Row, select
from dynode.experiments.ablations import paper_grid
from dynode.experiments.ablations.paper_grid import Reading
from dynode.reporting import plots

LITERAL = Reading(512, "raw codes", "frames", "default", 5)


@pytest.fixture(scope="module")
def rows():
    t = torch.arange(9) / 8
    ws = torch.stack([(6 * t).sin(), t, t * t], dim=1)[:, None].repeat(1, 2, 1)
    clip = Clip(ws, t, meta={"name": "curve"}).sampled("regular", 2)
    return paper_grid.grid_rows(clip, depths=(1, 2), widths=(8,), iterations=3)


def test_a_cell_without_changes_is_the_preset_paper():
    settings, paper = LITERAL.settings(5000), preset("paper")
    assert (settings.space, settings.clock, settings.field) == (paper.space, paper.clock, paper.field)
    assert settings.training.lr == paper.training.lr and settings.training.schedule == "constant"


def test_every_cell_is_another_reading():
    cells = paper_grid.readings((1, 2, 3, 4, 5), (512, 64))
    assert len({cell.variant for cell in cells}) == len(cells) == 2 * 3 * 2 * 2 * 5
    assert LITERAL in cells


def test_rows_say_how_long_each_cell_survived_and_what_it_reached(rows):
    survived = select(rows, metric="iterations_survived")
    assert len(survived) == 24 and all(0 <= row.value <= 3 for row in survived)
    still = select(
        rows, metric="share_of_variance", variant=Reading(8, "mean and RMS", "[0, 1]", "last layer zero", 1).variant
    )
    assert 0 < still[0].value < 10


def written(variant, survived, error=None):
    rows = [Row("iterations_survived", survived, variant=variant)]
    return rows + ([] if error is None else [Row("share_of_variance", error, variant=variant)])


def test_to_train_is_to_survive_and_to_beat_the_mean():
    names = [Reading(8, "raw codes", "frames", "default", depth).variant for depth in (1, 2, 3, 4)]
    made = written(names[0], 10, 0.4) + written(names[1], 10, 1.2) + written(names[2], 7, 0.3) + written(names[3], 10)
    assert list(paper_grid.trains(made, 10).values()) == [True, False, False, False]
    table = paper_grid.grid_table(made, 10)
    assert table.cells == [["8 wide", "raw codes", "frames", "default", "0.4", "1.2", "stops at 7", "no path"]]
    assert table.marks == {(0, 4): "best"}


def test_the_figure_has_a_panel_for_each_width_and_scale(rows):
    figure = plots.paper_grid(rows, 3)
    assert [axis.get_title(loc="left") for axis in figure.axes] == [f"{name}, 8 wide" for name in paper_grid.CODES]
    assert all(len(axis.patches) == 2 * 4 for axis in figure.axes)
