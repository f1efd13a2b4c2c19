"""`dynode train all`: the list, a small queue from the command line, a signal, another machine."""

import json
import shutil

import pytest
from killing import Command

from dynode import cli, generators
from dynode.inversion import encoder_files
from dynode.io import assets

TINY = ["train", "all", "--tiny", "--device", "cpu"]


def test_the_list_names_networks_and_assets(capsys):
    assert cli.main(["train", "all", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "face-encoder" in shown and "bird-generator" in shown and "SynthesisNetwork.bin" in shown
    assert cli.main(["train", "all", "--list", "--only", "bird-generator"]) == 0
    assert "SynthesisNetwork.bin" not in capsys.readouterr().out


@pytest.mark.long
def test_a_queue_of_small_networks_ends_in_time_goes_on_and_leaves_weights_that_load(tmp_path, capsys):
    out = tmp_path / "out"
    only = [part for name in ("face-encoder", "scene-generator", "scene-encoder") for part in ("--only", name)]
    for _ in range(2):
        assert cli.main([*TINY, *only, "--minutes", "0.8", "-o", str(out)]) == 0
    assert "pictures shown" in capsys.readouterr().out
    log = json.loads((out / "log.json").read_text())
    assert all(run["seconds"] < 0.8 * 60 + 20 for run in log["runs"])  # a step of faces takes seconds
    started = log["runs"][1]["started_from"]
    assert started["face-encoder"] == started["scene-generator"] == "state" and "weights" in started["scene-encoder"]
    files = sorted(out.iterdir())
    assert len(files) == 4 and all(path.stat().st_size < 16e6 for path in files)
    generator = generators.load(str(out / "scene-generator.safetensors"))
    encoder_files.load(out / "scene-encoder.safetensors", generator)
    encoder_files.load(out / "face-encoder.safetensors", generators.load())
    shutil.rmtree(assets.own_dir() / "training" / log["name"])


@pytest.mark.long
def test_a_signal_ends_it_in_order_and_another_machine_goes_on(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    arguments = [*TINY, "--only", "scene-generator", "-o", "out"]
    stopped = Command(folder, [*arguments, "--minutes", "2"], seed=0, DYNODE_CACHE=str(tmp_path / "cache"))
    stopped.stop_after((folder / "out" / "log.json").is_file, 12, "SIGTERM")
    assert "the same command goes on from there" in stopped.log()
    shutil.rmtree(tmp_path / "cache")
    again = Command(folder, [*arguments, "--minutes", "0.4"], seed=0, DYNODE_CACHE=str(tmp_path / "cache"))
    assert again.start().wait(90) == 0, again.log()
    log = json.loads((folder / "out" / "log.json").read_text())
    assert len(log["runs"]) == 2 and log["jobs"]["scene-generator"]["pictures_shown"] > 0
