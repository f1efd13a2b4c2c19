"""Parameters hold their types however a notebook is run: by `dynode run`, papermill by hand, Jupyter or nbconvert."""

import json
import shlex
import sys
from types import SimpleNamespace

import nbformat
import pytest
import yaml

from dynode.errors import UserError
from dynode.evaluation import records
from dynode.experiments import items, notebooks, parameters
from dynode.runtime import ROOT

TABLE1 = "notebooks/09_compare_categories.ipynb"


def first_cell(item="table1", **values):
    """What the first cell of a notebook finds in its globals() after the parameters cell, and a cell of papermill's."""
    declared = parameters.declarations(items.item(item).notebook)
    injected = "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())
    cell = "item: str = 'table1'"
    history = ["", cell, injected, "from dynode import experiments\nsomething = 1"]
    return {name: each.default for name, each in declared.items()} | values | {"item": item, "In": history}


@pytest.mark.parametrize(
    "name, came, wanted",
    [
        ("samplings", "regular", ["regular"]),
        ("samplings", "regular,irregular", ["regular", "irregular"]),
        ("samplings", "[irregular]", ["irregular"]),
        ("samplings", ("irregular",), ["irregular"]),
        ("stride", "3", 3),
        ("records_of", "paper", "paper"),
    ],
)
def test_a_value_gets_the_declared_type(name, came, wanted):
    namespace = first_cell(**{name: came})
    notebooks.begin(namespace)
    assert namespace[name] == wanted


@pytest.mark.parametrize(
    "item, name, came",
    [
        ("table1", "stride", "abc"),
        ("table1", "stride", 3.5),
        ("table1", "stride", True),
        ("table1", "stride", None),
        ("table1", "samplings", None),
        ("table1", "samplings", 5),
        ("table1", "samplings", {"regular": 1}),
        ("table1", "records_of", 3),
        ("reuse", "changes", "nothing"),
        ("reuse", "transfers", ["scene.day", "scene.weather"]),
        ("reuse", "qualities", "best"),
        ("beyond", "known_fraction", "half"),
        ("dynamics_face", "source", "perhaps"),
    ],
)
def test_a_value_of_another_type_is_refused_in_a_sentence(item, name, came):
    with pytest.raises(UserError, match=f"^{name} wants an? (int|float|str|bool|list|dict) such as .*, got .*[.]$"):
        notebooks.begin(first_cell(item, **{name: came}))


@pytest.mark.parametrize("came, wanted", [("1", 1.0), (1, 1.0), ("1e-1", 0.1), (0.5, 0.5)])
def test_a_number_is_a_fraction_where_one_is_declared(came, wanted):
    namespace = first_cell("beyond", known_fraction=came)
    notebooks.begin(namespace)
    assert namespace["known_fraction"] == wanted and type(namespace["known_fraction"]) is float


def test_a_misspelt_parameter_is_an_error_with_the_nearest():
    with pytest.raises(UserError, match="no parameter 'samplngs', did you mean 'samplings'"):
        notebooks.begin(first_cell(samplngs=["regular"]))


def test_names_of_later_cells_are_no_parameters_when_the_first_cell_is_run_again():
    again = first_cell() | {"torch": 1}
    again["In"] = [*again["In"], "rows = 1", "figure = 2", again["In"][-1]]
    notebooks.begin(again)


def test_the_parameters_cell_that_ran_last_counts():
    twice = first_cell(samplngs=1)
    twice["In"] = [*twice["In"], "item: str = 'table1'", "from dynode import experiments"]
    notebooks.begin(twice)


def test_an_item_of_another_notebook_is_refused():
    with pytest.raises(UserError, match="00_meet_the_worlds.ipynb, whose parameter columns is missing"):
        notebooks.begin(first_cell() | {"item": "worlds"})
    with pytest.raises(UserError, match="no item 'table2', did you mean 'table1'"):
        notebooks.begin(first_cell() | {"item": "table2"})
    with pytest.raises(UserError, match="no profile 'smok', did you mean 'smoke'"):
        notebooks.begin(first_cell(profile="smok"))


def test_a_run_by_hand_records_what_it_was_and_what_would_repeat_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    monkeypatch.delenv(parameters.COMMAND, raising=False)
    out, _ = notebooks.begin(first_cell(profile="smoke", samplings="regular", read_items=["dynamics_face"]))
    _, provenance = records.read(out.record([records.Row("mse", 1.0)], shows=[]))
    repeated = "dynode run table1 --profile smoke -p 'samplings=[\"regular\"]'"
    assert provenance["command"] == f"{TABLE1} run by hand, the same as {repeated}"


def test_a_run_by_the_command_records_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    command = parameters.command_line("table1", "smoke", {"stride": 8, "records_of": "paper", "samplings": ["regular"]})
    with parameters.run_as(command):
        out, _ = notebooks.begin(first_cell(profile="smoke", stride=8))
    _, provenance = records.read(out.record([records.Row("mse", 1.0)], shows=[]))
    assert provenance["command"] == (
        "dynode run table1 --profile smoke -p stride=8 -p records_of=paper -p 'samplings=[\"regular\"]'"
    )


@pytest.mark.parametrize("value", ["text", "3", "yes", "", "a: b", ["x", 1], {"a.b": 1.5}, True, 2, 1e-3, "Müller"])
def test_a_recorded_value_reads_as_itself(value):
    text = parameters.command_line("table1", "smoke", {"name": value}).split("-p ")[1]
    (word,) = shlex.split(text)
    assert yaml.safe_load(word.removeprefix("name=")) == value


def test_expectations_hold_for_the_usual_parameters_only(capsys):
    usual = items.item("reuse").parameters["smoke"]
    _, checks = notebooks.begin(first_cell("reuse", profile="smoke", **usual))
    name, entry = next(iter(items.item("reuse").expected["smoke"].items()))
    with pytest.raises(AssertionError):
        checks.check(name, 2 * entry["value"])
    _, checks = notebooks.begin(first_cell("reuse", profile="smoke", stride=8, **usual))
    checks.check(name, 2 * entry["value"])
    assert "no expectation" in capsys.readouterr().out


@pytest.mark.parametrize("item", items.items())
def test_every_notebook_begins_with_the_check(item):
    cells = nbformat.read(ROOT / items.item(item).notebook, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert "parameters" in code[0].metadata["tags"]
    lines = [line for line in code[1].source.splitlines() if line and not line.startswith(("import ", "from "))]
    assert lines[0].startswith("out, checks = experiments.begin(globals())")


@pytest.mark.parametrize("item", items.items())
@pytest.mark.parametrize("profile", items.PROFILES)
def test_parameters_of_every_profile_have_their_declared_types(item, profile):
    declared = parameters.declarations(items.item(item).notebook)
    for name, value in (items.item(item).parameters.get(profile) or {}).items():
        assert declared[name].typed(value) == value
    for each in declared.values():
        assert each.typed(each.default) == each.default


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """Executes the notebook of table1 by papermill in a folder, under settings that a person may have."""
    import papermill

    for name, value in {"MPLBACKEND": "TkAgg", "TQDM_DISABLE": "1", "JUPYTER_PREFER_ENV_PATH": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    monkeypatch.delenv(parameters.COMMAND, raising=False)

    def execute(folder, **values):
        values = {"profile": "smoke", "read_items": "dynamics_face"} | values
        copy, kernel = str(tmp_path / "hand.ipynb"), {"kernel_name": "python3", "cwd": str(folder)}
        papermill.execute_notebook(str(ROOT / TABLE1), copy, values, progress_bar=False, **kernel)

    return execute


def test_papermill_by_hand_with_a_text_for_a_list_gives_the_tables_of_the_list(by_hand, tmp_path):
    by_hand(ROOT / "notebooks", samplings="regular")
    record = json.loads((tmp_path / "reports" / "records" / "table1.smoke.json").read_text())
    assert record["rows"] and "run by hand" in record["provenance"]["command"]
    assert (tmp_path / "figures" / "categories.smoke.png").stat().st_size > 10_000
    assert (tmp_path / "reports" / "tables" / "table1_code_regular.smoke.md").is_file()


def test_papermill_by_hand_with_a_misspelt_parameter_fails(by_hand, tmp_path):
    with pytest.raises(Exception, match="UserError: .* has no parameter 'samplngs', did you mean 'samplings'"):
        by_hand(tmp_path, samplngs=["regular"])
    assert not (tmp_path / "reports").exists()


def test_a_stop_within_a_destructor_is_not_printed_and_other_faults_are(monkeypatch):
    printed = []
    monkeypatch.setattr(sys, "__unraisablehook__", printed.append)
    stop, fault = (SimpleNamespace(exc_type=kind) for kind in (KeyboardInterrupt, ValueError))
    notebooks.without_stops(stop)
    notebooks.without_stops(fault)
    assert printed == [fault]
