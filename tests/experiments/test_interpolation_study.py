"""Between observations: principal axes, distances to a curve, bands, propagated edits, and the figures that show them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from dynode import clips, generators
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.presets import preset
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.editing import ganspace
from dynode.evaluation.records import Row, select
from dynode.experiments.interpolation import concept_figure, ensembles, errors
from dynode.experiments.interpolation.tables import bands_table, distances_table
from dynode.generators.stylegan2 import StyleGAN2, StyleGAN2Settings
from dynode.metrics import METRICS
from dynode.metrics.prediction_bands import REACH, PredictionEllipses
from dynode.reporting import plots
from dynode.reporting.plots.curves import differ_widely
from dynode.settings import changed

QUICK = changed(preset("trend+mlp"), {"training.segment_iterations": 5, "field.hidden": 8})


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def arc():
    """Half a circle of radius 1 in three dimensions of W+, 13 frames, every sixth observed."""
    ts = torch.arange(13, dtype=torch.float64) / 12
    angle = math.pi * ts
    ws = torch.stack([angle.cos(), angle.sin(), 0 * ts], -1).float()[:, None]
    return Clip(ws, ts, meta={"name": "arc"}).sampled("regular", 6)


def test_principal_axes_are_scikit_learns():
    ws = draws(9, 2, 5) * torch.tensor([5.0, 2.0, 1.0, 0.5, 0.1])
    axes, theirs = PrincipalAxes.of(ws), PCA().fit(ws.flatten(1).double().numpy())
    assert axes.fractions.tolist() == pytest.approx(theirs.explained_variance_ratio_[:8].tolist())
    scores = theirs.transform(ws.flatten(1).double().numpy())[:, :3]
    assert np.allclose(np.abs(axes.scores(ws, 3).numpy()), np.abs(scores))
    assert axes.components_for(0.9) == int((np.cumsum(theirs.explained_variance_ratio_) < 0.9).sum()) + 1
    assert axes.components_for(1.0) == len(axes.fractions) == 8 and axes.components_for(0) == 1
    assert axes.squared_distance(ws).max() < 1e-10
    beyond = ws[:1].double() + 3 * axes.residual_axis(draws(2, 5), 8).unflatten(1, (2, 5))
    assert axes.squared_distance(beyond).tolist() == pytest.approx([9.0])


def test_codes_on_a_line_have_one_axis_and_are_shown_on_two():
    line = torch.linspace(0, 1, 5)[:, None, None].expand(-1, 2, 3)
    axes = PrincipalAxes.of(line)
    assert axes.fractions.tolist() == [1.0] and axes.scores(line).shape == (5, 2) and not axes.scores(line)[:, 1].any()
    still = PrincipalAxes.of(torch.ones(4, 2, 3))
    assert still.fractions.tolist() == [1.0] and not still.scores(torch.ones(4, 2, 3)).any()


def test_distance_to_a_curve_forgives_time_and_not_geometry():
    true = torch.tensor([[0.0, 0], [1, 0], [2, 0], [2, 1]])[:, None]
    late = torch.tensor([[0.0, 0], [0.5, 0], [1.5, 0], [2, 0.25]])[:, None]
    assert METRICS["curve_distance"](late, true).tolist() == pytest.approx([0, 0, 0, 0])
    assert METRICS["code_distance"](late, true).tolist() == pytest.approx([0, 0.5, 0.5, 0.75])
    off = torch.tensor([[-3.0, 4], [0.5, -0.5], [3, -1], [2.5, 0.5]])[:, None]
    assert METRICS["curve_distance"](off, true).tolist() == pytest.approx([5, 0.5, 2**0.5, 0.5])


def test_distance_to_a_curve_is_that_of_a_dense_search():
    true, pred = draws(6, 2, 4), draws(6, 2, 4, seed=1)
    share = torch.linspace(0, 1, 2001)[:, None, None, None]
    dense = (true[:-1] + share * true.diff(dim=0)).flatten(0, 1).flatten(1)
    step = true.diff(dim=0).flatten(1).norm(dim=1).mean()
    brute = torch.cdist(pred.flatten(1), dense).amin(1) / step
    assert METRICS["curve_distance"](pred, true).tolist() == pytest.approx(brute.tolist(), rel=1e-4)


def test_a_band_holds_what_a_normal_distribution_says():
    spread = torch.tensor([[4.0, 1.5], [1.5, 1.0]], dtype=torch.float64)
    members = torch.from_numpy(multivariate_normal([1, -2], spread).rvs(4000, random_state=0))[:, None].expand(
        -1, 3, -1
    )
    band = PredictionEllipses.of_samples(members)
    assert torch.allclose(band.covariance[0], spread, atol=0.3)
    inside = torch.cat([band.inside(point.expand(3, 2))[:1] for point in members[:2000, 0]])
    assert inside.double().mean() == pytest.approx(0.95, abs=0.01)
    edge = band.outlines(40)
    assert band.inside(band.centre + 0.99 * (edge[:, 7] - band.centre)).all()
    assert not band.inside(band.centre + 1.01 * (edge[:, 7] - band.centre)).any()
    x, y = edge[0].T
    area = 0.5 * float((x * y.roll(-1) - y * x.roll(-1)).sum().abs())
    assert area == pytest.approx(math.pi * float(band.radius()[0]) ** 2, rel=0.01)


def test_a_band_without_width_holds_its_own_line_only():
    line = torch.tensor([[0.0, 0], [1, 1]], dtype=torch.float64)
    band = PredictionEllipses.of_samples(line.expand(3, 2, 2))
    assert band.inside(line).all() and not band.inside(line + 0.01).any() and band.radius().tolist() == [0, 0]
    circle = PredictionEllipses.of_normal(line, torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert circle.radius().tolist() == pytest.approx([REACH, 2 * REACH])


def test_a_bootstrap_keeps_the_ends_and_leaves_out_a_third():
    clip = Clip(draws(60, 2, 3), torch.arange(60) / 24, shots=torch.tensor([0] * 30 + [1] * 30)).sampled("regular", 2)
    known, drawn = clip.observed, torch.stack([ensembles.bootstrapped(clip, seed).observed for seed in range(40)])
    assert not drawn[:, ~known].any() and drawn[:, [0, 29, 30, 59]].all()
    inner = known.clone()
    inner[[0, 29, 30, 59]] = False
    assert 1 - drawn[:, inner].double().mean() == pytest.approx(1 / math.e, abs=0.05)
    assert torch.equal(ensembles.bootstrapped(clip, 3).observed, drawn[3]) and len(drawn.unique(dim=0)) == 40


def test_ensembles_of_a_clip_are_measured_at_its_unobserved_codes(arc, tmp_path):
    arc = dataclasses.replace(arc, observed=torch.arange(13) % 3 == 0)
    several = ensembles.of_clip(FitStore(tmp_path), arc, QUICK, 3)
    plane = PrincipalAxes.of(arc.ws)
    rows = list(ensembles.coverage_rows(arc, plane, several, clip="arc"))
    assert [row.n for row in select(rows, metric="band_coverage")] == [0, 3, 3]
    assert all(0 <= row.value <= 1 for row in select(rows, metric="band_coverage"))
    seeds, bootstrap = (select(rows, metric="band_radius", method=one.name)[0].value for one in several[1:])
    assert seeds < bootstrap  # fewer observations, a wider band
    table = bands_table(rows)
    assert [line[1] for line in table.cells] == [one.name for one in several]


def test_code_rows_distinguish_errors_in_time_from_errors_in_geometry(arc):
    hold, linear = ({r.metric: r for r in errors.code_rows(arc, methods.fit(arc, name))} for name in ("hold", "linear"))
    assert hold["curve_distance"].value == pytest.approx(0, abs=1e-6) and hold["code_distance"].value > 2
    assert 0 < linear["curve_distance"].value < linear["code_distance"].value
    assert errors.span_row(arc).value == pytest.approx(0, abs=1e-6)  # three codes span the plane of the arc
    (share,) = (r for r in errors.variance_rows(arc, PrincipalAxes.of(arc.ws)) if r.variant == "first two")
    assert share.value == pytest.approx(1)


def test_the_error_of_a_propagated_edit_is_that_of_the_path_and_the_change_of_the_edit(arc):
    linear, direction = methods.fit(arc, "linear"), torch.tensor([[0.0, 0, 2]])
    rows = {row.metric: row.value for row in errors.edit_rows(arc, linear, arc.ws + direction)}
    assert rows["edit_change"] == pytest.approx(0, abs=1e-6)
    assert rows["carried_edit_error"] == pytest.approx(rows["path_error"])
    growing = arc.ws + direction * (1 + arc.ts[:, None, None].float())
    rows = {row.metric: row.value for row in errors.edit_rows(arc, linear, growing)}
    assert rows["edit_change"] == pytest.approx(float(arc.ts[~arc.observed].mean()), rel=1e-5)


def test_dense_times_cut_every_interval_in_equal_parts():
    ts = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)
    assert errors.refined(ts, 3).tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
    assert torch.equal(errors.refined(ts, 1), ts)


def test_errors_at_dense_times_are_those_of_the_metric(tmp_path):
    """Also where codes that are the same are rendered once."""
    clip = clips.load("scene.day").head(5)
    generator = generators.load(clip.meta["generator"])
    truth, shown = errors.DenseTruth(clip, generator, 2), clip.sampled("regular", 4)
    assert truth.unobserved(shown).tolist() == [False] + [True] * 7 + [False]
    hold = methods.fit(shown, "hold")
    values = truth.errors(hold, truth.unobserved(shown))
    images = generators.render(generator, hold(truth.ts), 64)
    direct = METRICS["mse"](images, truth.truth.images)
    assert values["mse"].isnan().tolist() == (~truth.unobserved(shown)).tolist()
    assert torch.allclose(values["mse"][1:-1], direct[1:-1]) and (values["lpips_alex"][1:-1] > 0).all()
    chosen = {"methods": ["hold", "linear"], "samplings": ["regular", "irregular"], "stride": 4, "seeds": [0, 1]}
    result = errors.measure(clip, FitStore(tmp_path), truth, **chosen)
    (mse,) = select(result.rows, method="hold", sampling="regular", metric="mse")
    assert mse.value == pytest.approx(float(direct[1:-1].mean())) and mse.variant == "2 x the frame rate"
    assert len(select(result.rows, method="linear", metric="curve_distance")) == 3  # regular once, irregular by seed


def test_of_images_the_densest_reference_is_kept():
    own, dense = Row("mse", 1.0, clip="a"), Row("mse", 2.0, clip="a", reference="truth", variant="3 x the frame rate")
    face, code = Row("mse", 3.0, clip="b"), Row("latent_mse", 4.0, clip="a", space="latent")
    assert errors.best_referenced([own, dense, face, code]) == [dense, face, code]


def test_moments_lie_in_the_gap_with_the_largest_linear_error():
    ts = torch.arange(25, dtype=torch.float64)
    bend = torch.where(ts < 12, 0 * ts, (math.pi * (ts - 12) / 12).sin())
    clip = Clip(torch.stack([ts, bend], -1).float()[:, None], ts).sampled("regular", 12)
    assert concept_figure.moments(clip) == (12, 18, 22)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    network = StyleGAN2(StyleGAN2Settings(resolution=16, z_dim=9, w_dim=12, depth=2, channel_base=128, channel_max=8))
    network.measure(200)
    return network


def test_a_component_is_where_random_codes_differ_most(tiny):
    first, second = (ganspace.principal_component(tiny, number, 3000) for number in (1, 2))
    z = torch.randn(3000, 9, generator=torch.Generator().manual_seed(0))
    theirs = PCA().fit(tiny.mapping(z)[:, 0].double().detach().numpy())
    assert abs(float(first.direction @ torch.from_numpy(theirs.components_[0]).float())) == pytest.approx(1, abs=1e-4)
    assert first.sigma == pytest.approx(theirs.explained_variance_[0] ** 0.5, rel=1e-4)
    assert (
        first.fraction == pytest.approx(theirs.explained_variance_ratio_[0], rel=1e-4)
        and second.fraction < first.fraction
    )
    ws = draws(2, tiny.num_ws, 12)
    moved = first.edit(ws, -2.0, rows=3)
    assert torch.equal(moved[:, 3:], ws[:, 3:]) and torch.allclose(
        (moved - ws)[:, 0].norm(dim=-1), 2 * torch.tensor(first.sigma)
    )


def test_a_log_axis_is_taken_where_one_method_dwarfs_another():
    observed = torch.tensor([True, False, False])
    large, small = torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.0, 0.02, 0.0])
    assert differ_widely({"hold": large, "linear": small * 0.5}, observed)
    assert not differ_widely({"hold": large, "linear": small * 1.5}, observed)
    assert not differ_widely({"hold": large, "exact": 0 * small}, observed) and not differ_widely(
        {"hold": large}, observed | True
    )
    for curves, scale in (({"hold": large, "linear": small * 0.5}, "log"), ({"hold": large}, "linear")):
        figure = plots.error_over_time(torch.arange(3), curves, observed, "MSE")
        assert figure.axes[0].get_yscale() == scale


BAND = "95 % band of 10 bootstraps of dynode[20/100], 100 % of unobserved inside"


def test_the_concept_figure_has_one_scale_and_shows_three_moments(arc):
    linear, edited = methods.fit(arc, "linear"), arc.ws + torch.tensor([[0.0, 0.2, 0.7]])
    plane, at = PrincipalAxes.of(arc.ws), arc.ts[[0, 3, 5]]
    paths = {name: methods.fit(arc, name)(torch.linspace(0, 1, 20)) for name in ("linear", "cubic")}
    band = PredictionEllipses.of_normal(plane.scores(arc.ws), torch.full((13,), 0.1, dtype=torch.float64)).outlines()
    images = {name: torch.zeros(3, 3, 8, 8) for name in ("own codes", "linear", "edited")}
    shown = plots.Concept(
        arc, plane, paths | {"dynode": paths["cubic"]}, band, BAND, paths["cubic"] + edited[0] - arc.ws[0], edited,
        "up", (0, 3, 5), {"linear": linear(at), "edited": edited[[0, 3, 5]]}, images,
    )  # fmt: skip
    figure = plots.concept(shown)
    front, side = figure.axes[:2]
    inches = figure.get_size_inches()
    scales = []
    for axis in (front, side):
        box = axis.get_position()
        scales += [box.width * inches[0] / np.ptp(axis.get_xlim()), box.height * inches[1] / np.ptp(axis.get_ylim())]
    assert scales == pytest.approx([scales[0]] * 4)
    assert len(figure.axes) == 2 + 9 and {"a", "b", "c"} <= {text.get_text() for text in figure.texts}
    legend = figure.legends[0]
    assert BAND in [text.get_text() for text in legend.get_texts()]
    figure.canvas.draw()
    assert legend.get_window_extent().x1 <= figure.bbox.x1  # no words are cut off


def test_tables_and_figures_of_distances_hold_every_method(arc):
    rows = []
    for seed, sampling in ((0, "regular"), (0, "irregular"), (1, "irregular")):
        named = {"clip": "arc", "sampling": sampling, "seed": seed}
        shown = arc.sampled("regular", 6)
        rows.append(errors.span_row(shown, **named))
        for k, name in enumerate(("hold", "linear")):
            rows += errors.code_rows(shown, methods.fit(shown, name), method=name, **named)
            rows.append(Row("mse", 0.002 / (1 + k + seed), method=name, split="unobserved", **named))
    table = distances_table(rows, ["hold", "linear"])
    assert [line[1:3] for line in table.cells] == [
        [sampling, name] for sampling in ("regular", "irregular") for name in ("hold", "linear", "nearest in the span")
    ]
    assert table.cells[3][5] == "1.500 ± 0.707" and table.marks[1, 3] == "best" and (0, 4) not in table.marks
    figure = plots.interpolation_errors(rows, ["hold", "linear"], {"arc": "own codes"})
    assert [axis.get_xscale() for axis in figure.axes] == ["linear", "log", "linear"]
    figure = plots.variance({"arc": PrincipalAxes.of(arc.ws)})
    assert figure.axes[0].lines[0].get_ydata()[-1] == pytest.approx(100)
