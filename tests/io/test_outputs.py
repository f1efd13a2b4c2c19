"""What an output may be is checked before the work, whatever is there: devices, links, inputs, names, folders."""

import errno
import os
import re
import shutil
import socket
import stat
from pathlib import Path

import pytest
import torch
from conftest import circle_codes

import dynode
from dynode import cli, runtime
from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.fitting import checkpoints, store
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.inversion.partial_results import Partial
from dynode.io import assets, files, locks, names, outputs

QUICK = ("-p", "training.iterations=1", "-p", "training.segment_iterations=1")
LONG = "あ" * 76 + ".safetensors"  # 240 bytes


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a clip, in which the command line is typed."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    ts = torch.linspace(0, 0.5, 8, dtype=torch.float64)
    meta = {"name": "circle", "generator": "mobilestylegan-ffhq", "generator_hash": "none"}
    Clip(circle_codes(ts), ts, meta=meta).save("circle.safetensors")
    return Path.cwd()


def refused(capsys, *arguments) -> str:
    """Run a command that must end in one sentence, exit code 2, and the folder as it was."""
    before = listing()
    assert cli.main([str(each) for each in arguments]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("dynode: ") and message.endswith(".") and "\n" not in message
    assert listing() == before
    return message


def listing() -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mode, path.lstat().st_ino) for path in Path.cwd().rglob("*")}


def device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except (OSError, AttributeError):
        pytest.skip("only the superuser makes devices")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as each:
        each.bind(path.name)  # relative: such names are short


@pytest.mark.parametrize("make", [device, os.mkfifo, listening, Path.mkdir], ids=["device", "pipe", "socket", "folder"])
@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_regular_file_is_refused_and_stays(make, linked, here, capsys):
    make(here / "null.fit")
    if linked:
        (here / "link.fit").symlink_to("null.fit")
    name = "link.fit" if linked else "null.fit"
    assert re.search("it is a (folder|device)", refused(capsys, "fit", "circle.safetensors", "-o", name, *QUICK))


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "/dev/fd/1"])
def test_the_system_s_own_devices_are_refused(name):
    with pytest.raises(UserError, match="device, pipe or socket"):
        outputs.require_output(name)


SPELLINGS = {
    "itself": lambda: Path("circle.safetensors"),
    "absolute": lambda: Path.cwd() / "circle.safetensors",
    "through a folder": lambda: Path("s") / ".." / "circle.safetensors",
    "a link": lambda: linked("link.safetensors", "circle.safetensors"),
    "a link of a link": lambda: linked("again.safetensors", linked("link.safetensors", "circle.safetensors")),
    "a linked folder": lambda: linked("folder", ".") / "circle.safetensors",
    "a hard link": lambda: hard_linked("hard.safetensors", "circle.safetensors"),
}


def linked(name: str, target: Path | str) -> Path:
    Path(name).symlink_to(target)
    return Path(name)


def hard_linked(name: str, target: str) -> Path:
    os.link(target, name)
    return Path(name)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_input_itself_is_refused_however_it_is_spelled(spelling, here, capsys):
    (here / "s").mkdir()
    output, content = SPELLINGS[spelling](), (here / "circle.safetensors").read_bytes()
    assert "is the input itself" in refused(capsys, "fit", "circle.safetensors", "-o", output, *QUICK)
    assert (here / "circle.safetensors").read_bytes() == content


SHIPPED = runtime.shipped("codes")


@pytest.mark.parametrize("name", sorted(SHIPPED)[:2])
def test_a_shipped_clip_that_is_the_input_by_name_is_refused(name, here, capsys):
    before = SHIPPED[name].stat().st_ino
    for output in (SHIPPED[name], linked("shipped.safetensors", SHIPPED[name])):
        assert "is the input itself" in refused(capsys, "fit", name, "-o", output, *QUICK)
    assert SHIPPED[name].stat().st_ino == before


@pytest.mark.parametrize("given", ["stylegan2-scene-factors", "stylegan2-scene-factors@w", "scene.fog"])
def test_other_inputs_by_name_are_refused_too(given):
    for path in outputs.named_files(given):
        with pytest.raises(UserError, match="is the input itself"):
            outputs.require_output(path, given)
    assert outputs.named_files(given)


def test_an_asset_is_refused_as_an_output(tmp_path, monkeypatch):
    asset = assets.find("single-face-video")
    cached = assets.cached_path(asset)
    cached.parent.mkdir(parents=True)
    cached.touch()
    with pytest.raises(UserError, match="is a fetched file of the cache"):
        outputs.require_output(cached)
    monkeypatch.setenv("DYNODE_ASSETS", str(tmp_path))
    (tmp_path / asset.filename).touch()
    with pytest.raises(UserError, match="is the input itself"):
        outputs.require_output(tmp_path / asset.filename, asset.name)


def test_a_shipped_file_that_is_no_input_may_be_written_anew():
    """As the Makefile does."""
    path = SHIPPED[sorted(SHIPPED)[0]]
    if not os.access(path, os.W_OK):
        pytest.skip("the package is somebody else's")
    assert outputs.require_output(path, "world", suffixes=outputs.CLIP) == path


WRONG = {
    "fit circle.safetensors -o foo.txt": r"foo\.txt does not say what is written, \.fit or \.safetensors: name it foo\.fit",
    "fit circle.safetensors -o foo": r"name it foo\.fit",
    "fit circle.safetensors -o .fit": r"name it \.fit\.fit",
    "render circle.fit -o a.gif": r"\.mp4: name it a\.mp4",
    "evaluate circle.fit -o x.csv": r"\.json or \.json\.xz: name it x\.json",
    "diagnose circle.safetensors -o x.json": r"\.png or \.pdf",
    "edit-text circle.safetensors red -o x.mp4": r"\.png",
    "invert v.mp4 -o v.pt": r"\.safetensors: name it v\.safetensors",
    "world episode bird flight -o a.avi": r"\.mp4",
    "world episode bird flight --truth a.json": r"\.csv",
    "train factors bird -o a.pt": r"\.safetensors",
    "bench -o a.png": r"\.json",
}


@pytest.mark.parametrize("typed", WRONG)
def test_a_name_that_says_another_kind_is_refused_before_the_work(typed, here, capsys):
    methods.fit(Clip.load("circle.safetensors"), "linear").save("circle.fit")
    assert re.search(WRONG[typed], refused(capsys, *typed.split()))


def test_python_refuses_the_same(here):
    clip = Clip.load("circle.safetensors")
    path = dynode.fit(clip, "linear")
    with pytest.raises(UserError, match=r"name it a\.mp4"):
        dynode.render(path, "a.gif")
    with pytest.raises(UserError, match=r"name it a\.safetensors"):
        clip.save("a.pt")
    with pytest.raises(UserError, match=r"name it a\.fit"):
        path.save("a.json")
    assert [each.name for each in here.iterdir()] == ["circle.safetensors"]


@pytest.mark.parametrize("name", ["A.FIT", "a.b.fit", "a.SafeTensors", "-a.fit", "with space é.fit", "new\nline.fit"])
def test_odd_names_are_names(name):
    assert outputs.require_output(name, suffixes=outputs.FIT) == Path(name)


def test_a_long_name_is_written_with_what_accompanies_it(here, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0)
    assert cli.main(["fit", "circle.safetensors", "-o", LONG, "-p", "training.check_every=1", *QUICK]) == 0
    assert {path.name for path in here.iterdir()} == {"circle.safetensors", LONG}
    assert cli.main(["evaluate", LONG, "--clip", "circle.safetensors"]) == 2  # its generator's weights are none
    assert len(os.fsencode(Partial(Path(LONG), {}).folder.name)) < 143


@pytest.mark.parametrize(
    "name", ["あ" * 100 + ".fit", "new/" + "あ" * 100 + "/a.fit", "a" * 5000 + ".fit", "nul\0.fit"]
)
def test_a_name_that_no_file_can_have_is_refused_before_the_work(name, here):
    with pytest.raises(UserError, match="cannot be written: "):
        outputs.require_output(name)
    assert [each.name for each in here.iterdir()] == ["circle.safetensors"]


def test_a_folder_that_is_not_there_is_not_made_by_a_command_that_fails(here, capsys):
    assert "did you mean" in refused(capsys, "fit", "circle.safetensors", "-o", "new/deeper/a.fit", "--preset", "robus")
    assert not (here / "new").exists()
    assert cli.main(["fit", "circle.safetensors", "-o", "new/deeper/a.fit", *QUICK]) == 0
    assert [path.name for path in (here / "new" / "deeper").iterdir()] == ["a.fit"]


def test_a_loop_of_links_is_refused(here, capsys):
    linked("a.fit", "b.fit"), linked("b.fit", "a.fit")
    assert "links" in refused(capsys, "fit", "circle.safetensors", "-o", "a.fit", *QUICK)
    assert "links" in refused(capsys, "fit", "circle.safetensors", "-o", "a.fit/c.fit", *QUICK)


def test_a_link_to_nothing_is_written_through(here):
    linked("a.fit", Path("later") / "real.fit")
    assert cli.main(["fit", "circle.safetensors", "-o", "a.fit", *QUICK]) == 0
    assert (here / "a.fit").is_symlink() and (here / "later" / "real.fit").is_file()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_folder_that_cannot_take_a_file_is_refused_before_the_work(number, here, capsys, monkeypatch):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert os.strerror(number) in refused(capsys, "fit", "circle.safetensors", "-o", "a.fit", *QUICK)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_what_is_protected_from_writing_is_refused(here, capsys):
    (here / "a.fit").touch(mode=0o444)
    assert "Permission denied" in refused(capsys, "fit", "circle.safetensors", "-o", "a.fit", *QUICK)
    (here / "folder").mkdir(mode=0o500)
    assert "Permission denied" in refused(capsys, "fit", "circle.safetensors", "-o", "folder/a.fit", *QUICK)


def test_a_full_disk_at_the_end_leaves_the_fit_elsewhere_and_the_checkpoint(here, capsys, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0)
    command, move = ["fit", "circle.safetensors", "-p", "training.check_every=1", *QUICK], files.move

    def full(part: Path, target: Path, mode: int) -> None:
        if target.suffix == ".fit":
            raise OSError(errno.ENOSPC, "No space left on device")
        move(part, target, mode)

    with monkeypatch.context() as patched:
        patched.setattr(files, "move", full)
        assert cli.main(command) == 2
    spare = re.search(r"the finished file is kept as (.+), move it from there\.", capsys.readouterr().err).group(1)
    assert dynode.load_fit(spare).meta["clip"]["name"] == "circle"
    assert (here / "circle.fit.0.checkpoint").is_file() and not (here / "circle.fit").exists()
    assert cli.main(command) == 0
    assert {path.name for path in here.iterdir()} == {"circle.safetensors", "circle.fit"}


def test_outputs_of_similar_names_have_checkpoints_of_their_own():
    paths = [
        Path(name) for name in ("talk.fit", "talk.safetensors", "a.b.fit", "a.c.fit", LONG, LONG.replace("あ.", "い."))
    ]
    for suffix in (".checkpoint", ".partial"):
        assert len({names.beside(path, suffix) for path in paths}) == len(paths)
    shots = [shot for path in paths for shot in checkpoints.shot_checkpoints(names.beside(path, ".checkpoint"), 2)]
    assert len(set(shots)) == 2 * len(paths) and shots[0].name == "talk.fit.0.checkpoint"


def test_two_fits_of_one_output_at_once_are_one_too_many(here, capsys):
    with locks.claimed(here / "circle.fit"):
        assert "Another process writes circle.fit now" in refused(capsys, "fit", "circle.safetensors", *QUICK)
        assert cli.main(["fit", "circle.safetensors", "-o", "other.fit", *QUICK]) == 0
    assert cli.main(["fit", "circle.safetensors", *QUICK]) == 0


def test_fits_of_a_clip_of_a_long_name_are_stored(here):
    clip = Clip.load("circle.safetensors")
    clip.meta["name"] = "あ" * 80
    path = store.FitStore(here / "fits").path(clip, dynode.PRESETS["dynode"], 0)
    assert len(os.fsencode(path.name)) < 255


@pytest.mark.parametrize("content", ["[1, 2]", '{"scripts": {}}', "not json"])
def test_a_file_that_is_no_record_is_not_replaced_by_one(content, here):
    (here / "package.json").write_text(content)
    with pytest.raises(UserError, match="is no record"):
        records.require_record_path("package.json", "edit")
    (here / "package.json").write_text("")
    records.require_record_path("package.json", "edit")


def test_a_file_beside_an_output_is_replaced_only_with_it(here):
    outputs.require_side(here / "bench.png", here / "bench.json")
    (here / "bench.png").touch()
    with pytest.raises(UserError, match="bench.png is there and would be replaced"):
        outputs.require_side(here / "bench.png", here / "bench.json")
    (here / "bench.json").touch()
    outputs.require_side(here / "bench.png", here / "bench.json")


def test_a_folder_of_other_pictures_takes_no_frames(here):
    frames = here / "frames"
    outputs.require_pictures_folder(frames)
    frames.mkdir()
    for number in (0, 1, 7):
        (frames / f"{number:06d}.png").touch()
    outputs.require_pictures_folder(frames)
    assert outputs.later_pictures(frames, 2) == 1
    (frames / "holiday.png").touch()
    with pytest.raises(UserError, match="such as holiday.png"):
        outputs.require_pictures_folder(frames)
    shutil.rmtree(frames)
