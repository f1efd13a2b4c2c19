"""`dynode edit` by systems that tune the generator: a video in, a video out, counted, resumed, with their own settings."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from skimage.io import imread
from small_shots import built_once  # noqa: F401, a fixture

from dynode import cli, generators
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.io import video
from dynode.video_editing import edit_file
from dynode.video_editing.cost_counters import Counters
from dynode.video_editing.edit_request import EditRequest
from dynode.video_editing.keyframes import EditTrack, edit_of
from dynode.video_editing.masks import MaskSettings
from dynode.video_editing.paste import PasteSettings
from dynode.video_editing.registry import load_system
from dynode.video_editing.systems import fidelity
from dynode.video_editing.systems.stit import Stit
from dynode.video_editing.systems.tuning_system import TuningSystem
from dynode.video_editing.video_editor import VideoEditor

FRAMES = 5
SYSTEMS = ("stit", "tcsve", "dynode+tcsve")
OF_A_WORLD = ["--generator", "stylegan2-scene-factors", "--editor", "flow", "--attribute", "fog=2", "--device", "cpu"]
QUICK = {"tuning.passes": 1, "stitching.steps": 2}
QUICK_PHASES = {"phases.code_epochs": 1, "phases.flow_size": 16, "phases.width": 8}
QUICK_FIT = {"dynamics.training.segment_iterations": 3, "dynamics.training.iterations": 1}


pytestmark = pytest.mark.usefixtures("kept")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video of a picture that moves to the right."""
    path, rng = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(0)
    ground = np.kron(rng.integers(60, 190, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return video.write(path, [np.roll(ground, k, axis=1) for k in range(FRAMES)], 25)


def settings_of(method) -> list[str]:
    chosen = {f"system.{name}": value for name, value in (QUICK | (QUICK_PHASES if method != "stit" else {})).items()}
    chosen |= QUICK_FIT if method == "dynode+tcsve" else {}
    return [part for name, value in chosen.items() for part in ("-p", f"{name}={value}")]


def edited(film, output, method, *more):
    """Run an edit of a film; its numbers and its provenance."""
    assert (
        cli.main(["edit", str(film), "-o", str(output), *OF_A_WORLD, "--method", method, *settings_of(method), *more])
        == 0
    )
    rows, provenance = records.read(output.with_suffix(".json"))
    return {row.metric: row.value for row in rows}, provenance


@pytest.mark.parametrize("method", ["stit", pytest.param("tcsve", marks=pytest.mark.long), "dynode+tcsve"])
def test_a_video_is_edited_and_what_that_took_is_recorded_and_kept(film, tmp_path, method, capsys):
    more = ("--stride", "2") if method == "dynode+tcsve" else ()
    numbers, provenance = edited(film, tmp_path / "a.mp4", method, *more, "--save-frames", str(tmp_path / "a"))
    shown = capsys.readouterr().out
    assert f"{method}: {FRAMES} frames, at most" in shown and "on a CPU, less on a GPU" in shown
    inverted = 3 if more else FRAMES
    assert f"Before, {inverted} of them are inverted." in shown and "the same command goes on from there" in shown
    assert numbers["frames_inverted"] == inverted and numbers["encoder_passes"] == inverted
    pairs = 0 if method == "stit" else 2 * (inverted - 1)
    assert numbers["tuning_steps"] == inverted + pairs + 2 * FRAMES and numbers["optimiser_steps"] == 10 * inverted
    assert numbers["flow_calls"] == 2 * pairs and {"seconds_tune", "seconds_stitch"} <= set(numbers)
    (told,) = provenance["told"]["shots"]
    assert len(told["stitching"]) == FRAMES and told["tuning"]["steps"] == inverted
    assert all(each["border"] < each["border_before"] for each in told["stitching"])
    assert provenance["settings"]["paste"]["way"] == "feather" and "pivots[not of e4e]" in provenance["stand_ins"]
    assert ("flow[tvl1]" in provenance["stand_ins"]) == (method != "stit")
    again, _ = edited(film, tmp_path / "b.mp4", method, *more, "--save-frames", str(tmp_path / "b"))
    assert (again["tuning_steps"], again["generator_forward"]) == (0, 0)
    assert again["tuning_steps_before"] == numbers["tuning_steps"]
    assert all(np.array_equal(imread(path), imread(tmp_path / "b" / path.name)) for path in (tmp_path / "a").iterdir())
    assert provenance["command"].startswith(f"dynode edit {film} --attribute fog=2 --method {method}")
    assert "-p system.tuning.passes=1" in provenance["command"]


def editor_of(method, **changes) -> VideoEditor:
    request = EditRequest("film.mp4", changes.pop("output"), ("fog=2",), method=method, system=dict(QUICK))
    parts = edit_file.parts_of(request, "stylegan2-scene-factors") | changes
    return VideoEditor(generator=generators.load("stylegan2-scene-factors"), **parts)


def test_a_plan_holds_weights_as_data_and_renders_without_a_folder(film, tmp_path):
    editor = editor_of("stit", output=tmp_path / "a.mp4", mask=MaskSettings("ellipse"), codes=tmp_path / "codes")
    footage, counters = editor.follow(film), Counters()
    edit = edit_of([EditTrack.parsed("fog=2")], "flow", editor.generator)
    codes = pickle.loads(pickle.dumps(editor.plan(footage, edit, counters)))
    (shot,) = codes.shots
    assert all(isinstance(value, torch.Tensor) for value in shot.weights.values()) and shot.weights
    first, again = (
        np.stack([frame for _, frame in one.render(footage, codes)])
        for one in (editor, dataclasses.replace(editor, codes=None))
    )
    assert np.array_equal(first, again) and len(codes.metadata["shots"][0]["stitching"]) == FRAMES
    source = np.stack(list(footage.pictures()))
    assert np.array_equal(first[:, :4, :4], source[:, :4, :4]) and (first != source).mean() > 0.1
    crops = dataclasses.replace(editor, paste=PasteSettings("none")).render(footage, codes)
    assert next(crops)[1].shape == (48, 48, 3)


def test_each_shot_is_tuned_by_itself(film, tmp_path):
    editor = editor_of("stit", output=tmp_path / "a.mp4", codes=tmp_path / "codes")
    footage = editor.follow(film)
    cut = dataclasses.replace(footage.track, shots=np.array([0, 0, 0, 1, 1]))
    codes = editor.plan(
        dataclasses.replace(footage, track=cut), edit_of([EditTrack.parsed("fog=2")], "flow", editor.generator)
    )
    assert [shot.measured["tuning"]["steps"] for shot in codes.shots] == [3, 2]
    assert any(not torch.equal(value, codes.shots[1].weights[name]) for name, value in codes.shots[0].weights.items())
    frames = list(editor.render(dataclasses.replace(footage, track=cut), codes))
    assert [number for number, _ in frames] == list(range(FRAMES))
    assert [len(shot.measured["stitching"]) for shot in codes.shots] == [3, 2]


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_has_a_fidelity_table_and_a_name_of_its_own(name):
    one = load_system(name)
    assert isinstance(one, TuningSystem) and one.name == name == one.settings["name"]
    table = fidelity.table(one.fidelity)
    assert table.count("\n") == len(one.fidelity) + 1 and "| stitching" in table.replace("decoding and ", "")
    assert {part.state for part in one.fidelity} <= {fidelity.KEPT, fidelity.CHANGED, fidelity.LEFT_OUT}
    assert all(part.here for part in one.fidelity if part.state != fidelity.KEPT)
    assert not isinstance(load_system("latent-transformer"), TuningSystem)


WRONG = {
    "--method latent-transformer --scale published": "latent-transformer has no scale",
    "--method latent-transformer -p system.factor=1": "latent-transformer has no settings of its own",
    "--method stit --scale large": "There is no scale of a system's settings 'large'",
    "--method stit -p system.tuning.pass=1": "There is no setting 'pass', did you mean 'passes'",
    "--method stit -p system.phases.scale=1": "There is no setting 'phases'",
    "--method stit -p system.stich.steps=1": "did you mean 'stitching'",
    "--method stit -p dynamics.training.iterations=1": "stit fits no dynamics",
    "--method stit --stride 2": "stit has no stride",
    "--method tcsve -p system.phases.anchor=last": "There is no anchor 'last'",
}


@pytest.mark.parametrize("choice", WRONG)
def test_a_wrong_choice_is_one_sentence(film, tmp_path, choice, capsys):
    assert cli.main(["edit", str(film), "-o", str(tmp_path / "a.mp4"), *OF_A_WORLD, *choice.split()]) == 2
    assert WRONG[choice] in capsys.readouterr().err


def test_the_scale_chooses_the_settings(tmp_path):
    def chosen(scale, **more):
        return edit_file.system_of(
            EditRequest("a.mp4", tmp_path / "b.mp4", ("fog=2",), method="stit", scale=scale, **more)
        )

    assert chosen("published") == Stit(Stit.scaled("published")) and chosen("embedded") == Stit()
    kept, refined = (edit_file.pivot_settings("mobilestylegan-ffhq", scale) for scale in ("published", "embedded"))
    assert kept.start == refined.start == "encoder" and (kept.first_steps, refined.first_steps) == (0, 15)
    assert edit_file.pivot_settings("dcgan-isaac3d", "published").start == "w_avg"  # without an encoder
    assert chosen("published", system={"tuning.passes": 3}).chosen.tuning.passes == 3
    with pytest.raises(UserError, match="must be above 0"):
        chosen("embedded", system={"factor": 0.0})
