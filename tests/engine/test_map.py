"""experiments.yaml: its shape, what of the paper its items are, what they leave, and how `dynode list` shows them."""

import json
from collections import Counter

import jsonschema
import pytest
import yaml

from dynode import cli
from dynode.errors import UserError
from dynode.experiments import items, listing
from dynode.experiments.engine import machine, targets
from dynode.experiments.engine.targets import Plan
from dynode.runtime import ROOT

NAMES = list(items.items())


def shape() -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "experiments.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def known() -> dict:
    """The map as JSON has it: dates are texts."""
    text = (ROOT / "experiments.yaml").read_text(encoding="utf-8")
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_map_has_the_shape_of_its_schema():
    assert not [f"{list(error.absolute_path)}: {error.message}" for error in shape().iter_errors(known())]


@pytest.mark.parametrize(
    "change",
    [{"writse": {}}, {"paper_items": ["Fig 2"]}, {"writes": {"smoke": {"figures": ["a/b"]}}}, {"first": "soon"}]
    + [{"resources": {"paper": {"memory": 3}}}, {"notebook": "02.ipynb"}, {"parts": {"paper": {"groups": [[1], [2]]}}}],
)
def test_the_schema_refuses_what_no_item_means(change):
    other = known()
    other["items"]["table1"] |= change
    assert list(shape().iter_errors(other))


def test_what_the_paper_shows_has_the_items_that_regenerate_it():
    assert items.named("fig2.scene") == ["dynamics_scene"] and items.named("fig4") == ["tuning", "edit_clips"]
    assert items.named("fig2")[:3] == ["dynamics_face", "dynamics_heads", "dynamics_scene"]
    assert items.named("table1") == ["table1"] and items.named("app.table1") == ["compare_editing", "systems"]
    with pytest.raises(UserError, match="There is no item 'dynamics_scenes', did you mean 'dynamics_scene'"):
        items.named("dynamics_scenes")
    shown = Counter(paper for each in items.items().values() for paper in each.paper_items)
    assert {paper for paper, count in shown.items() if count > 1} == set()


def test_braces_stand_for_both():
    assert targets.expanded("a_{b,c}.{d,e}") == ["a_b.d", "a_b.e", "a_c.d", "a_c.e"]
    assert targets.expanded("edits{,_costs}") == ["edits", "edits_costs"]
    left = targets.written(items.item("table1"), "embedded")
    assert left[:2] == ["figures/categories.png", "figures/categories.pdf"] and len(left) == 2 + 3 * 6
    assert "reports/tables/table1_truth_irregular.embedded.tex" in left
    assert targets.written(items.item("worlds"), "smoke")[0] == "figures/worlds.smoke.png"


@pytest.mark.parametrize("profile", ["smoke", "embedded"])
def test_no_two_items_leave_the_same_file(profile):
    left = Counter(path for each in items.items().values() for path in targets.written(each, profile))
    assert left and max(left.values()) == 1


def test_parts_cover_their_lists_and_every_item_has_minutes():
    for each in items.items().values():
        assert items.minutes_of(each, "smoke") and items.minutes_of(each, "embedded")
        for profile in each.parts:
            parts = targets.elements(each, profile)
            assert len(parts) > 1 and all(list(part) == list(parts[0]) for part in parts)
    assert [len(part["clip_names"]) for part in targets.elements(items.item("rivals"), "embedded")] == [1, 1, 1, 1]
    assert [part["seeds"] for part in targets.elements(items.item("dynamics_bird"), "paper")] == [
        [0],
        [1],
        [2],
        [3],
        [4],
    ]


def test_the_longest_item_and_beside_it_small_ones_begin_first():
    plan = Plan("embedded", tuple(name for name in NAMES if name != "demo_codes"))
    begin = sorted(NAMES[:-1], key=plan.priority, reverse=True)
    assert begin[:4] == ["systems", "dynamics_flow", "dynamics_scene", "worlds"]


def test_more_is_asked_for_at_every_attempt(monkeypatch):
    monkeypatch.delenv("DYNODE_DEVICE", raising=False)
    plan = Plan("paper", ("dynamics_bird", "table1"), cluster=True)
    asked = plan.resources("dynamics_bird")
    first, second = ({name: each(None, k) if callable(each) else each for name, each in asked.items()} for k in (1, 2))
    assert first["gpu"] == 1 and second["runtime"] > first["runtime"] and second["mem_mb"] == 1.5 * first["mem_mb"]
    assert "gpu" not in Plan("paper", ("table1",), cluster=True).resources("table1")
    assert "gpu" not in Plan("embedded", ("table1",)).resources("table1")
    monkeypatch.setenv("DYNODE_DEVICE", "cpu")
    assert "gpu" not in plan.resources("dynamics_bird")


def test_the_list_has_what_is_there_of_each_item(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    assert cli.main(["list"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == list(listing.HEADER) and [line.split()[0] for line in lines] == NAMES
    (line,) = (line for line in lines if line.startswith("dynamics_scene"))
    assert "fig2.scene, table1.scene" in line and " shipped " in line and " PASS" in line


def test_ages_are_in_the_largest_unit():
    assert listing.age({"date": "2000-01-01T00:00:00+00:00"}).endswith(" d") and listing.age({}) == "-"


@pytest.mark.parametrize(
    ("limit", "expected"), [("150000 100000", 1), ("50000 100000", 1), ("300000 100000", 3), ("max 100000", 8), ("", 8)]
)
def test_the_cores_of_a_container_are_those_it_may_use(monkeypatch, tmp_path, limit, expected):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(machine, "QUOTA", tmp_path / "cpu.max")
    assert machine.cores() == 8
    machine.QUOTA.write_text(f"{limit}\n")
    assert machine.cores() == expected


def test_hidden_devices_are_not_counted(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CARDS", tmp_path)
    for name in "abc":
        (tmp_path / name).touch()
    for name in ("CUDA_VISIBLE_DEVICES", "DYNODE_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    assert machine.gpus() == 3 == machine.at_a_time(3)
    visible_ones = {"": 0, "1": 1, "-1": 0, "NoDevFiles": 0, "1,-1,2": 1, "GPU-8932f937": 1, "0, 2": 2}
    for visible, expected in visible_ones.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert machine.gpus() == expected
    for named, expected in (("cpu", 0), ("cuda:1", 1), ("auto", 2)):
        monkeypatch.setenv("DYNODE_DEVICE", named)
        assert machine.gpus() == expected
