"""Claims are functions of rows: each verdict, what is legal, and how they were carried over from the numbers of notebooks."""

import json
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments import items
from dynode.experiments.claims import Kind, judge, printed, recorded
from dynode.experiments.claims.declared import claim_of, claims_of
from dynode.experiments.claims.quantities import QUANTITIES
from dynode.runtime import ROOT

PLAIN = {
    "id": "error",
    "statement": "the error is small",
    "source": "ours",
    "row": {"metric": "mse", "method": "ours"},
    "at_most": 1.0,
}


def judged(rows, profile="embedded", **changes):
    """The verdict on one claim of an item."""
    entry = {key: value for key, value in {**PLAIN, **changes}.items() if value is not None}
    (verdict,) = judge(rows, replace(items.item("worlds"), name="item", claims=claims_of("item", [entry])), profile)
    return verdict


def row(value, method="ours", **fields):
    return Row(**{"metric": "mse", "value": value, "method": method, **fields})


@pytest.mark.parametrize(
    "kind, rows, changes",
    [
        (Kind.PASS, [row(0.5)], {}),
        (Kind.FAIL, [row(1.5)], {}),
        (Kind.PASS, [row(0.5), row(1.5, "hold")], {"control": {"method": "hold"}}),
        (Kind.TOO_EASY, [row(0.5), row(0.9, "hold")], {"control": {"method": "hold"}}),
        (Kind.FAIL, [row(1.5), row(0.9, "hold")], {"control": {"method": "hold"}}),
        (Kind.TOO_EASY, [row(0.5)], {"easy": "it holds by construction"}),
        (Kind.MISSING, [row(0.5, "hold")], {}),
        (Kind.NOT_JUDGED, [row(0.5)], {"row": None, "at_most": None, "unmeasured": "no record has it"}),
        (Kind.NOT_JUDGED, [row(0.5, "hold")], {"unmeasured": "no record has it"}),
        (Kind.FAIL, [row(1.5)], {"unmeasured": "no record had it"}),
        (Kind.PASS, [row(1.5)], {"at_most": None, "at_least": 1.2}),
        (Kind.FAIL, [row(1.1)], {"at_most": None, "at_least": 1.2}),
    ],
)
def test_every_kind_of_verdict(kind, rows, changes):
    assert judged(rows, **changes).kind is kind


def test_an_order_is_judged_beside_every_method_that_it_lists():
    rows = [row(0.5), row(1.0, "gru"), row(0.4, "latent_ode")]
    order = {"to": {"method": ["gru", "latent_ode"]}, "quantity": "share_of_best"}
    assert judged(rows, **order).kind is Kind.FAIL
    few = judged(rows[:2], **order)
    assert few.kind is Kind.NOT_JUDGED and few.note.endswith("no row of latent_ode")


def test_a_smoke_run_judges_nothing():
    assert judged([row(5.0)], "smoke").kind is Kind.NOT_JUDGED


def test_the_worst_combination_is_the_claims_and_seeds_are_averaged_first():
    rows = [row(0.2, clip="a", stride=2, seed=0), row(2.2, clip="a", stride=2, seed=1), row(0.9, clip="b", stride=4)]
    verdict = judged(rows, over=["clip", "stride"])
    assert verdict.kind is Kind.FAIL and verdict.worst is not None
    assert (verdict.worst.at, verdict.worst.value) == ("a, stride 2", pytest.approx(1.2))
    assert [case.kind for case in verdict.cases] == [Kind.FAIL, Kind.PASS]


def test_a_control_is_judged_by_combination():
    rows = [row(0.5, clip="a"), row(0.5, clip="b"), row(0.9, "hold", clip="a"), row(3.0, "hold", clip="b")]
    verdict = judged(rows, over=["clip"], control={"method": "hold"})
    assert verdict.kind is Kind.TOO_EASY and [case.kind for case in verdict.cases] == [Kind.TOO_EASY, Kind.PASS]


def test_several_rows_where_one_is_meant_are_an_error_that_says_in_what_they_differ():
    with pytest.raises(UserError, match="2 rows where a value wants one: they differ in clip"):
        judged([row(0.5, clip="a"), row(0.6, clip="b")])


@pytest.mark.parametrize(
    "rows, changes, surprise",
    [
        ([row(0.5)], {}, ""),
        ([row(1.5)], {}, "no reason is known"),
        ([row(1.5)], {"known": "it is hard"}, ""),
        ([row(0.5)], {"known": "it is hard"}, "does not fail any more"),
        (
            [row(0.5), row(0.1, "hold")],
            {"known": "it is hard", "control": {"method": "hold"}},
            "does not fail any more",
        ),
        ([row(1.5, clip="a"), row(0.5, clip="b")], {"over": ["clip"], "known": "hard", "known_at": ["a"]}, ""),
        ([row(1.5, clip="a"), row(1.5, clip="b")], {"over": ["clip"], "known": "hard", "known_at": ["a"]}, "at b too"),
        (
            [row(1.5, clip="a"), row(0.5, clip="b")],
            {"over": ["clip"], "known": "hard", "known_at": ["a", "b"]},
            "does not fail any more at b",
        ),
        ([], {"known": "it is hard"}, ""),
    ],
)
def test_a_fail_needs_a_reason_and_a_reason_needs_a_fail(rows, changes, surprise):
    verdict = judged(rows, **changes)
    assert surprise in verdict.unexplained and bool(surprise) is bool(verdict.unexplained)
    one = recorded.Judged(items.item("worlds"), [verdict], ROOT)
    assert printed.exit_code([one]) == (1 if surprise else 3 if not rows else 0)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (
            {"at_mots": 1},
            "There is no field of the claim error of item, 'at_mots', did you mean 'at_most'; legal are .*known",
        ),
        ({"row": {"metrik": "mse"}}, "no field of rows in the claim error of item, 'metrik', did you mean 'metric'"),
        ({"over": ["clips"]}, "'clips', did you mean 'clip'"),
        ({"quantity": "ration"}, "'ration', did you mean 'ratio'"),
        ({"quantity": {"name": "categories_above", "abov": 1}}, "no option of categories_above .* 'abov'"),
        ({"source": "somebody"}, "The source of the claim error of item is 'somebody'"),
        ({"at_least": 0.5}, "needs one bound"),
        ({"at_most": None}, "needs one bound"),
        ({"at_most": "0.5"}, "The bound of .* is .0.5.: it is a number"),
        ({"at_most": True}, "it is a number, without quotes"),
        ({"row": None}, "has neither rows nor 'unmeasured'"),
        ({"statement": None}, "has no 'statement'"),
    ],
)
def test_a_claim_that_is_none_is_an_error_naming_what_is_legal(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        claim_of("item", {key: value for key, value in {**PLAIN, **changes}.items() if value is not None})
    with pytest.raises(UserError, match="two claims 'error'"):
        claims_of("item", [PLAIN, PLAIN])


def quantity(name, rows, others=(), **options):
    return QUANTITIES[name](rows, list(others), **options)


def test_quantities_of_counts_and_ratios():
    rows = [row(1.0, category="a"), row(3.0, category="a", clip="x"), row(-1.0, category="b")]
    assert quantity("mean", rows) == 1.0 and quantity("highest", rows) == 3.0 and quantity("lowest", rows) == -1.0
    assert quantity("growth", rows[:2]) == 3.0 and quantity("count_not_above_zero", rows) == 1
    assert quantity("categories_above", rows, above=0.5) == 1 and quantity("lowest_category", rows) == -1.0
    assert quantity("ratio", rows[:1], rows[:2]) == 0.5 and quantity("ratio", rows, []) is None
    assert [quantity("ratio", [row(6.0, "hold")], [row(linear, "linear")]) for linear in (2.0, 6.0)] == [3.0, 1.0]
    others = [row(1.9, "b", category="a"), row(0.0, "b", category="b"), row(2.5, "c", category="a")]
    assert quantity("categories_ahead", rows, others[:2]) == 1 and quantity("categories_ahead", rows, others) == 0
    assert quantity("share_of_best", rows[:1], [row(4.0, "b"), row(2.0, "c"), row(4.0, "c")]) == pytest.approx(1 / 3)
    theirs = [replace(each, value=each.value - 0.5, method="host") for each in rows[:2]]
    assert quantity("gain", rows[:2], theirs) == pytest.approx(0.5)
    assert quantity("gain", rows[:2], theirs, lower_is_better=True) == pytest.approx(-0.5)
    used = [row(2.0, "editor", metric="strength_used")]
    assert (
        quantity("lowest_at_strength_used", [row(0.7, "editor", variant="+2"), row(0.1, "editor", variant="+3")], used)
        == 0.7
    )
    assert all(
        QUANTITIES[name]([], []) is None for name in QUANTITIES if name not in ("categories_above", "count_below")
    )


# What each item claimed before claims were functions of records, in the notebooks' own numbers: none may go or get weaker.
CARRIED = {
    "worlds": {"precision": 0.7, "recall": 0.4, "told_apart": -0.8},
    "invert_face": {"mean_mse": -0.008, "mean_lpips_vgg": -0.17, "mean_identity": 0.75},
    "dynamics_face": {"observed_mse": -1e-3, "observed_ssim": 0.99},
    "dynamics_heads": {"observed_mse": -1e-3, "observed_ssim": 0.99},
    "dynamics_beats": {"share_of_best_rival": -0.25},
    "spaces": {"observed_mse": -1e-3, "encoder_mse_ratio": -1.5, "encoder_passes_mse_ratio": -1.5}
    | {"encoder_seconds_ratio": -0.1},
    "interpolation": {"memory_growth": -1.1},
    "rivals": {"categories_above_tenth": 3, "lowest_skill": -0.02, "categories_ahead": 2},
    "ablations": {"autonomous_misses_over_time": 1},
    "compare_editing": dict.fromkeys(("tl_id_gain", "tg_id_gain", "acd_gain", "frechet_gain"), 0.0)
    | {"paste_back_mean": -0.5, "paste_back_p99": -3.0, "paste_back_outside": -0.0, "cheek_difference": -3.0},
    "edit_clips": {"lowest_identity_of_heads": 0.6, "editors_not_monotone": -0, "lowest_identity_at_strength_used": 0.6}
    | {
        f"{name}_offset_over_unedited": -1.0
        for name in ("isaac3d.robot_x_sand_wall", "isaac3d.robot_x_lighting_intensity", "scene.winter_fog")
        + ("scene.day_fog", "scene.day_mountain")
    },
    "demo_codes": {"demo_field_norm_error": -1e-5, "demo_start_error": -0.0, "demo_later_codes_at_least": 0.593}
    | {"demo_later_codes_at_most": -1.2, "robust_share_of_variance": -0.01, "subspace_share_of_variance": -0.01}
    | {"exact_share_of_variance": -1e-6, "dynode_share_of_variance": -0.01, "demo_seconds_over_exact": 2000},
}
PAPER = ("observed_mse", "observed_ssim", "unobserved_mse", "unobserved_ssim")


@pytest.mark.parametrize("name", CARRIED)
def test_no_claim_of_before_is_gone_or_has_another_bound(name):
    claims = {claim.id: claim for claim in items.item(name).claims}
    for key, bound in CARRIED[name].items():
        assert claims[key].bound == abs(bound) or (key, claims[key].bound) == ("lowest_skill", -0.02)
        at_least = claims[key].at_least is not None
        assert at_least is (
            bound > 0 or key in ("tl_id_gain", "tg_id_gain", "acd_gain", "frechet_gain", "lowest_skill")
        )
        assert not claims[key].added


@pytest.mark.parametrize("world", ["scene", "bird", "isaac3d", "flow"])
def test_the_claims_of_worlds_are_those_of_before(world):
    claims = {claim.id: claim for claim in items.item(f"dynamics_{world}").claims}
    assert {*PAPER} <= claims.keys() and not any(claims[key].added for key in PAPER)
    if world != "flow":
        assert claims["projection_ssim"].at_least == 0.92 and claims["projection_lpips_alex"].at_most == 0.12
        assert claims["hold_over_linear_stride_4"].at_least == 3


@pytest.mark.parametrize("name", [name for name, item in items.items().items() if "Table 1" in item.regenerates])
def test_a_claim_from_table_1_has_the_papers_own_number(name):
    for claim in items.item(name).claims:
        if claim.source == "paper, Table 1":
            assert claim.bound == items.item(name).paper[claim.row["metric"]][claim.row["split"]]
            assert claim.control == {"method": "hold"}


def shipped(name):
    return recorded.judge_record(items.item(name), shipped=recorded.SHIPPED)


def verdicts_of(name):
    return {verdict.claim.id: verdict for verdict in shipped(name).verdicts}


def test_a_gain_of_the_rows_is_the_one_that_the_notebook_recorded():
    rows, _ = records.read(recorded.path_of("compare_editing", "embedded", recorded.SHIPPED))
    for name in ("tl_id_gain", "tg_id_gain", "acd_gain", "frechet_gain"):
        (own,) = records.select(rows, metric=name)
        (case,) = verdicts_of("compare_editing")[name].cases
        assert case.value == pytest.approx(own.value, rel=1e-6)


def test_an_order_is_judged_on_as_many_clips_as_it_wants():
    rows = [row(0.5, clip=clip) for clip in ("one", "two", "all")]
    few, enough = (judged(part, clips=2, over=["clip"]) for part in (rows[:1] + rows[2:], rows))
    assert few.kind is Kind.NOT_JUDGED and few.note == "an order wants 2 clips, the record has 1"
    others = [row(0.5, clip="all"), row(0.5, clip="one", metric="ssim"), row(0.5, "another", clip="two", metric="ssim")]
    assert judged(others, clips=2).kind is Kind.NOT_JUDGED  # the second clip is of another method
    other_metric = [row(0.5, clip="one", metric="ssim")]  # a short run lacks rows that the long one has
    assert judged(other_metric, clips=2).kind is Kind.NOT_JUDGED and judged([], clips=2).kind is Kind.MISSING
    assert enough.kind is Kind.PASS


def test_an_order_of_several_categories_wants_its_clips_in_each():
    both = {"metric": "mse", "method": "ours", "category": ["bird", "scene"]}
    birds = [row(0.5, clip=name, category="bird") for name in ("one", "two")]
    scenes = [row(0.5, clip=name, category="scene") for name in ("three", "four")]
    changes = {"row": both, "clips": 2, "over": ["category", "clip"]}
    assert judged(birds + scenes, **changes).kind is Kind.PASS
    assert judged(birds + scenes[:1], **changes).note == "an order wants 2 clips, the record has 1 of scene"
    assert judged(birds, **changes).note == "an order wants 2 clips, the record has 0 of scene"
    assert judged([], **changes).kind is Kind.MISSING


def test_a_claim_on_a_bench_is_judged_by_the_benchs_record(tmp_path, monkeypatch):
    bench = [row(value, metric="seconds", method=method) for method, value in {"ours": 30.0, "host": 100.0}.items()]
    records.write(tmp_path / "bench_toy.json.xz", "bench", "", bench, {})
    monkeypatch.setattr(recorded, "SHIPPED", tmp_path)
    changes = {"record": "bench_toy", "row": {"metric": "seconds", "method": "ours"}, "to": {"method": "host"}}
    verdict = judged([], **changes, quantity="ratio")
    assert verdict.kind is Kind.NOT_JUDGED and "its rows are in the record bench_toy" in verdict.note
    assert recorded.by_bench(verdict).kind is Kind.PASS and recorded.by_bench(verdict).cases[0].value == 0.3
    plain = judged([row(2.0)], known="it is hard")
    assert recorded.by_bench(plain) is plain


def test_the_record_of_a_long_run_is_the_one_that_ships(tmp_path):
    short, long = (tmp_path / f"reuse.{profile}.json.xz" for profile in ("embedded", "recorded"))
    records.write(short, "reuse", "embedded", [], {})
    assert recorded.path_of("reuse", "embedded", tmp_path) == short
    records.write(long, "reuse", "recorded", [], {})
    assert (
        recorded.path_of("reuse", "embedded", tmp_path)
        == long
        == recorded.judge_record(items.item("reuse"), shipped=tmp_path).path
    )


def test_every_claim_of_the_shipped_records_is_as_expected():
    judged_items = [shipped(name) for name in items.items()]
    surprises = {each.id: each.unexplained for one in judged_items for each in one.verdicts if each.unexplained}
    assert surprises == {} and printed.exit_code(judged_items, recorded=True) in (0, 3)


def test_every_claim_that_a_statement_names_is_there():
    every = [f"{item.name}.{claim.id}" for item in items.items().values() for claim in item.claims]
    for statement in items.statements():
        for pattern in statement.claims:
            assert any(each.startswith(pattern[:-1]) if pattern.endswith("*") else each == pattern for each in every)
    assert {"computation", "memory"} <= {statement.id for statement in items.statements()}


def record_in(folder, name, rows, **provenance):
    path = folder / "reports" / "records" / f"{name}.embedded.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return records.write(path, name, "embedded", rows, {"date": "2026-12-01", **provenance})


def test_a_record_of_other_parameters_or_another_notebook_is_stale(tmp_path, monkeypatch):
    from dynode.experiments import origin
    from dynode.experiments.parameters import declarations, usual

    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    item = items.item("interpolation")
    peaks = {10: 10.0, 100: 10.5, 1000: 10.5}
    rows = [Row("peak_memory", peak, variant=f"{n} frames") for n, peak in peaks.items()]
    stamp = origin.stamp(item.notebook, usual(item, "embedded", declarations(item.notebook)))
    for changes, kind, code in (
        ({}, Kind.PASS, 0),
        ({"notebook": "0"}, Kind.STALE, 1),
        ({"parameters": stamp["parameters"] | {"stride": 3}}, Kind.STALE, 1),
    ):
        record_in(tmp_path, "interpolation", rows, **{**stamp, **changes})
        one = recorded.judge_record(item)
        assert {each.kind for each in one.verdicts} == {kind} and printed.exit_code([one]) == code


def test_a_record_that_names_another_method_so_is_stale_and_a_missing_one_says_what_makes_it(tmp_path, monkeypatch):
    verdict = verdicts_of("demo_codes")["dynode_share_of_variance"]
    before, since = (recorded.dated(verdict, {"date": date}, "").kind for date in ("2026-11-22", "2026-11-28"))
    assert (before, since) == (Kind.STALE, verdict.kind) and verdict.kind is not Kind.STALE
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    one = recorded.judge_record(items.item("worlds"))
    assert {each.kind for each in one.verdicts} == {Kind.MISSING} and printed.exit_code([one]) == 3
    assert "`dynode run worlds` makes it" in printed.text([one])


def test_an_item_that_needs_the_users_files_is_judged_by_the_record_that_ships_until_it_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    item = items.item("demo_codes")
    one = recorded.judge_record(item)
    assert [each.kind for each in one.verdicts] == [each.kind for each in shipped("demo_codes").verdicts]
    assert one.origin.endswith("; it ships, since a run here needs dynode-example-codes")
    assert {each.kind for each in recorded.judge_record(item, "paper").verdicts} <= {Kind.MISSING, Kind.NOT_JUDGED}
    record_in(tmp_path, "demo_codes", [])
    assert recorded.judge_record(item).path.parent != recorded.SHIPPED


def test_verdicts_as_json_markdown_and_junit():
    one = shipped("worlds")
    assert [each["verdict"] for each in json.loads(json.dumps(printed.as_dicts([one])))] == ["FAIL"] * 3
    assert printed.markdown([one]).count("\n| FAIL |") == 3
    suite = ElementTree.fromstring(printed.junit([one]))
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0") and len(suite) == 3
    assert printed.text([one]).startswith("3 of 3 claims FAIL, all of them for a known reason.")


def test_a_notebook_prints_the_verdicts_of_its_rows(capsys):
    rows = [Row("peak_memory", 10.0, variant="10 frames"), Row("peak_memory", 20.0, variant="1000 frames")]
    checks = items.checks("interpolation", "embedded")
    assert [each.kind for each in checks.judge(rows)] == [Kind.FAIL, Kind.MISSING]
    assert capsys.readouterr().out.startswith("FAIL        memory_growth: ")
    assert replace(checks, changed=True).judge(rows) == [] and "own parameters" in capsys.readouterr().out


MEASURED = """
import os, sys
from dynode import cli
try:
    code = cli.main(["verify", "--recorded"])
except SystemExit as stop:
    code = stop.code
times = os.times()
print(f"{code} {times.user + times.system} {'torch' in sys.modules}", file=sys.stderr)
"""


def test_verify_recorded_takes_no_torch_and_less_than_two_seconds():
    run = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, cwd=ROOT)
    code, seconds, torch = run.stderr.split()[-3:]
    assert code in ("0", "3") and float(seconds) < 2 and torch == "False"
    assert run.stdout.splitlines()[0].endswith(" PASS.") and "claims FAIL" in run.stdout.splitlines()[0]
