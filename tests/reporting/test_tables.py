"""Tables: ranks, spreads, and the paper's own line."""

from dynode.evaluation.records import Row, read
from dynode.reporting import plots
from dynode.reporting.outputs import Outputs
from dynode.reporting.tables import Table, categories_table, table1


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
    assert dynode.endswith("| 0.500 ± 0.000 |")


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


def test_a_note_stands_below_a_table_and_in_every_line_of_a_csv():
    table = Table(["method", "MSE"], [["ours", "1"], ["linear", "2"]], {}, note="stand-ins: a world")
    assert table.markdown().endswith("| linear | 2 |\n\nstand-ins: a world\n")
    assert "\\multicolumn{2}{l}{stand-ins: a world}" in table.latex()
    assert [line.split(",")[-1] for line in table.csv().splitlines()] == ["note", *["stand-ins: a world"] * 2]


def test_figures_tables_and_records_name_their_stand_ins(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    out, figure = Outputs("worlds", "smoke", ("rendered world scene",)), plots.memory([10, 100], [700.0, 710.0])
    out.figure(figure, "one", "nothing")
    assert [text.get_text() for text in figure.texts] == ["stand-ins: rendered world scene"]
    assert "rendered world scene" in out.table(Table(["a"], [["1"]], {}), "two").read_text()
    result, provenance = read(out.record([Row("mse", 1.0, clip="scene.day", n=2)]))
    assert provenance["stand_ins"] == ["rendered world scene"]
    assert result == [Row("mse", 1.0, clip="scene.day", n=2)]
