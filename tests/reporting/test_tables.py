"""Tables: ranks, spreads, and the paper's own line."""

import dataclasses

import pytest
import torch

from dynode import metrics
from dynode.editing import random_samples
from dynode.evaluation.records import Row
from dynode.perception.attributes import ATTRIBUTES
from dynode.reporting.tables import (
    Table,
    categories_table,
    edit_measures_table,
    scores_table,
    short_comparison_table,
    table1,
)
from dynode.reporting.tables.edit_measures import READINGS


def rows():
    values = {"hold": (0.0, 4e-3), "linear": (0.0, 2e-3), "dynode": (1e-6, 1e-3)}
    result = []
    for method, (observed_value, unobserved_value) in values.items():
        for seed in (0, 1):
            identity = {"method": method, "sampling": "regular", "stride": 2, "seed": seed}
            result.append(Row("mse", observed_value, split="observed", paper=6.752e-3, **identity))
            result.append(
                Row("mse", unobserved_value * (1 + 0.1 * seed), split="unobserved", paper=35.397e-3, **identity)
            )
            result.append(Row("skill", 0.5, split="unobserved", **identity))
    return result


def test_best_is_bold_second_underlined_equals_share_their_rank():
    lines = table1(rows(), metrics=("mse",)).markdown().splitlines()
    hold, linear, dynode = (
        next(line for line in lines if f"| {name} |" in line) for name in ("hold", "linear", "dynode")
    )
    assert "**0.000 ± 0.000**" in hold and "**0.000 ± 0.000**" in linear and "<u>0.001 ± 0.000</u>" in dynode
    assert "**1.050 ± 0.071**" in dynode and "<u>2.100 ± 0.141</u>" in linear and "| 4.200 ± 0.283 |" in hold
    assert dynode.endswith("| 0.500 ± 0.000 |") and linear.endswith("| 0.000 ± 0.000 |")


def test_the_papers_numbers_stand_in_the_last_line():
    assert table1(rows(), metrics=("mse",)).cells[-1] == ["(paper)", "not stated", "", "paper", "6.752", "35.397", ""]


def test_latex_and_csv_hold_the_same_cells():
    table = table1(rows(), metrics=("mse",))
    assert r"\textbf{1.050 $\pm$ 0.071}" in table.latex() and table.latex().count("&") % (len(table.header) - 1) == 0
    assert table.csv().count("\n") == len(table.cells) + 1


def categories():
    """Two categories, the first of two clips with two seeds each, the second of one clip."""
    named = {"sampling": "regular", "stride": 4, "split": "unobserved"}
    values = {("face", "a"): (1e-3, 3e-3), ("face", "b"): (4e-3, 6e-3), ("bird", "c"): (7e-3,)}
    for (category, clip), seeds in values.items():
        for seed, value in enumerate(seeds):
            for method, factor in (("hold", 3.0), ("linear", 1.0)):
                own = {"category": category, "clip": clip, "method": method, "seed": seed, **named}
                yield Row("mse", value * factor, paper=0.035, **own)
                yield Row("mse", 9.0, reference="truth", **own)
                yield Row("skill", 1 - factor, **own)


def test_categories_are_means_over_clips_of_means_over_seeds():
    table = categories_table(list(categories()), metrics=("mse",), methods=("hold", "linear"))
    assert table.header == ["category", "clips", "method", "unobserved MSE x 1e3", "skill"]
    assert table.cells[1] == ["face", "2", "linear", f"3.500 ± {2.1213:.3f}", "0.000 ± 0.000"]
    assert table.cells[2] == ["face", "", "paper", "35.000", ""] and table.marks[1, 3] == "best"
    assert [line[:4] for line in table.cells[3:5]] == [
        ["bird", "1", "hold", "21.000"],
        ["bird", "1", "linear", "7.000"],
    ]
    truth = categories_table(list(categories()), metrics=("mse",), methods=("hold",), reference="truth")
    assert truth.cells[0][3] == "9000.000 ± 0.000"


def references():
    """A clip against its codes' own images and against the footage, where linear interpolation is ahead; the recorded skill."""
    named = {"clip": "a", "sampling": "irregular", "stride": 4, "split": "unobserved", "category": "face"}
    values = {"linear": (2e-3, 10e-3), "dynode": (1e-3, 11e-3)}
    for seed, scale in enumerate((1, 5)):
        for method, (code, source) in values.items():
            own = {"method": method, "seed": seed, **named}
            yield Row("mse", scale * code, **own)
            yield Row("mse", scale * source, reference="source", **own)
            yield Row("lpips_alex", 0.1, reference="source", **own)
            yield Row("skill", 0.5 if method == "dynode" else 0.0, **own)  # against the code


@pytest.mark.parametrize(("reference", "skill"), [("code", "0.500 ± 0.000"), ("source", "-0.100 ± 0.000")])
def test_each_table_has_the_skill_of_its_own_errors(reference, skill):
    table = table1(list(references()), methods=("linear", "dynode"), reference=reference)
    assert [line[-1] for line in table.cells] == ["0.000 ± 0.000", skill, ""]
    across = categories_table(list(references()), reference=reference, sampling="irregular")
    assert {line[2]: line[-1] for line in across.cells}["dynode"] == skill.partition(" ")[0]


def test_lpips_stands_beside_the_mse():
    header = table1(list(references()), reference="source").header
    assert header[4:] == ["unobserved MSE x 1e3", "unobserved LPIPS-Alex", "skill"]


def test_there_is_no_skill_without_linear_interpolation_of_the_same_frames():
    rows = list(references())
    apart = [row for row in rows if row.method != "linear" or row.seed == 0]
    (line,) = (line for line in table1(apart).cells if "dynode" in line)
    assert line[-1] == "0.500"  # of the seed 0 alone: the other one has drawn other frames
    once = [dataclasses.replace(row, sampling="regular") for row in apart]
    (line,) = (line for line in table1(once).cells if "dynode" in line)
    assert line[-1] == f"{-0.5:.3f} ± {1.4142:.3f}"  # at regular times all seeds have the same frames
    assert all(line[-1] == "" for line in table1([row for row in rows if row.method != "linear"]).cells)


def test_a_note_stands_below_a_table_and_in_every_line_of_a_csv():
    table = Table(["method", "MSE"], [["ours", "1"], ["linear", "2"]], {}, note="stand-ins: a world")
    assert table.markdown().endswith("| linear | 2 |\n\nstand-ins: a world\n")
    assert "\\multicolumn{2}{l}{stand-ins: a world}" in table.latex()
    assert [line.split(",")[-1] for line in table.csv().splitlines()] == ["note", *["stand-ins: a world"] * 2]


def test_a_terminal_shows_aligned_columns_whose_last_one_is_wrapped():
    cells = [
        ["by a network:", "", ""],
        ["a", "1.5", "a long remark that does not fit into what is left"],
        ["bcd", "", ""],
    ]
    text = Table(["measure", "value", "remark"], [*cells, ["bcd", "-20.25", "short"]], {}, note="A note.").text(40)
    assert text.splitlines() == [
        "measure   value  remark",
        "by a network:",
        "a           1.5  a long remark that does",
        "                 not fit into what is",
        "                 left",
        "bcd",
        "bcd      -20.25  short",
        "A note.",
    ]


def edit_measures() -> list[Row]:
    """What `evaluate-edit` measures with two identity networks: the source's own numbers, and those of the edited video."""
    rows = []
    for network in ("mobilefacenet, faces found anew", "dlib, faces found anew"):
        for metric in ("tl_id", "tg_id", "acd", "acd_adjacent", "acd_reference", "edit_id", "src_id"):
            rows.append(Row(metric, 0.9, clip="talk", method="out", reference=network))
        rows.append(Row("acd", 0.3, clip="talk", method="source", reference=network))
        rows.append(Row("frames_without_face", 2, clip="talk", method="out", reference=network))
    for metric in ("warping_error", "motion_ratio", "flow_ratio", "flow_agreement"):
        rows.append(Row(metric, 1e-3, clip="talk", method="out", reference="tvl1 at 256 pixels"))
    rows.append(Row("warping_error", 2e-3, clip="talk", method="source", reference="tvl1 at 256 pixels"))
    distance = {"method": "out", "reference": "25 clips of 16 frames, 448 dimensions"}
    return [*rows, Row("frechet_video_distance[transnetv2]", 12.3, clip="talk", **distance)]


def test_the_measures_of_an_edit_fit_a_terminal_and_say_how_they_are_read():
    table = edit_measures_table(edit_measures(), ("Stand-in: video features: transnetv2 for I3D.", "word " * 40))
    lines = table.text().splitlines()
    assert max(map(len, lines)) <= 80
    assert "dlib, faces found anew:" in lines
    assert "frechet_video_distance[transnetv2], 25 clips of 16 frames, 448 dimensions:" in lines
    assert ["  ACD, all pairs", "lower", "0.300", "0.900", "distance; 0: frozen"] in table.cells
    assert ["  warping error x 1e3", "lower", "2.000", "1.000", "flicker; 0: none"] in table.cells
    measures = [line for line in table.cells if any(line[1:])]
    assert len(measures) == 2 * 8 + 4 + 1 and all(line[4] for line in measures)


def test_every_measure_of_edits_has_a_reading():
    assert {each.name for each in metrics.columns("edits")} <= READINGS.keys()


def test_scores_stand_beside_those_of_random_faces():
    random = {"smile": torch.linspace(0, 1, 101), "yaw": torch.tensor([-10.0, 0.0, 10.0, torch.nan])}
    scores = {"smile": torch.tensor([0.85]), "yaw": torch.tensor([20.0])}
    units = {"smile": "eye distances", "yaw": "degrees"}
    table = scores_table(scores, units, random, "A note.")
    assert table.header == ["attribute", "value", "unit", "middle half", "are below"]
    assert table.cells == [
        ["smile", "0.85", "eye distances", "0.25 to 0.75", "84%"],
        ["yaw", "20.00", "degrees", "-5.00 to 5.00", "100%"],
    ]
    several = scores_table({"smile": torch.tensor([0.25, 0.35, torch.nan])}, units, random)
    assert several.header[1:3] == ["mean", "std"] and several.cells[0][1:3] == ["0.30", "0.07"]
    unmeasured = scores_table({"smile": torch.tensor([torch.nan])}, units, random)
    assert unmeasured.cells[0] == ["smile", "", "eye distances", "0.25 to 0.75", ""]


def test_the_shipped_scores_of_random_faces_are_those_of_every_attribute():
    random, note = random_samples.shipped_faces()
    assert list(random) == list(ATTRIBUTES) and {len(scores) for scores in random.values()} == {3000}
    text = scores_table(
        {name: values[:3] for name, values in random.items()},
        {name: each.unit for name, each in ATTRIBUTES.items()}, random, note,
    ).text()  # fmt: skip
    assert "3000 of mobilestylegan-ffhq" in text and max(map(len, text.splitlines())) <= 80


def test_a_comparison_of_fits_says_what_is_better():
    named = {"method": "dynode", "variant": "talk", "split": "unobserved"}
    values = [Row("mse", 1e-3, **named), Row("ssim", 0.9, **named), Row("skill", 0.1, **named)]
    assert short_comparison_table(values).note == (
        "MSE x 1e3: lower is better; SSIM %, skill: higher is better; skill 0 is linear interpolation, 1 no error."
    )
