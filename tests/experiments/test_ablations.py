"""Ablations: what is shown and judged, known paths, answers against other implementations, solvers, tables, figures."""

import dataclasses

import pytest
import torch

from dynode import clips
from dynode.dynamics import methods
from dynode.dynamics.fitting import batched, trainer
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import preset
from dynode.dynamics.trend import Trend, noise_of
from dynode.errors import UserError
from dynode.evaluation.records import Row, averaged, select
from dynode.experiments.ablations import run, solver_accuracy, synthetic_curves, tables, variants
from dynode.experiments.ablations.conditions import Condition, spread
from dynode.experiments.ablations.variants import Question, Way
from dynode.reporting import plots
from dynode.settings import changed

ALL = variants.FIELD | variants.STATE | variants.TRAINING | variants.OBSERVATIONS
ALL |= {"images": variants.IN_IMAGES, "space": variants.IN_SPACES, "known": variants.KNOWN_PATHS}
ALL |= {"losses": variants.losses(3)}


@pytest.fixture(scope="module")
def scene():
    return clips.load("scene.day").head(25)


@pytest.mark.parametrize("gap", [3, 6, 15])
def test_a_gap_hides_exactly_its_frames_and_they_alone_are_judged(scene, gap):
    condition = Condition(gap=gap)
    shown = condition.shown(scene, 0)
    judged = condition.judged(shown).nonzero().flatten().tolist()
    assert judged == list(range(judged[0], judged[0] + gap)) and not shown.observed[judged].any()
    assert shown.observed[[judged[0] - 1, judged[-1] + 1]].all()
    with pytest.raises(UserError, match="two must remain"):
        Condition(gap=22).shown(scene, 0)


def test_what_lies_ahead_is_judged_up_to_its_frame(scene):
    condition = Condition(hidden_end=6, ahead=2)
    judged = condition.judged(condition.shown(scene, 0))
    assert judged.nonzero().flatten().tolist() == [19, 20]
    between = Condition(hidden_end=6)
    assert not between.judged(between.shown(scene, 0))[18:].any()


def test_noise_has_its_size_on_observed_codes_and_is_nowhere_else(scene):
    condition = Condition(noise=0.3)
    shown = condition.shown(scene, 1)
    added = (shown.ws - scene.ws) / spread(scene.ws)
    assert added[shown.observed].std() == pytest.approx(0.3, rel=0.02) and (added[~shown.observed] == 0).all()
    assert not torch.equal(condition.shown(scene, 2).ws, shown.ws) and condition.drawn and not Condition().drawn


def test_every_way_has_legal_settings_and_every_variant_a_name_of_its_own():
    named = [v for name, question in ALL.items() for v in question.variants(name).values()]
    assert len(named) == len(set(named))
    for question in ALL.values():
        for way in question.ways.values():
            settings = way.settings(7)
            assert way.base in methods.METHODS and way.learned == (settings is not None)
            assert settings is None or settings.training.segment_iterations <= 7
            if way.reading:
                changed(settings, way.reading)
    assert ALL["DEPTH"].ways["4"].settings().field.depth == 4


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


def test_skill_of_a_curve_is_what_its_errors_say_and_it_is_asked_once(scene, tmp_path):
    question = Question("?", {"cubic": Way(base="cubic")}, {"3": Condition(gap=3), "drawn": Condition("irregular")})
    found = run.ask({"gap": question}, [scene], [0, 1], FitStore(tmp_path))
    (row,) = select(found, variant="gap: cubic, 3", metric="skill_latent")
    shown = Condition(gap=3).shown(scene, 0)
    errors = [
        (methods.fit(name, shown)(scene.ts)[11:14] - scene.ws[11:14]).double().square().sum()
        for name in ("cubic", "linear")
    ]
    assert row.value == pytest.approx(float(1 - errors[0] / errors[1]), rel=1e-6)
    assert len(select(found, variant="gap: cubic, drawn", metric="skill_latent")) == 2  # other draws, other codes
    assert row.category == "scene" and row.method == "cubic"


def test_ways_are_judged_as_their_fits_say(scene, tmp_path):
    ways = {"trend": Way(variants.TREND), "few": Way({"training.segment_iterations": 3})}
    ways["rolled"] = dataclasses.replace(ways["trend"], reading=variants.ROLLED)
    found = run.ask({"q": Question("?", ways, worlds=1)}, [scene], [0, 1], FitStore(tmp_path))
    assert [len(select(found, variant=f"q: {way}", metric="missed")) for way in ways] == [1, 2, 1]
    fit = trainer.fit(Condition().shown(scene, 0), ways["trend"].settings())
    (missed,) = select(found, variant="q: trend", metric="missed")
    assert missed.value == pytest.approx(fit.log["observed_error"], rel=1e-4)
    rolled = run.read_by(fit, variants.ROLLED)(scene.ts)
    error = (rolled - scene.ws)[::4].double().square().mean() / spread(scene.ws) ** 2
    assert select(found, variant="q: rolled", metric="missed")[0].value == pytest.approx(float(error), rel=1e-4)


def test_a_field_without_time_cannot_cross_itself(tmp_path):
    known, ways = [synthetic_curves.clip_of("crossing")], ("time", "autonomous")
    question = Question("?", {way: variants.KNOWN_PATHS.ways[way] for way in ways})
    found = run.ask({"known": question}, known, [0], FitStore(tmp_path), most=150)
    missed = {way: select(found, variant=f"known: {way}", metric="missed")[0].value for way in ways}
    assert missed["time"] < 0.1 < 0.5 < missed["autonomous"]


def test_a_trend_finds_the_noise_that_was_added():
    clip = synthetic_curves.clip_of("pause", 193)
    (row,) = run.noise_found(Condition(noise=0.3), [clip], [0])
    assert row.value == pytest.approx(0.3, rel=0.15)
    taus = torch.linspace(0, 1, 40)
    u = (6 * taus).sin()[:, None, None] + 0.5 * torch.randn(40, 1, 6, generator=torch.Generator().manual_seed(0))
    assert noise_of(taus, u) == pytest.approx(0.5, rel=0.1)


def test_a_trend_that_takes_all_for_motion_follows_noise():
    taus, u = torch.linspace(0, 1, 12), torch.randn(12, 1, 6, generator=torch.Generator().manual_seed(0))
    calm, eager = (Trend((1, 6), 12, noise).fit(taus, u)(taus).square().mean() for noise in (True, False))
    assert eager > 3 * calm
    field = changed(preset("dynode"), {"field.trend_noise": False})
    assert trainer.Begun.of(synthetic_curves.clip_of("loop"), field, 0).training.field.trend.noise is False


@pytest.mark.parametrize("changes", [{"field.normalise": "global", "field.learned_speed": True}, {"field.depth": 1}])
def test_fields_of_fixed_norm_learn_together_as_alone(changes):
    quick = {"training.segment_iterations": 8, "field.hidden": 8, "field.zero_init": False}
    settings = changed(preset("dynode"), quick | changes)
    shown = [Condition().shown(synthetic_curves.clip_of(name), 0) for name in ("loop", "pause")]
    for clip, fit in zip(shown, batched.fit(shown, [3, 4], settings), strict=True):
        alone = trainer.fit(clip, settings, fit.meta["seed"])
        assert torch.allclose(fit(clip.ts), alone(clip.ts), atol=1e-4)
        if "field.learned_speed" in changes:
            assert fit.field.speed == pytest.approx(float(alone.field.speed), rel=1e-4) and fit.field.speed != 1


@pytest.fixture(scope="module")
def exact():
    clip = synthetic_curves.clip_of("return")
    return clip, trainer.fit(Condition().shown(clip, 0), Way(variants.NEAR, base="exact").settings())


def test_tighter_solvers_err_less_and_ask_more(exact):
    rows = list(solver_accuracy.solver_rows("read", exact[1], exact[0], 0))
    value = {(row.variant, row.metric): row.value for row in rows}
    for loose, tight in (("dopri5 1e-02", "dopri5 1e-05"), ("rk4 1/1", "rk4 1/4"), ("euler 1/4", "euler 1/16")):
        assert value[f"read: {tight}", "solver_error"] < value[f"read: {loose}", "solver_error"]
        assert value[f"read: {tight}", "nfe"] > value[f"read: {loose}", "nfe"]
    assert value["read: rk4 1/1", "nfe"] in (4 * 12, 4 * 13)  # rounding may add a step
    assert value["read: dopri5 1e-05", "solver_error"] < 1e-3


def test_an_adjoint_finds_the_same_gradient_and_keeps_less(exact):
    rows = list(solver_accuracy.adjoint_rows("gradient", exact[1], exact[0], 0))
    for way in ("direct", "adjoint"):
        (error,) = select(rows, variant=f"gradient: dopri5 1e-5, {way}", metric="gradient_error")
        assert error.value < 1e-3
    direct, adjoint = (
        select(rows, variant=f"gradient: rk4, {way}", metric="megabytes")[0].value for way in ("direct", "adjoint")
    )
    assert adjoint < direct / 2


def scores():
    for clip, base in (("a", 0.1), ("b", 0.3)):
        for seed in (0, 1):
            for way, more in (("x", 0.0), ("y", 0.2)):
                value = base + more + 0.02 * seed
                yield Row("skill_latent", value, clip=clip, method="m", variant=f"q: {way}", seed=seed, space="latent")


def test_tables_tell_seeds_and_clips_apart():
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
    assert len(figure.axes[0].containers) == 4  # two clips, two ways
    grid = plots.observers(rows, {"q": {"x": {"1": "q: x", "2": "q: y"}}})
    assert [axis.get_title() for axis in grid.axes] == ["a", "b"]
    assert grid.axes[0].lines[0].get_ydata().tolist() == pytest.approx([0.11, 0.31])
