"""Windows of footage by their names, in commands that take a video and in those that take a clip."""

from types import SimpleNamespace

import pytest

from dynode import cli, clips
from dynode.cli.options import WHOLE, Excerpt
from dynode.cli.windows import load_clip, named_footage
from dynode.errors import UserError
from dynode.experiments.face_windows import windows
from dynode.video_editing import edit_file


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Another folder, and a package whose codes are those of one clip and of one window."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clips, "shipped_names", lambda: ["pexels.1", "pexels.1.observed"])


def test_a_window_is_its_asset_and_its_own_frames_unless_a_file_or_clip_has_the_name(tmp_path):
    window = windows()["pexels.2"]
    assert named_footage("pexels.2", Excerpt(face="1")) == (
        "pexels-video",
        Excerpt(window.first, window.frames, window.every, "1"),
    )
    assert named_footage("pexels.2", WHOLE, clips=["pexels.2"]) == ("pexels.2", WHOLE)
    (tmp_path / "pexels.2").touch()
    assert named_footage("pexels.2", WHOLE) == ("pexels.2", WHOLE)


@pytest.mark.parametrize("command", [["invert"], ["edit", "--attribute", "smile=1"]])
@pytest.mark.parametrize("name", ["pexels.9", "pexels.", "pexels"])
def test_another_number_behind_a_name_lists_the_windows(command, name, capsys):
    assert cli.main([*command, name]) == 2
    said = capsys.readouterr().err
    assert (
        f"no window '{name}'" in said
        and said.count("pexels.1, pexels.2, pexels.3, pexels.4") == 1
        and "pexels-video" in said
    )
    assert ("pexels.1.observed" in said) == (command[0] == "edit")


@pytest.mark.parametrize("command", [["invert"], ["edit", "--attribute", "smile=1"]])
def test_other_frames_of_a_window_are_refused(command, capsys):
    assert cli.main([*command, "pexels.2", "--frames", "3"]) == 2
    assert "leave out --first, --frames and --every" in capsys.readouterr().err


def test_edit_takes_the_frames_of_a_window_and_names_its_output_after_it(monkeypatch, capsys):
    requests = []
    monkeypatch.setattr(edit_file, "run", lambda request, _: requests.append(request) or SimpleNamespace(text="done"))
    assert cli.main(["edit", "carphone.2", "--attribute", "smile=1", "--device", "cpu"]) == 0
    (request,), window = requests, windows()["carphone.2"]
    assert (request.source, str(request.output)) == (window.asset, "carphone.2-edited.mp4")
    assert (request.first, request.frames, request.every) == (window.first, window.frames, window.every)


@pytest.mark.parametrize("command", ["fit", "tune", "diagnose", "choose-depth"])
def test_a_command_that_wants_codes_says_how_to_make_them(command, capsys):
    assert cli.main([command, "webcam.2"]) == 2
    assert "by `dynode invert webcam.2`, and give webcam.2.safetensors" in capsys.readouterr().err


def test_a_name_that_is_neither_is_refused_as_before():
    with pytest.raises(UserError, match="There is no clip 'pexels.9'"):
        load_clip("pexels.9")
    assert len(load_clip("pexels.1.observed")) == 36
