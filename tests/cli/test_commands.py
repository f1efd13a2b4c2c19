"""The command line's own words: help, nearest names, lists without brackets, default outputs."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dynode
from dynode import cli
from dynode.cli import (
    attributes,
    bench,
    diagnosis,
    dynamics,
    experiments,
    options,
    parameters,
    text_editing,
    training,
    worlds,
)
from dynode.cli import video_editing as editing
from dynode.cli.commands import COMMANDS, GROUPS
from dynode.dynamics import methods
from dynode.dynamics.presets import preset
from dynode.errors import UserError
from dynode.evaluation import compare_fits
from dynode.evaluation.records import Row
from dynode.runtime import ROOT
from dynode.video_editing import edit_file


@pytest.fixture
def circle_file(circle, tmp_path, monkeypatch) -> Path:
    """A clip in the current folder."""
    monkeypatch.chdir(tmp_path)
    return circle.save(tmp_path / "circle.safetensors")


def lines(capsys, *arguments: str, code: int = 0) -> list[str]:
    """What a call prints on stdout."""
    assert cli.main(list(arguments)) == code
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_the_front_help_has_a_line_with_an_example_for_each_command_or_group_or_its_name(word, capsys):
    printed = lines(capsys, word)
    assert len(printed) <= 26 and max(map(len, printed)) <= 100
    others = ", ".join(re.findall(r"^  also: (.*?)  ", "\n".join(printed), re.M)).split(", ")
    assert others == [name for name, each in COMMANDS.items() if not each.first]
    for name in [name for name, each in COMMANDS.items() if each.first and " " not in name] + [*GROUPS, "reproduce"]:
        assert any(re.match(rf"  (python3 -m )?dynode {name}\b.*  +\w", line) for line in printed), name


def test_a_command_that_the_front_help_only_names_shows_its_example_itself(capsys):
    for each in COMMANDS.values():
        if not each.first:
            with pytest.raises(SystemExit):
                cli.main([each.name, "--help"])
            assert f"dynode {each.example}" in capsys.readouterr().out


def test_without_a_command_the_help_is_printed_and_that_is_a_mistake(capsys):
    assert lines(capsys, code=2) == lines(capsys, "--help")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_its_members_with_an_example_each(group, capsys):
    printed = lines(capsys, group, code=2)
    assert printed == lines(capsys, group, "--help") and len(printed) <= 24 and max(map(len, printed)) <= 100
    members = [name for name in COMMANDS if name.startswith(f"{group} ")]
    assert [line.split("  ")[1].strip() for line in printed[1:-1]] == [f"dynode {COMMANDS[m].example}" for m in members]


@pytest.mark.parametrize(
    "typed, nearest",
    [
        ("lst", "list"),
        ("train gn", "train gan"),
        ("train-gan", "train gan"),
        ("train-boundary", "train boundary"),
        ("world episodes", "world episode"),
        ("episode", "world episode"),
        ("invert-episode", "world invert"),
        ("flow-episode", "world flow"),
        ("score-samples", "train scores"),
        ("reproduse", "reproduce"),
        ("trian gan", "train"),
        ("--verison", "--version"),
        ("help", "--help"),
    ],
)
def test_a_mistyped_command_is_answered_by_the_nearest_in_one_sentence(typed, nearest, capsys):
    assert cli.main(typed.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and f", did you mean `dynode {nearest}`;" in err and err.count("\n") == 1


def test_a_command_like_no_other_is_answered_too(capsys):
    assert cli.main(["zzz"]) == 2
    assert capsys.readouterr().err == "dynode: There is no `dynode zzz`: `dynode --help` lists the commands.\n"


def test_help_after_other_words_is_the_whole_help(capsys):
    for typed in (["fit", "--help"], ["fit", "a.safetensors", "--help"], ["fit", "--nope", "-h"]):
        with pytest.raises(SystemExit, match="0"):
            cli.main(typed)
        assert "positional arguments" in capsys.readouterr().out


def test_the_version(capsys):
    assert lines(capsys, "--version") == [dynode.__version__]


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], [], ["lst"], ["train", "gn"]])
def test_help_version_and_mistakes_need_no_package(arguments):
    bare = [sys.executable, "-S", "-m", "dynode", *arguments]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and (done.stdout or "did you mean" in done.stderr)


def test_a_missing_package_is_said_with_what_to_do():
    done = subprocess.run([sys.executable, "-S", "-m", "dynode", "list"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "python3 -m dynode setup" in done.stderr


def test_options_are_read_without_torch():
    code = "import sys; from dynode import cli; code = cli.main(['fit', 'x', '--strides', '2'])"
    code += "; sys.exit(code + 10 * ('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 2


# -p


def test_lists_need_no_brackets():
    def is_list(name: str) -> bool:
        return name in {"seeds", "clip_names", "edits"}

    def read(*pairs: str) -> dict:
        return parameters.assignments(pairs, is_list)

    assert read("seeds=0,1,2") == read("seeds=[0, 1, 2]") == {"seeds": [0, 1, 2]}
    assert read("seeds=3") == {"seeds": [3]} and read("seeds=") == read("seeds=[]") == {"seeds": []}
    assert read("clip_names=scene.day,bird.flight") == {"clip_names": ["scene.day", "bird.flight"]}
    assert read('clip_names="a, b",c') == {"clip_names": ["a, b", "c"]}
    assert read("edits=[[smile, 1.5]]") == {"edits": [["smile", 1.5]]}
    assert read("clips=A,B", "lr=1e-3", "fine=false") == {"clips": "A,B", "lr": "1e-3", "fine": False}


def test_the_type_of_a_setting_says_whether_commas_part_a_list():
    dynode = parameters.settings_with(preset("trend+mlp"), ("training.betas=0.8,0.99", "training.lr=1e-3"))
    assert dynode.training.betas == (0.8, 0.99) and dynode.training.lr == 1e-3
    prior = parameters.settings_with(methods.settings_of("prior"), ("clips=scene.day,scene.winter",))
    assert prior.clips == "scene.day,scene.winter"


def test_the_parameters_of_a_notebook_say_it_too():
    given = experiments.notebook_parameters("dynamics_face", ("seeds=3", "strides=2,4", "clip_names=scene.day,b"))
    assert given == {"seeds": [3], "strides": [2, 4], "clip_names": ["scene.day", "b"]}
    given = experiments.notebook_parameters("dynamics_face", ("frames=3", "device=cpu", "nothing=1,2"))
    assert given == {"frames": 3, "device": "cpu", "nothing": "1,2"}


def test_settings_of_an_edit_are_of_the_projection_of_the_dynamics_or_of_the_method():
    dynamics = ("dynamics.field.depth=4", "dynamics.training.betas=0.8,0.9", "dynamics.training.lr=1e-3")
    projection, ours, method = editing.edit_settings(("steps=80", *dynamics, "system.tuning.passes=5"), "stit")
    assert projection == {"steps": 80}
    assert editing.edit_settings(("system.steps=7", "system.start=zero"), "igci")[2] == {"steps": 7, "start": "zero"}
    assert ours == {"field.depth": 4, "training.betas": [0.8, 0.9], "training.lr": "1e-3"}
    assert method == {"tuning.passes": 5}


@pytest.mark.parametrize(
    "pair, nearest",
    [
        ("step=80", "'steps'"),
        ("dynamics.feild.depth=4", "'dynamics.field'"),
        ("dynamics.field.dept=4", "'depth'"),
        ("dynamic.field.depth=4", "'dynamics."),
        ("dynamics=4", "'dynamics."),
    ],
)
def test_a_wrong_setting_of_an_edit_is_answered_by_the_nearest(pair, nearest, capsys):
    assert cli.main(["edit", "single_face.warm", "--attribute", "smile=1", "-p", pair]) == 2
    assert f"did you mean {nearest}" in capsys.readouterr().err


# outputs


def test_outputs_are_named_after_their_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "talk.mp4").touch()
    assert options.stem("films/talk.mp4") == "talk" and options.stem("single_face.warm") == "single_face.warm"
    assert options.slug("Red lips, lipstick!") == "red-lips-lipstick" and options.slug("?!") == "text"
    assert options.output_path(None, "talk.fit") == Path("talk.fit")
    assert options.output_path(Path("a.fit"), "talk.fit") == Path("a.fit")
    with pytest.raises(UserError, match="talk.mp4 is the input itself"):
        options.output_path(Path("films/../films/talk.mp4"), "", "films/talk.mp4")


class Reached(Exception):
    """Carries what a command wanted to write."""


OUTPUTS = {
    "invert films/talk.mp4": "talk.safetensors",
    "invert single-face-video": "single-face-video.safetensors",
    "fit circle.safetensors": "circle.fit",
    "fit single_face.warm": "single_face.warm.fit",
    "render talk.fit": "talk-60fps.mp4",
    "render talk.fit --fps 29.97": "talk-29.97fps.mp4",
    "diagnose circle.safetensors": "circle-diagnosis.png",
    "edit-text single_face.warm red,lips": "single_face.warm-red-lips.png",
    "world episode bird flight": "bird-flight.mp4",
    "world invert bird flight": "bird-flight.safetensors",
    "world flow stylegan2-scene-factors scene.fog scene.hour": "scene.fog-scene.hour.safetensors",
    "train gan bird": "stylegan2-bird-factors.safetensors",
    "train gan bird --architecture dcgan": "dcgan-bird.safetensors",
    "train encoder stylegan2-scene-factors": "stylegan2-scene-factors.encoder.safetensors",
    "train encoder films/own.safetensors": "own.encoder.safetensors",
    "train factors scene": "scene.factors.safetensors",
    "train flow stylegan2-scene-factors fog": "stylegan2-scene-factors.fog.flow.safetensors",
    "train transformer mobilestylegan-ffhq age": "mobilestylegan-ffhq.age.transformer.safetensors",
    "train captions face": "face.captions.safetensors",
    "train mapper stylegan2-scene-factors mountain": "stylegan2-scene-factors.mountain.mapper.safetensors",
    "train boundary": "mobilestylegan-ffhq.boundaries.safetensors",
    "train scores": "mobilestylegan-ffhq.scores.safetensors",
    "bench fits times": "bench-fits-times.json",
    "bench": "bench.json",
}


@pytest.mark.parametrize("typed", OUTPUTS)
def test_default_outputs(typed, circle_file, monkeypatch):
    for name in ("films/talk.mp4", "films/own.safetensors", "talk.fit"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()

    def reached(output, name, *inputs):
        raise Reached(str(output or name))

    for module in (attributes, bench, diagnosis, dynamics, text_editing, training, worlds):
        monkeypatch.setattr(module, "output_path", reached)
    with pytest.raises(Reached, match=f"^{re.escape(OUTPUTS[typed])}$"):
        cli.main(typed.split())


def test_a_fit_lies_beside_its_clip_and_is_replaced(circle_file, capsys):
    quick = ["-p", "training.iterations=1", "-p", "training.segment_iterations=1"]
    for _ in range(2):
        assert cli.main(["fit", circle_file.name, "--stride", "3", *quick]) == 0
    assert capsys.readouterr().out.count("circle.fit: 6 of 16 frames observed") == 2
    assert {path.name for path in Path.cwd().iterdir()} == {"circle.safetensors", "circle.fit"}


def test_the_edit_of_a_video_gets_its_name_frames_and_settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.mp4").touch()

    def reached(request, device):
        raise Reached(request)

    monkeypatch.setattr(edit_file, "run", reached)
    typed = "edit talk.mp4 --attribute smile=1 --frames 6 --save-frames png --mode flow --face 1 --paste none"
    with pytest.raises(Reached) as stopped:
        cli.main([*typed.split(), "-p", "steps=5", "-p", "dynamics.field.depth=4"])
    (request,) = stopped.value.args
    assert (request.output, request.frames, request.save_frames) == (Path("talk-edited.mp4"), 6, Path("png"))
    assert (request.projection, request.dynamics) == ({"steps": 5}, {"field.depth": 4})
    assert request.command == (
        "dynode edit talk.mp4 --attribute smile=1 --mode flow --paste none --frames 6 --face 1 -p steps=5 "
        "-p dynamics.field.depth=4"
    )


def test_settings_of_the_dynamics_reach_the_plug_in(tmp_path):
    request = edit_file.EditRequest("a.mp4", tmp_path / "b.mp4", ("smile=1",), dynamics={"field.depth": 4})
    system = edit_file.parts_of(request, "mobilestylegan-ffhq")["system"]
    assert system.method == parameters.settings_with(preset("dynode"), ("field.depth=4",))
    host = dataclasses.replace(request, method="latent-transformer")
    with pytest.raises(UserError, match="fits no dynamics"):
        edit_file.parts_of(host, "mobilestylegan-ffhq")


# evaluate


def test_evaluate_prints_unobserved_frames_first_and_all_on_demand(tmp_path, monkeypatch, capsys):
    values = {"hold": (15.14e-3, 0.8, 0.21, -2.1), "dynode": (2.87e-3, 0.9312, 0.0456, 0.1234)}
    rows = []
    for method, numbers in values.items():
        common = {"method": method, "variant": "talk", "space": "image", "reference": "code"}
        for name, value in zip(("mse", "ssim", "lpips_alex", "skill"), numbers, strict=True):
            rows += [Row(name, 0.0, split="observed", **common)] * (name == "mse")
            rows.append(Row(name, value, split="unobserved", **common))
    monkeypatch.setattr(compare_fits, "of_fits", lambda *a, **k: rows)
    header, _, *body, empty, legend = lines(capsys, "evaluate", "talk.fit")
    assert header == "| split | method | MSE x 1e3 | SSIM % | LPIPS-Alex | skill |"
    assert body == [
        "| unobserved | hold | 15.1 | 80.0 | 0.210 | -2.10 |",
        "| unobserved | dynode | **2.87** | **93.1** | **0.0456** | **0.123** |",
        "| observed | hold | 0 |  |  |  |",
        "| observed | dynode | 0 |  |  |  |",
    ]
    assert not empty and legend.startswith("MSE x 1e3, LPIPS-Alex: lower is better; SSIM %, skill: higher")
    assert "| fit | split | reference | method | MSE x 1e3 | SSIM % |" in lines(capsys, "evaluate", "t.fit", "--all")[0]
