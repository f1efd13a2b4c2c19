"""The test of sparsity: its conditions, the frames that are scored, its quantities, table and figure."""

from types import SimpleNamespace

import pytest
import torch

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.amortised import field_files, prior_files
from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.dynamics.amortised.network import AmortisedNetworkSettings
from dynode.dynamics.baselines.motion_prior import START, Kernel
from dynode.dynamics.fitting.store import FitStore
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments import items, origin, parameters, test_set
from dynode.experiments.claims.quantities import QUANTITIES
from dynode.experiments.sparsity import conditions, control_methods, joining, measuring, subjects
from dynode.experiments.sparsity.conditions import Sampling
from dynode.experiments.sparsity.control_methods import Controls
from dynode.experiments.sparsity.labelled_methods import baselines, method_of
from dynode.experiments.sparsity.subjects import Subject
from dynode.io.names import slug
from dynode.reporting import outputs, plots, tables
from dynode.runtime import ROOT

ERRORS = {"linear": 2.0, "cubic": 4.0, "dynode": 1.0, "dynode[no z]": 1.0}  # of the first clip


def rows_of(category: str, factor: float = 1.0, stride: int = 8, variant: str = "") -> list[Row]:
    """Of four clips; `dynode` has half the error of the best other method, times a factor."""
    named = {"category": category, "sampling": "regular", "stride": stride, "reference": "truth", "variant": variant}
    named["split"] = "extrapolated" if variant else "unobserved"
    return [
        Row(
            "mse",
            error * (1 + k) * (factor if method == "dynode" else 1),
            clip=f"c{k}",
            method=method,
            frames=5,
            **named,
        )
        for k in range(4)
        for method, error in ERRORS.items()
    ]


def of(rows: list[Row], *chosen: str) -> list[Row]:
    return [row for row in rows if row.method in chosen]


def test_conditions_are_those_inside_a_clip_and_the_horizons_beyond_it():
    made = conditions.samplings([2, 4], [0, 1], [3], 4)
    assert made[:2] == [Sampling("regular", 2), Sampling("regular", 4)]
    assert made[2:6] == [Sampling("irregular", stride, draw) for stride in (2, 4) for draw in (0, 1)]
    assert made[6:] == [Sampling("regular", 4, hidden_end=3)]
    assert (made[6].split, made[6].variant) == ("extrapolated", "3 frames beyond")


def test_every_second_of_the_hidden_frames_is_scored():
    clip = Clip(torch.randn(9, 2, 4), torch.arange(9).double())
    observed = Sampling("regular", 4).observe(clip)
    evaluator = SimpleNamespace(references={"code": None, "source": None})
    every, second = (Subject("face", clip, evaluator, every=n).scored(observed, "unobserved") for n in (1, 2))
    assert every.nonzero().flatten().tolist() == [1, 2, 3, 5, 6, 7]
    assert second.nonzero().flatten().tolist() == [2, 5, 7]
    assert Subject("face", clip, evaluator).reference == "source"
    beyond = Sampling("regular", 4, hidden_end=2)
    assert Subject("face", clip, evaluator).scored(beyond.observe(clip), beyond.split).nonzero().flatten().tolist() == [
        7,
        8,
    ]


def test_codes_of_an_episode_name_the_world_as_a_stand_in():
    chosen = test_set.episode_sets()["isaac3d"]
    (episode,) = test_set.development_episodes("isaac3d", 1)
    generator = SimpleNamespace(name="stylegan2-isaac3d-factors", hash="0", resolution=16)
    clip, images = subjects.encoded(chosen, episode, generator, lambda part: part.flatten(2)[:, :, :8])
    assert clip.ws.shape == (48, 3, 8) and images().shape == (48, 3, 16, 16) and clip.protocol == "independent"
    assert clips.stand_ins([clip]) == ("rendered world isaac3d",)


def test_codes_of_an_episode_are_kept_by_what_they_are_made_of(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    monkeypatch.setenv("DYNODE_EVALUATIONS", "1")
    generator, passes = SimpleNamespace(name="g", hash="0", resolution=8), []
    chosen = test_set.episode_sets()["bird"]
    first, second = test_set.development_episodes("bird", 2)

    def encoder(part):
        passes.append(len(part))
        return part.flatten(2)[:, :, :4] + len(passes)

    made = subjects.encoded(chosen, first, generator, encoder, "weights")[0]
    assert sum(passes) == 48 and torch.equal(
        subjects.encoded(chosen, first, generator, encoder, "weights")[0].ws, made.ws
    )
    assert sum(passes) == 48
    for episode, made_by in ((second, "weights"), (first, "other weights"), (first, "")):
        assert not torch.equal(subjects.encoded(chosen, episode, generator, encoder, made_by)[0].ws, made.ws)
    assert sum(passes) == 4 * 48


PARAMETERS = {"sets": ["bird"], "episodes": 2, "windows": ["pexels.1"], "strides": [8]}


def part_of(path, names: list[str], **changed) -> str:
    """A record of some clips."""
    made = {"parameters": PARAMETERS | changed, "codes": {name: "0" for name in names}, "stand_ins": ["one"]}
    made |= {key: key for key in ("commit", "date", "device", "command", "source")}
    return str(
        records.write(
            path, "sparsity", "recorded", [Row("mse", 1.0, clip=name, protocol="independent") for name in names], made
        )
    )


def test_clips_of_joined_records_are_taken_over_and_others_are_measured(tmp_path):
    names = [test_set.EpisodeSet.clip_name(episode) for episode in test_set.episodes_of("bird")]
    birds = part_of(tmp_path / "a.json", names, episodes=12, windows=[])
    faces = part_of(tmp_path / "b.json.xz", ["pexels.1"], sets=[])
    rows, codes, shown = joining.earlier([birds, faces], PARAMETERS)
    assert [row.clip for row in rows] == list(codes) == [*names[:2], "pexels.1"]
    assert outputs.naming(shown) == "codes: independent; stand-ins: one"
    assert not list(subjects.of_worlds(["bird"], 2, known=codes)) and not list(
        subjects.of_faces(["pexels.1"], known=codes)
    )
    assert joining.origins([]) == {} and joining.origins([birds])["joined"][0]["commit"] == "commit"
    item = items.item("sparsity")
    now = origin.stamp(item.notebook, parameters.usual(item, "recorded", parameters.declarations(item.notebook)))
    assert not origin.staleness(item, "recorded", now | {"joined": [{"source": now["source"]}]})
    assert "other code made" in origin.staleness(item, "recorded", now | joining.origins([birds]))
    with pytest.raises(UserError, match=f"have the clip {min(names)}: leave one of them out"):
        joining.earlier([birds, birds], PARAMETERS)
    with pytest.raises(UserError, match="with another value of strides: leave it out of `joined`"):
        joining.earlier([faces], PARAMETERS | {"strides": [4]})


def test_windows_of_the_development_set_are_refused():
    with pytest.raises(UserError, match="single_face.1 is no window of the test set"):
        next(subjects.of_faces(["single_face.1"]))


def test_a_method_is_compared_with_the_best_of_the_others():
    rows = rows_of("bird")
    value, low, high = (
        QUANTITIES["ratio_to_best"](of(rows, "dynode"), of(rows, "linear", "cubic"), end=end)
        for end in ("value", "low", "high")
    )
    assert value == pytest.approx(0.5) and low == pytest.approx(0.5) and high == pytest.approx(0.5)


def test_the_third_of_the_categories_and_the_highest_end_decide():
    rows = [*rows_of("bird"), *rows_of("scene", 1.2), *rows_of("isaac3d", 3.0), *rows_of("face", 1.4)]
    ours, theirs = of(rows, "dynode"), of(rows, "linear", "cubic")
    assert QUANTITIES["third_ratio"](ours, theirs) == pytest.approx(0.7)
    assert QUANTITIES["highest_end"](ours, theirs) == pytest.approx(1.5)
    two = [row for row in ours if row.category in ("bird", "scene")]
    assert QUANTITIES["third_ratio"](two, theirs) is None and QUANTITIES["highest_end"]([], []) is None


def test_the_table_names_the_best_baseline_and_the_control():
    rows = [*rows_of("bird"), *rows_of("bird", 1.5, variant="4 frames beyond")]
    table = tables.sparsity_table(rows, ["linear", "cubic", "gp"])
    assert [line[:4] for line in table.cells] == [
        ["bird", "regular, stride 8", "4", "linear"],
        ["bird", "4 frames beyond", "4", "linear"],
    ]
    assert table.cells[0][4].startswith("0.500") and table.cells[1][5].startswith("1.500")


def test_a_ratio_of_one_clip_has_no_interval():
    table = tables.sparsity_table([row for row in rows_of("bird") if row.clip == "c0"], ["linear", "cubic"])
    assert table.cells[0][4] == "0.500 (one clip)"


def test_the_table_of_errors_has_means_over_clips():
    table = tables.errors_table([*rows_of("bird"), *rows_of("bird", stride=4)])
    assert table.header == ["category", "method", "MSE x 1e3, regular, 8", "MSE x 1e3, regular, 4"]
    assert table.cells[0] == ["bird", "linear", *["5000.000 ± 2581.989"] * 2] and len(table.cells) == len(ERRORS)


def test_a_label_names_a_method_with_fewer_iterations_or_one_loss():
    assert methods.label_of(method_of("paper_scaled[latent]")) == "paper_scaled[latent]"
    shorter = method_of("paper_scaled[latent,200/5000]")
    assert shorter.training.iterations == 200 and not shorter.losses.in_images
    assert [method_of(name) for name in ("linear", "dynode[no z]", "prior[amortised]")] == [
        "linear",
        "dynode[no z]",
        "prior[amortised]",
    ]
    with pytest.raises(UserError, match="There is no method paper_scaled.latent,200/300."):
        method_of("paper_scaled[latent,200/300]")
    with pytest.raises(UserError, match="There is no method exact.latent.; this one would be exact"):
        method_of("exact[latent]")


def test_roll_outs_are_no_baselines():
    names = ["hold", "trend", "trend+mlp", "exact", "paper_scaled[latent]", "dynode", "dynode[amortised]"]
    assert baselines(names) == ["hold", "trend", "trend+mlp"]


def test_the_figure_has_a_panel_for_each_kind_of_condition():
    rows = [
        *rows_of("bird"),
        *rows_of("bird", stride=4),
        *rows_of("bird", variant="4 frames beyond"),
        *rows_of("scene"),
    ]
    figure = plots.sparsity(rows, ["linear", "dynode"])
    assert len(figure.axes) == 4 and [len(axis.lines) for axis in figure.axes[:2]] == [2, 2]
    assert [axis.get_xlabel() for axis in figure.axes[2:]] == ["stride, regular times", "frames beyond the last one"]
    more = plots.sparsity([*rows_of("bird"), *rows_of("bird", variant="4 frames beyond")], ["linear", "dynode", "gp"])
    assert [text.get_text() for text in more.legends[0].get_texts()] == ["linear", "dynode"], "gp did not run"
    (_, ours) = figure.axes[0].lines
    assert list(ours.get_xdata()) == [4, 8] and list(ours.get_ydata()) == pytest.approx([0.5, 0.5])


def test_no_curve_leaves_the_figure():
    figure = plots.sparsity([*rows_of("bird", 30), *rows_of("scene", 0.01)], ["linear", "dynode"])
    drawn = [float(axis.lines[1].get_ydata()[0]) for axis in figure.axes]
    low, high = figure.axes[-1].get_ylim()
    assert drawn == pytest.approx([15, 0.005]) and low < min(drawn) and max(drawn) < high


def test_controls_are_measured_where_they_are_wanted_and_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    clip = Clip(torch.randn(9, 2, 4), torch.arange(9).double(), meta={"generator": "stylegan2-bird-factors"})
    controls = Controls(control_methods.CONTROLS, [8], [4])
    assert controls.at(Sampling("regular", 8), clip) == [control_methods.OTHER_CONTEXT]
    assert controls.at(Sampling("regular", 4), clip) == [] == Controls().at(Sampling("regular", 8), clip)
    assert controls.at(Sampling("regular", 4, hidden_end=4), clip) == [control_methods.OTHER_CONTEXT]
    assert controls.at(Sampling("regular", 8, hidden_end=2), clip) == []
    control_methods.say_untrained(control_methods.CONTROLS, ["bird", "bird.fast"])
    assert capsys.readouterr().out.count("Not trained here for stylegan2-bird-factors") == 1
    path = control_methods.trained("stylegan2-bird-factors", "linear")
    path.parent.mkdir(parents=True)
    path.touch()
    assert controls.at(Sampling("regular", 8), clip) == [control_methods.OTHER_CONTEXT, "dynode[amortised,linear]"]


def test_what_make_fields_trains_are_the_controls():
    (line,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "for kind in" in line]
    kinds = dict(pair.rstrip(";").split("=")[::-1] for pair in line.split("in ")[1].removesuffix("; do \\").split())
    assert kinds.pop("mlp") == "state" and list(kinds) == list(control_methods.TRAINED.values())
    for kind, setting in kinds.items():
        assert getattr(AmortisedNetworkSettings(**{setting: kind}), setting) == kind


@pytest.mark.parametrize("control", ["gru[amortised]", "latent_ode[amortised]", "prior[amortised]"])
def test_a_control_in_place_of_the_field_is_read_where_make_fields_leaves_it(tmp_path, monkeypatch, control):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path))
    torch.manual_seed(0)
    meta = {"name": "made", "generator": "tiny", "generator_hash": "0123"}
    clip = Clip(torch.randn(13, 3, 7).cumsum(0), torch.linspace(0, 1, 13).double(), meta=meta)
    path, owner = control_methods.trained("tiny", control_methods.TRAINED[control]), {"name": "tiny", "hash": "0123"}
    assert not control_methods.is_trained(control, "tiny")
    if control == control_methods.PRIOR:
        prior_files.save(Kernel(torch.tensor(START).double()), path, owner, {})
    else:
        network = AmortisedNetworkSettings(5, 8, 12, 1, 2, 4, model=control_methods.TRAINED[control])
        axes = VisibleAxes.fit(clip.ws, lambda codes: codes[:, None], 5)
        field_files.save(field_files.untrained(network, axes, owner), path, {})
    assert control_methods.is_trained(control, "tiny")
    made = measuring.fitted(SimpleNamespace(clip=clip), Sampling("regular", 4), control, FitStore(tmp_path))
    assert torch.isfinite(made(clip.ts)).all()
    strange = Clip(clip.ws, clip.ts, meta=meta | {"generator_hash": "4567"})
    with pytest.raises(UserError, match="is of codes of tiny 0123"):
        measuring.fitted(SimpleNamespace(clip=strange), Sampling("regular", 4), control, FitStore(tmp_path))


@pytest.mark.long
def test_a_control_has_the_context_of_another_clip_and_the_same_first_code(tmp_path):
    (subject,), sampling = subjects.of_worlds(["bird"], 1), Sampling("regular", 16)
    assert subject.other is not None and not torch.equal(subject.other.ws, subject.clip.ws)
    store = FitStore(tmp_path)
    own, told = (
        measuring.fitted(subject, sampling, name, store)
        for name in ("dynode[amortised]", control_methods.OTHER_CONTEXT)
    )
    assert not torch.equal(own.field.context, told.field.context) and torch.equal(own.start, told.start)


def test_a_damped_line_comes_to_rest_within_an_interval():
    ts = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    clip = Clip(torch.tensor([0.0, 1.0, 3.0])[:, None, None].expand(3, 1, 4).contiguous(), ts)
    damped, linear = (methods.fit(clip, name) for name in ("damped", "linear"))
    inside = torch.linspace(0, 2, 9, dtype=torch.float64)
    assert torch.equal(damped(inside), linear(inside))
    assert float(damped([50.0])[0, 0, 0]) == pytest.approx(3 + 2)  # the last slope times the mean interval
    times = torch.tensor([0.5, 2.1, 4.0], dtype=torch.float64)
    numeric = (damped(times + 1e-3).double() - damped(times - 1e-3).double()) / 2e-3
    assert torch.allclose(damped.derivative(times).double(), numeric, atol=1e-3)


def test_a_label_is_a_part_of_a_files_name():
    assert [slug(each) for each in ("dynode[no z]", "trend+mlp", "demo")] == ["dynode-no-z", "trend+mlp", "demo"]
