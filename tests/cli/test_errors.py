"""A mistake of the user ends in one plain sentence and exit code 2."""

import errno
import json
import re
import subprocess
import sys
import wave

import numpy as np
import pytest
import torch
from conftest import circle_codes
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dynode import cli, clips, generators, runtime
from dynode.clips import Clip
from dynode.dynamics import methods, trajectory
from dynode.dynamics.fitting import checkpoints, single
from dynode.dynamics.presets import preset
from dynode.editing import interfacegan, latent_flow, latent_transformer, styleclip
from dynode.errors import UserError
from dynode.experiments import runner
from dynode.inversion import encoder as encoders
from dynode.inversion.partial_results import Partial
from dynode.inversion.projection import Projection
from dynode.io import assets, video
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


def a_clip(name: str, frames: int = 8, **meta) -> Clip:
    ts = torch.linspace(0, 0.5, frames, dtype=torch.float64)
    known = {"name": name, "generator": "mobilestylegan-ffhq", "generator_hash": "none"}
    return Clip(circle_codes(ts), ts, meta=known | meta)


def broken_clip(path, **changes) -> None:
    """A file that calls itself a clip."""
    tensors = {"ws": torch.zeros(4, 23, 512), "ts": torch.arange(4, dtype=torch.float64)} | changes
    save_file({k: v for k, v in tensors.items() if v is not None}, path, {"format": clips.FORMAT, "meta": "{}"})


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with everything that can be given in place of what was wanted."""
    here = tmp_path_factory.mktemp("inputs")
    (here / "folder").mkdir()
    (here / "empty.mp4").touch()
    (here / "text.mp4").write_text("this is not a video")
    (here / "text.safetensors").write_text("no tensors here")
    with wave.open(str(here / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    quick = changed(preset("dynode"), {"training.segment_iterations": 2, "training.iterations": 1})
    for name, told in {"circle": {}, "other": {}, "drawn": {"generator_hash": generators.hash_of(GENERATOR)}}.items():
        clip = a_clip(name, **told)
        clip.save(here / f"{name}.safetensors")
        single.fit(clip, quick).save(here / f"{name}.fit")
    whole = (here / "circle.safetensors").read_bytes()
    (here / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    whole = (here / "circle.fit").read_bytes()
    (here / "cut.fit").write_bytes(whole[:-100])
    a_clip("longer", 9).save(here / "longer.safetensors")
    a_clip("circle", generator="stylegan9").save(here / "foreign.safetensors")
    broken_clip(here / "nan.safetensors", ws=torch.full((4, 23, 512), torch.nan))
    broken_clip(here / "flat.safetensors", ws=torch.zeros(4, 512))
    broken_clip(here / "short.safetensors", ws=torch.zeros(3, 23, 512))
    broken_clip(here / "repeats.safetensors", ts=torch.tensor([0.0, 1.0, 1.0, 2.0]))
    broken_clip(here / "timeless.safetensors", ts=None)
    broken_clip(here / "alone.safetensors", ws=torch.zeros(1, 23, 512), ts=torch.zeros(1))
    broken_clip(here / "cuts.safetensors", shots=torch.arange(4))
    save_file({"x": torch.zeros(3)}, here / "foreign.bin")
    return here


GENERATOR = "mobilestylegan-ffhq"
MISTAKES = {
    # files: missing, of another kind, broken
    "invert {here}/none.mp4": "There is no file",
    "invert {here}/folder": "There is no file",
    "invert {here}/empty.mp4": "not a video",
    "invert {here}/text.mp4": "not a video",
    "invert {here}/sound.wav": "no video stream",
    "invert {here}/circle.safetensors": "not a video",
    "fit {here}/none.safetensors": "There is no clip",
    "fit single_face.warn": "did you mean 'single_face.warm'",
    "fit {here}/folder": "is a folder",
    "fit {here}/text.safetensors": "no safetensors file",
    "fit {here}/text.mp4": "no safetensors file",
    "fit {here}/cut.safetensors": "cut off",
    "fit {here}/circle.fit": "has format 'dynode-fit-5': a clip .* was wanted",
    "fit {here}/foreign.bin": "has format 'unknown': a clip",
    "fit {here}/nan.safetensors": r"frames \[0, 1, 2, 3\] hold NaN",
    "fit {here}/flat.safetensors": r"wants codes \(T, L, D\) and times \(T,\), got \(4, 512\)",
    "fit {here}/short.safetensors": r"got \(3, 23, 512\) and \(4,\)",
    "fit {here}/repeats.safetensors": "must strictly increase",
    "fit {here}/timeless.safetensors": "holds ws: a clip wants ws and ts",
    "fit {here}/alone.safetensors": "at least 2 frames",
    "fit {here}/cuts.safetensors": "2 observed frames",
    "diagnose {here}/nan.safetensors": "hold NaN",
    "diagnose {here}/circle.fit": "a clip .* was wanted",
    "render {here}/none.fit": "There is no file",
    "render {here}/circle.safetensors": "has format 'dynode-clip-1': a fit .* was wanted",
    "render {here}/cut.fit": "cut off",
    "render {here}/folder": "is a folder",
    # the video and the face in it
    "invert no-face-video --frames 3": "No face was found in the 3 frames",
    "invert single-face-video --frames 1": "followed for 1 frame",
    "invert single-face-video --first 10000": "choose an earlier first frame",
    "invert single-face-video --every 0": "every >= 1",
    "invert single-face-video --first -1": "first >= 0",
    "invert single-face-video --frames -3": "count >= 0",
    "invert single-face-video --frames 2 --face left": "'largest' or a number",
    "invert single-face-video --frames 2 --face 7": "7|followed",
    # names
    "run dynamic_face": "did you mean 'dynamics_face'",
    "run dynamics_face --profile embeded": "did you mean 'embedded'",
    "run dynamics_face -p seed=[1]": "did you mean 'seeds'",
    "run dynamics_face -p columns=many": "columns wants a int",
    "run dynamics_face -p strides=[4": "value is YAML",
    "run": "Name items",
    "run dynamics_face --all": "Name items",
    "run --all -p seeds=[1]": "name that item alone",
    "run worlds table1 --jobs -1": "--jobs must be 0 or more",
    "run worlds nothing": "There is no item 'nothing'",
    "fetch single-face": "did you mean 'single-face-video'",
    "fit {here}/circle.safetensors --preset robus": "did you mean 'robust'",
    "fit {here}/circle.safetensors --sampling regularly": "did you mean 'regular'",
    "fit {here}/circle.safetensors --device gpu0": "no device 'gpu0'",
    "fit {here}/circle.safetensors --device meta": "cannot be used",
    "evaluate": "at least one fit",
    "evaluate {here}/circle.fit {here}/other.fit": "different clips",
    "evaluate {here}/circle.fit": "--clip",
    "evaluate {here}/circle.fit --clip {here}/none.safetensors": "There is no clip",
    "evaluate {here}/circle.fit --clip {here}/other.fit": "a clip .* was wanted",
    "evaluate {here}/circle.fit --clip {here}/circle.safetensors": "belongs to weights none",
    "evaluate {here}/circle.fit --clip {here}/foreign.safetensors": "no generator 'stylegan9'",
    "evaluate {here}/drawn.fit --clip {here}/drawn.safetensors": r"wants codes \(T, 23, 512\)",
    # numbers and settings
    "fit {here}/circle.safetensors --stride 0": "at least 1, got 0",
    "fit {here}/circle.safetensors --hidden-end 7": "at least 2",
    "fit {here}/circle.safetensors --hidden-end -1": "0 or more",
    "fit {here}/circle.safetensors --seed -1": "seed",
    "fit {here}/circle.safetensors -p training.iteration=5": "did you mean 'iterations'",
    "fit {here}/circle.safetensors -p training=5": "change one of them",
    "fit {here}/circle.safetensors -p training.lr.x=5": "one value",
    "fit {here}/circle.safetensors -p training.lr=fast": "wants a float such as",
    "fit {here}/circle.safetensors -p training.lr=.nan": "finite number",
    "fit {here}/circle.safetensors -p training.lr=-1": "0 or more",
    "fit {here}/circle.safetensors -p training.betas=[0.9]": "wants a tuple",
    "fit {here}/circle.safetensors -p training.betas=[0.9,1.5]": "below 1",
    "fit {here}/circle.safetensors -p training.check_every=0": "above 0",
    "fit {here}/circle.safetensors -p field.depth=0": "above 0",
    "fit {here}/circle.safetensors -p field.activation=relu": "did you mean 'leaky_relu'",
    "fit {here}/circle.safetensors -p solver.solver=dopri55": "did you mean 'dopri5'",
    "fit {here}/circle.safetensors -p depth": "NAME=VALUE",
    "fit {here}/circle.safetensors -p =5": "NAME=VALUE",
    "fit {here}/circle.safetensors -p space=[1": "value is YAML",
    "invert single-face-video -p steps=many": "steps wants a int such as 40, got 'many'",
    "invert single-face-video -p step=40": "did you mean 'steps'",
    "invert single-face-video --frames 2 -p start=middle": "legal are",
    "render {here}/circle.fit": "belongs to weights none",
    "render {here}/drawn.fit --fps 0": "must be above 0",
    "render {here}/drawn.fit --fps nan": "must be above 0",
    "render {here}/drawn.fit --fps inf": "at most 1000",
    "invert single-face-video -p batch=0": "batch must be above 0",
    "invert single-face-video -p resolution=300": "resolution must be one of",
    "invert single-face-video -p beta2=1.5": "beta2 must lie in",
    "render {here}/drawn.fit --resolution 300": r"one of \[16, .*1024\], got 300",
    # outputs
    "fit {here}/circle.safetensors -o {here}/text.mp4/fit.safetensors": "cannot be written",
    "fit {here}/circle.safetensors -o {here}/folder": "it is a folder",
    "invert single-face-video -o {here}/text.mp4/clip.safetensors": "cannot be written",
    "render {here}/drawn.fit -o {here}/folder": "it is a folder",
    "evaluate {here}/circle.fit -o {here}/text.mp4/out.json": "cannot be written",
    "diagnose {here}/circle.safetensors -o {here}/figure.xyz": "no format of figures 'xyz'",
    "fit {here}/circle.safetensors -o {here}/circle.safetensors": "is the input itself",
    "invert {here}/text.mp4 -o {here}/folder/../text.mp4": "is the input itself",
    "evaluate {here}/circle.fit -o {here}/circle.fit": "is the input itself",
    "diagnose {here}/circle.safetensors -o {here}/circle.safetensors": "is the input itself",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_in_one_sentence(mistake, here, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert re.search(MISTAKES[mistake], told(capsys, *mistake.format(here=here).split()))
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


@pytest.mark.parametrize("arguments", ["fit", "fit clip --strides 2", "fit clip --stride two", "fetch --profile tiny"])
def test_options_that_a_command_does_not_know_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments.split())
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


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
    methods.fit(clip, quick, seed=1, checkpoint=tmp_path / "out.checkpoint")
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

    def full(*_):
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(trajectory, "save_file", full)
        assert "could not be written: " in told(capsys, *fit, *QUICK)
        assert [path.name for path in tmp_path.iterdir()] == ["circle.0.checkpoint"]
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
    import papermill

    from dynode.experiments import items

    for item in items.items().values():
        legal = papermill.inspect_notebook(str(runtime.ROOT / item.notebook))
        for values in item.parameters.values():
            runner.refuse_unknown(values, legal, item.name)


def test_a_clip_of_two_frames_is_enough(tmp_path):
    two = Clip(torch.randn(2, 2, 4), torch.tensor([0.0, 0.1]))
    fit = single.fit(two, changed(preset("dynode"), {"training.segment_iterations": 50, "training.iterations": 5}))
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
        (("train", "gan", "bird", "--measured", "3"), "at least 16: got 12288 and 3"),
    ],
)
def test_a_world_that_cannot_be_drawn_or_learned(capsys, here, arguments, part):
    assert part in told(capsys, *arguments)


def test_a_reader_that_goes_away_gets_no_traceback():
    command = f"{sys.executable} -m dynode list | true"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, cwd=runtime.ROOT
    )
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
    belongs = json.loads(metadata["generator"])["name"] if "generator" in metadata else "stylegan2-scene"
    with pytest.raises(UserError, match=r"short.safetensors is damaged, or of another version: .* was wanted"):
        LOADERS[kind](short, generators.load(belongs))
