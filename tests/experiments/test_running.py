"""One item: its parameters, and what is left and said when its notebook fails."""

import sys

import nbformat
import pytest
from tiny_notebooks import printed, tiny_item

from dynode import cli
from dynode.errors import UserError
from dynode.experiments import children, runner
from dynode.reporting import paths


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Makes the item "tiny" of these cells."""
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path / "out"))
    return lambda *cells: tiny_item(monkeypatch, tmp_path / "item", *cells)


def test_parameters_are_made_what_the_notebook_declares(tiny):
    tiny("print(frames, fraction, clip_names, loud)")
    given = {"frames": 5, "fraction": 2, "clip_names": "b", "loud": True}
    assert printed(runner.run("tiny", "smoke", given)) == "5 2.0 ['b'] True\n"


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"frame": 3}, "did you mean 'frames'"),
        ({"frames": "x"}, "frames wants an int such as 3, got 'x'"),
        ({"frames": 2.5}, "frames wants an int such as 3, got 2.5"),
        ({"fraction": "half"}, "fraction wants a float such as 0.5, got 'half'"),
        ({"loud": 2}, "loud wants a bool such as False, got 2"),
    ],
)
def test_other_parameters_are_refused_in_one_sentence(tiny, given, part):
    tiny()
    with pytest.raises(UserError) as refusal:
        runner.run("tiny", "smoke", given)
    assert part in str(refusal.value) and str(refusal.value).endswith(".")


def test_a_defect_leaves_the_last_good_notebook_and_says_where_the_bad_one_is(tiny, capsys):
    tiny("print('good')")
    good = runner.run("tiny", "smoke").read_bytes()
    tiny("print('begun')", "1 / 0", "print('never')")
    assert cli.main(["run", "tiny", "--profile", "smoke"]) == 1
    *trace, last = capsys.readouterr().err.strip().splitlines()
    failed = paths.failed_copy("tiny", "smoke")
    assert last == (
        f"dynode: The notebook {runner.items.item('tiny').notebook} failed (ZeroDivisionError: division by zero); "
        f"the cell is in {failed}."
    )
    assert len(trace) < 20 and "papermill" not in "".join(trace) and "1 / 0" in "".join(trace)
    assert paths.executed_copy("tiny", "smoke").read_bytes() == good
    outputs = [output for cell in nbformat.read(failed, as_version=4).cells for output in cell.get("outputs", [])]
    assert [
        output.get("text") or output.get("ename") for output in outputs if output.output_type != "display_data"
    ] == [
        "begun\n",
        "ZeroDivisionError",
    ]
    tiny("print('good again')")
    runner.run("tiny", "smoke")
    assert not failed.exists()


def test_a_mistake_of_the_user_inside_a_notebook_is_a_sentence(tiny, capsys):
    tiny("from dynode.errors import UserError\nraise UserError('There is no clip x: name another.')")
    assert cli.main(["run", "tiny", "--profile", "smoke"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == "dynode: There is no clip x: name another."


def test_a_killed_kernel_is_a_sentence(tiny):
    tiny("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(
        UserError, match="was killed, most often for want of memory: run it again, finished fits are kept"
    ):
        runner.run("tiny", "smoke")
    assert not paths.executed_copy("tiny", "smoke").exists()


def test_a_kernel_that_does_not_start_says_why(tiny, monkeypatch):
    tiny()
    monkeypatch.setattr(
        children, "python", lambda statement: [sys.executable, "-c", "raise ImportError('no module of that name')"]
    )
    with pytest.raises(UserError, match="could not be started: ImportError: no module of that name"):
        runner.run("tiny", "smoke")


def test_an_interrupted_item_notes_what_is_kept(tiny, monkeypatch):
    tiny()
    folder = paths.fits("tiny", "smoke")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        runner.run("tiny", "smoke")
    assert stop.value.__notes__ == ["nothing was fitted yet, the same command begins anew."]
    folder.mkdir(parents=True)
    (folder / "a.safetensors").touch()
    with pytest.raises(KeyboardInterrupt) as stop:
        runner.run("tiny", "smoke")
    assert stop.value.__notes__ == [f"fits are kept in {folder}, and the same command goes on from there."]


def test_a_clip_of_the_user_is_found_in_the_folder_where_the_command_was_typed(tiny, monkeypatch, tmp_path, circle):
    tiny("from dynode import clips\nprint(clips.load(clip_names[0]).name)")
    circle.save(tmp_path / "talk.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNODE_OUTPUT", "below")
    executed = runner.run("tiny", "smoke", {"clip_names": ["talk.safetensors"]})
    assert executed == tmp_path / "below" / "reports" / "executed" / "tiny.smoke.ipynb"
    assert printed(executed) == "circle\n"


def test_a_long_run_is_of_the_items_that_have_one(capsys):
    assert cli.main(["run", "table1", "--profile", "recorded"]) == 2
    said = capsys.readouterr().err
    have = "rivals, sparsity, presets, tuning, compare_editing, systems"
    assert said == f"dynode: table1 has no profile recorded, only {have}: leave --profile out.\n"
