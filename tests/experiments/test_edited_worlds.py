"""Edits of worlds against their truth: episodes with one factor changed, what is read off pictures, and the comparison."""

import dataclasses

import numpy as np
import pytest
import torch

from dynode import clips, worlds
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation.records import Row, select
from dynode.experiments.edit_clips import against_truth
from dynode.experiments.edit_clips.against_truth import WorldEdit
from dynode.experiments.edit_clips.tables import edited_worlds_table
from dynode.inversion import frame_sources
from dynode.perception import factor_reader as reading
from dynode.reporting import plots
from dynode.worlds.factors import Factor, index_of

TIMES = torch.tensor([0.0, 0.4, 1.1, 1.9], dtype=torch.float64)


def test_an_episode_is_edited_in_one_factor_at_all_times():
    day = worlds.world("scene").episode("day", 1)
    before = day.factors(TIMES)
    for name, value in (("fog", 0.9), ("mountain", 0.1)):  # both stand still in this episode
        after = day.edited(name, value).factors(TIMES)
        k = index_of(day.described, name)
        assert after[:, k].tolist() == pytest.approx([value] * 4)
        assert torch.equal(np.delete(after, k, 1), np.delete(before, k, 1))


def test_a_factor_that_moves_goes_on_moving():
    day = worlds.world("scene").episode("day", 1)
    k = index_of(day.described, "hour")
    before, after = (e.factors(TIMES)[:, k] for e in (day, day.edited("hour", 23.0, 0.4)))
    assert float(after[1]) == pytest.approx(23, abs=1e-4) and after.max() < 24
    assert ((after - before) % 24).std() < 1e-4  # by the same hours at all times, past midnight too
    clouds = day.edited("clouds", 1.0, 0.4).factors(TIMES)[:, index_of(day.described, "clouds")]
    assert float(clouds[1]) == pytest.approx(1) and clouds.max() <= 1
    assert day.edited("mountain", 7.0).factors(TIMES)[:, index_of(day.described, "mountain")].unique() == 1
    with pytest.raises(UserError, match="did you mean 'mountain'"):
        day.edited("mountains", 0.5)


def test_what_is_read_off_a_picture_is_what_it_was_drawn_with():
    for name, sure in (("scene", ("hour", "fog", "mountain")), ("isaac3d", ("wall_color", "lighting_intensity"))):
        world, network = worlds.world(name), reading.shipped(name)
        drawn = world.sample(12, seed=5)
        gaps = reading.factor_distance(
            world.factors, reading.read_factors(network, world.images(drawn, 64, samples=1)), drawn
        ).mean(0)
        for factor in sure:
            assert gaps[index_of(world.factors, factor)] < 0.1  # chance is a third, a quarter on a circle


def test_a_clip_is_edited_by_its_tuned_generator():
    lost = {"file": "lost.safetensors", "hash": "0" * 12}
    clip = clips.load("scene.day").head(2)
    clip = dataclasses.replace(clip, meta=clip.meta | {"tuning": lost})
    with pytest.raises(UserError, match="was tuned by lost.safetensors, which is not there"):
        against_truth.compare(clip, {}, WorldEdit("flow:fog", "fog", 4.0))


def test_round_a_circle_the_shorter_way_counts():
    factors = (Factor("hour", 0, 24, circular=True), Factor("fog", 0, 2))
    a, b = torch.tensor([[23.0, 0.0]]), torch.tensor([[1.0, 1.5]])
    assert reading.factor_distance(factors, a, b).tolist() == [[pytest.approx(2 / 24), 0.75]]
    assert (
        reading.class_centres(factors[0])[:2].tolist() == [1.5, 4.5] and reading.class_centres(factors[1])[-1] == 1.75
    )


@pytest.fixture(scope="module")
def compared():
    clip = clips.load("isaac3d.robot_y")
    paths = {"dynode": methods.fit(clip.sampled("regular", 4))}
    edit = WorldEdit("flow:lighting_intensity", "lighting_intensity", -6.0)
    return against_truth.compare(clip, paths, edit, every=9)


def test_the_light_goes_down_while_the_robot_moves(compared):
    """The offset of one frame does it at all times; the truth is drawn with the light that was reached."""
    read = {row.variant: row.value for row in select(compared.rows, metric="edited_factor")}
    assert read["lighting_intensity, true"] == pytest.approx(read["lighting_intensity, read before"], abs=0.1)
    assert read["lighting_intensity, read after"] < read["lighting_intensity, read before"] - 0.2
    light = compared.true.episode.factors(compared.true.ts)[:, compared.true.index]
    assert light.unique().tolist() == pytest.approx([read["lighting_intensity, true edit"]])
    for variant in ("offset", "flow", "tangent"):
        assert float(compared.errors[f"dynode, {variant}"]["factor_error"].max()) < 0.15
    left = {variant: float(compared.errors[f"dynode, {variant}"]["mse"].mean()) for variant in ("unedited", "offset")}
    assert left["offset"] < left["unedited"] / 4


def test_the_truth_itself_has_no_error(compared):
    _, errors = compared.true.errors(compared.true.clip.ws[::9])
    assert all(float(values.min()) > 0 for name, values in errors.items() if name in against_truth.IMAGE_METRICS)
    true = compared.true
    gap = (true.truth.images - frame_sources.render_episode(true.episode, true.ts, true.resolution)).abs().max()
    assert gap == 0 and (true.unedited - true.truth.images).abs().mean() > 0.01


def test_rows_hold_the_drift_of_each_variant_and_the_fraction_in_the_field(compared):
    for variant in ("offset", "flow", "tangent"):
        (drift,) = select(compared.rows, method="dynode", variant=f"lighting_intensity, {variant}", metric="edit_drift")
        assert (drift.value == 0) == (variant == "offset")
    (share,) = select(compared.rows, metric="edit_seen_share")
    assert 0 < share.value < 0.5
    assert len(select(compared.rows, metric="mse", category="isaac3d", reference="truth")) == 7


def test_table_and_figure_show_every_variant(compared):
    table = edited_worlds_table(compared.rows)
    assert [line[2:4] for line in table.cells] == [
        *(["dynode", variant] for variant in ("unedited", "offset", "flow", "tangent")),
        *(["own codes", variant] for variant in ("unedited", "shifted", "reedited")),
    ]
    assert all(1 <= line <= 3 for line, _ in table.marks) and "best" in table.marks.values()
    figure = plots.image_rows(compared.frames(compared.images), compared.true.ts)
    assert len(figure.axes) == 9 * len(compared.true.ts)


def test_the_lowest_error_is_the_best():
    named = {"clip": "c", "method": "m"}
    rows = [
        Row("factor_error", v, variant=f"fog, {variant}", **named)
        for variant, v in (("a", 0.3), ("b", 0.1), ("c", 0.2))
    ]
    rows += [Row(n, 1.0, variant=f"fog, {w}", **named) for w in "abc" for n in ("mse", "lpips_alex", "others_error")]
    rows += [Row("edit_drift", 0.0, variant=f"fog, {variant}", **named) for variant in "abc"]
    marks = edited_worlds_table(rows).marks
    assert {line: rank for (line, column), rank in marks.items() if column == 6} == {1: "best", 2: "second"}


def test_a_clip_of_no_world_is_refused():
    clip = clips.load("single_face.warm").head(3)
    with pytest.raises(UserError, match="did you mean 'nearest'"):
        WorldEdit("flow:fog", "fog", 1.0, reached="near")
    with pytest.raises(UserError, match="is no episode of a world"):
        against_truth.compare(clip, {}, WorldEdit("ganspace:1", "fog", 1.0), generator=object())
