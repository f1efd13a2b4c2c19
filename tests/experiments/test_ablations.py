"""Ablations: observation conditions, known paths, scores against other implementations, solvers, tables, figures."""

import dataclasses

import pytest
import torch

from dynode import clips
from dynode.dynamics import methods
from dynode.dynamics.fitting import batched, single
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import preset
from dynode.dynamics.trend import Trend, noise_std
from dynode.errors import UserError
from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.ablations import run, solver_accuracy, synthetic_curves, tables, variants
from dynode.experiments.ablations.conditions import Condition, code_std
from dynode.experiments.ablations.variants import Ablation, Variant
from dynode.reporting import plots
from dynode.settings import changed

ALL = variants.FIELD | variants.STATE | variants.TRAINING | variants.OBSERVATIONS
ALL |= {"images": variants.IN_IMAGES, "space": variants.IN_SPACES, "known": variants.KNOWN_PATHS}
ALL |= {"losses": variants.losses(3)}


@pytest.fixture(scope="module")
def scene():
    return clips.load("scene.day").head(25)


@pytest.mark.parametrize("gap", [3, 6, 15])
def test_a_gap_hides_exactly_its_frames_and_they_alone_are_evaluated(scene, gap):
    condition = Condition(gap=gap)
    observed = condition.observe(scene, 0)
    evaluated = condition.evaluated(observed).nonzero().flatten().tolist()
    assert evaluated == list(range(evaluated[0], evaluated[0] + gap)) and not observed.observed[evaluated].any()
    assert observed.observed[[evaluated[0] - 1, evaluated[-1] + 1]].all()
    with pytest.raises(UserError, match="two must remain"):
        Condition(gap=22).observe(scene, 0)


def test_extrapolated_frames_are_evaluated_up_to_the_horizon(scene):
    condition = Condition(hidden_end=6, horizon=2)
    evaluated = condition.evaluated(condition.observe(scene, 0))
    assert evaluated.nonzero().flatten().tolist() == [19, 20]
    between = Condition(hidden_end=6)
    assert not between.evaluated(between.observe(scene, 0))[18:].any()


def test_noise_has_its_size_on_observed_codes_and_is_nowhere_else(scene):
    condition = Condition(noise=0.3)
    observed = condition.observe(scene, 1)
    added = (observed.ws - scene.ws) / code_std(scene.ws)
    assert added[observed.observed].std() == pytest.approx(0.3, rel=0.02) and (added[~observed.observed] == 0).all()
    assert not torch.equal(condition.observe(scene, 2).ws, observed.ws) and condition.random and not Condition().random


def test_every_variant_has_legal_settings_and_rows_of_its_own():
    named = [each for name, ablation in ALL.items() for each in ablation.row_variants(name).values()]
    assert len(named) == len(set(named))
    for variant in (variant for ablation in ALL.values() for variant in ablation.variants.values()):
        settings = variant.settings(7)
        assert (methods.METHODS[variant.base].settings is None) == (settings is None)
        assert settings is None or settings.training.segment_iterations <= 7
        if variant.solve_with:
            changed(settings, variant.solve_with)
    assert ALL["DEPTH"].variants["4"].settings().field.depth == 4


def test_known_paths_cross_stop_and_return():
    at = {
        name: synthetic_curves.on_plane(synthetic_curves.clip_of(name).ws) / synthetic_curves.RADIUS
        for name in synthetic_curves.CURVES
    }
    assert torch.allclose(at["loop"].norm(dim=1), torch.ones(49, dtype=torch.float64), atol=1e-4)
    assert torch.allclose(at["loop"][:25], at["loop"][24:], atol=1e-4)  # two turns
    assert torch.allclose(at["crossing"][[12, 36]], torch.zeros(2, 2, dtype=torch.float64), atol=1e-4)
    one, other = (at["crossing"][k + 1] - at["crossing"][k - 1] for k in (12, 36))
    assert torch.nn.functional.cosine_similarity(one, other, dim=0).abs() < 0.9
    rest = (torch.linspace(0, 1, 49) > 0.4) & (torch.linspace(0, 1, 49) < 0.6)
    assert at["pause"][rest].std(0).max() < 1e-4 and at["pause"].diff(dim=0).norm(dim=1)[:15].min() > 1e-3
    assert torch.allclose(at["return"], at["return"].flip(0), atol=1e-4)
    with pytest.raises(UserError, match="did you mean 'crossing'"):
        synthetic_curves.clip_of("crosing")


def test_skill_of_a_curve_is_what_its_errors_say_and_it_runs_once(scene, tmp_path):
    ablation = Ablation("?", {"cubic": Variant(base="cubic")}, {"3": Condition(gap=3), "drawn": Condition("irregular")})
    rows = run.latent_rows({"gap": ablation}, [scene], [0, 1], FitStore(tmp_path))
    (row,) = select(rows, variant="gap: cubic, 3", metric="skill_latent")
    observed = Condition(gap=3).observe(scene, 0)
    errors = [
        (methods.fit(observed, name)(scene.ts)[11:14] - scene.ws[11:14]).double().square().sum()
        for name in ("cubic", "linear")
    ]
    assert row.value == pytest.approx(float(1 - errors[0] / errors[1]), rel=1e-6)
    assert len(select(rows, variant="gap: cubic, drawn", metric="skill_latent")) == 2  # other draws, other codes
    assert row.category == "scene" and row.method == "cubic"


def test_variants_have_the_errors_of_their_fits(scene, tmp_path):
    choices = {"trend": Variant(variants.TREND), "few": Variant({"training.segment_iterations": 3})}
    choices["rolled"] = dataclasses.replace(choices["trend"], solve_with=variants.ROLLED)
    rows = run.latent_rows({"q": Ablation("?", choices, worlds=1)}, [scene], [0, 1], FitStore(tmp_path))
    assert [len(select(rows, variant=f"q: {variant}", metric="missed")) for variant in choices] == [1, 2, 1]
    fit = single.fit(Condition().observe(scene, 0), choices["trend"].settings())
    (missed,) = select(rows, variant="q: trend", metric="missed")
    assert missed.value == pytest.approx(fit.log["observed_error"], rel=1e-4)
    rolled = run.solved_with(fit, variants.ROLLED)(scene.ts)
    error = (rolled - scene.ws)[::4].double().square().mean() / code_std(scene.ws) ** 2
    assert select(rows, variant="q: rolled", metric="missed")[0].value == pytest.approx(float(error), rel=1e-4)


def test_a_field_without_time_cannot_cross_itself(tmp_path):
    known, names = [synthetic_curves.clip_of("crossing")], ("time", "autonomous")
    ablation = Ablation("?", {name: variants.KNOWN_PATHS.variants[name] for name in names})
    rows = run.latent_rows({"known": ablation}, known, [0], FitStore(tmp_path), max_iterations=150)
    missed = {name: select(rows, variant=f"known: {name}", metric="missed")[0].value for name in names}
    assert missed["time"] < 0.1 < 0.5 < missed["autonomous"]


def test_a_trend_finds_the_noise_that_was_added():
    clip = synthetic_curves.clip_of("pause", 193)
    (row,) = run.estimated_noise_rows(Condition(noise=0.3), [clip], [0])
    assert row.value == pytest.approx(0.3, rel=0.15)
    taus = torch.linspace(0, 1, 40)
    u = (6 * taus).sin()[:, None, None] + 0.5 * torch.randn(40, 1, 6, generator=torch.Generator().manual_seed(0))
    assert noise_std(taus, u) == pytest.approx(0.5, rel=0.1)


def test_a_trend_that_takes_all_for_motion_follows_noise():
    taus, u = torch.linspace(0, 1, 12), torch.randn(12, 1, 6, generator=torch.Generator().manual_seed(0))
    calm, eager = (Trend((1, 6), 12, noise).fit(taus, u)(taus).square().mean() for noise in (True, False))
    assert eager > 3 * calm
    field = changed(preset("trend+mlp"), {"field.trend_noise": False})
    assert single.PreparedFit.of(synthetic_curves.clip_of("loop"), field, 0).trainer.field.trend.noise is False


@pytest.mark.parametrize("changes", [{"field.normalise": "global", "field.learned_speed": True}, {"field.depth": 1}])
def test_fields_of_fixed_norm_learn_together_as_alone(changes):
    quick = {"training.segment_iterations": 8, "field.hidden": 8, "field.zero_init": False}
    settings = changed(preset("trend+mlp"), quick | changes)
    observed = [Condition().observe(synthetic_curves.clip_of(name), 0) for name in ("loop", "pause")]
    for clip, fit in zip(observed, batched.fit_batched(observed, [3, 4], settings), strict=True):
        alone = single.fit(clip, settings, fit.meta["seed"])
        assert torch.allclose(fit(clip.ts), alone(clip.ts), atol=1e-4)
        if "field.learned_speed" in changes:
            assert fit.field.speed == pytest.approx(float(alone.field.speed), rel=1e-4) and fit.field.speed != 1


@pytest.fixture(scope="module")
def exact():
    clip = synthetic_curves.clip_of("return")
    return clip, single.fit(Condition().observe(clip, 0), Variant(variants.NEAR, base="exact").settings())


def test_tighter_solvers_err_less_and_evaluate_more(exact):
    rows = list(solver_accuracy.solver_rows("read", exact[1], exact[0], 0))
    value = {(row.variant, row.metric): row.value for row in rows}
    for loose, tight in (("dopri5 1e-02", "dopri5 1e-05"), ("rk4 1/1", "rk4 1/4"), ("euler 1/4", "euler 1/16")):
        assert value[f"read: {tight}", "solver_error"] < value[f"read: {loose}", "solver_error"]
        assert value[f"read: {tight}", "nfe"] > value[f"read: {loose}", "nfe"]
    assert value["read: rk4 1/1", "nfe"] in (4 * 12, 4 * 13)  # rounding may add a step
    assert value["read: dopri5 1e-05", "solver_error"] < 1e-3


def test_an_adjoint_finds_the_same_gradient_and_keeps_less(exact):
    rows = list(solver_accuracy.adjoint_rows("gradient", exact[1], exact[0], 0))
    for mode in ("direct", "adjoint"):
        (error,) = select(rows, variant=f"gradient: dopri5 1e-5, {mode}", metric="gradient_error")
        assert error.value < 1e-3
    direct, adjoint = (
        select(rows, variant=f"gradient: rk4, {mode}", metric="megabytes")[0].value for mode in ("direct", "adjoint")
    )
    assert adjoint < direct / 2


def scores():
    for clip, base in (("a", 0.1), ("b", 0.3)):
        for seed in (0, 1):
            for variant, more in (("x", 0.0), ("y", 0.2)):
                value = base + more + 0.02 * seed
                yield Row(
                    "skill_latent", value, clip=clip, method="m", variant=f"q: {variant}", seed=seed, space="latent"
                )


def test_tables_average_over_seeds_and_then_over_clips():
    table = tables.by_clip("q", list(scores()), {"x": "q: x", "y": "q: y"}, "skill_latent")
    assert table.header == ["q", "a", "b", "all clips"]
    assert table.cells[0] == ["x", "0.110 ± 0.014", "0.310 ± 0.014", "0.210 ± 0.141"]
    assert table.marks == {(1, 1): "best", (1, 2): "best", (1, 3): "best"}


def test_a_record_keeps_short_means_and_pools_what_has_many():
    pooled = [dataclasses.replace(row, variant=f"DEPTH: {row.variant[-1]}") for row in scores()]
    kept = tables.recorded([*scores(), *pooled, Row("seconds", 1.0)])
    assert [row.clip for row in kept] == ["a", "a", "b", "b", "", ""]
    assert kept[0].value == 0.11 and kept[0].std == 0.0141 and kept[0].n == 2 and kept[-1].n == 2
    assert not any(row.method for row in kept)


def test_figures_show_every_clip_of_every_variant():
    rows = averaged(list(scores()))
    figure = plots.ablations(rows, {"q": {"x": "q: x", "y": "q: y"}}, ["a", "b"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert len(figure.axes[0].containers) == 4  # two clips, two variants
    grid = plots.conditions(rows, {"q": {"x": {"1": "q: x", "2": "q: y"}}})
    assert [axis.get_title() for axis in grid.axes] == ["a", "b"]
    assert grid.axes[0].lines[0].get_ydata().tolist() == pytest.approx([0.11, 0.31])
