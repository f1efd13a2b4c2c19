"""Files are written whole, with the permissions and to the file that open() would have meant, and nothing finished is lost."""

import errno
import os
import re
import shutil
import stat
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dynode.errors import UserError
from dynode.io import files, locks, tensor_files
from dynode.io.files import Unwritten


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache and a temporary folder of the test's own: there finished files are kept."""
    for name in ("cache", "temporary", "out"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "cache"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def text(path: Path, content: str = "new") -> Path:
    return files.write(path, lambda part: part.write_text(content))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kept_file(error: pytest.ExceptionInfo) -> Path:
    """The file that an error says is kept."""
    return Path(re.search(r"the finished file is kept as (.+), move it from there\.$", str(error.value)).group(1))


def refused(number: int):
    """A function that the operating system refuses."""

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(("umask", "wanted"), [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640), (0o002, 0o664)])
@pytest.mark.parametrize("kind", ["text", "safetensors"])
def test_a_new_file_has_the_permissions_that_open_gives(kind, umask, wanted, out):
    before = os.umask(umask)
    try:
        if kind == "text":
            text(out / "file")
        else:
            tensor_files.write_safetensors(out / "file", {"x": torch.zeros(2)}, "a-format")
    finally:
        os.umask(before)
    assert mode(out / "file") == wanted


def test_a_replaced_file_keeps_its_permissions(out):
    text(out / "file")
    os.chmod(out / "file", 0o640)
    text(out / "file", "newer")
    assert mode(out / "file") == 0o640 and (out / "file").read_text() == "newer"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_refused_chmod_costs_nothing(number, out, monkeypatch):
    monkeypatch.setattr(os, "chmod", refused(number))
    assert text(out / "file").read_text() == "new"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EEXIST, errno.EXDEV, errno.EBUSY])
@pytest.mark.parametrize("present", [True, False])
def test_a_file_system_that_refuses_to_rename_gets_a_copy(number, present, out, monkeypatch):
    if present:
        (out / "file").write_text("old")
    monkeypatch.setattr(os, "replace", refused(number))
    assert text(out / "file").read_text() == "new"
    assert [path.name for path in out.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_fsync_is_written_to(number, out, monkeypatch):
    monkeypatch.setattr(os, "fsync", refused(number))
    assert text(out / "file").read_text() == "new"


def test_a_disk_that_turns_out_full_when_the_file_is_flushed(out, monkeypatch):
    (out / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", refused(errno.ENOSPC))
    with pytest.raises(UserError, match="No space left on device") as error:
        text(out / "file")
    assert kept_file(error).read_text() == "new" and (out / "file").read_text() == "old"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_result_that_its_folder_cannot_take_is_kept_in_another(failure, out, cache):
    (out / "codes.safetensors").write_text("old")

    def writer(part: Path) -> None:
        save_file({"x": torch.arange(3)}, part)
        if part.is_relative_to(out):
            raise failure

    with pytest.raises(
        UserError, match=r"could not be written \((No space left on device|Disk quota exceeded)\):"
    ) as error:
        files.write(out / "codes.safetensors", writer)
    spare = kept_file(error)
    assert spare.is_relative_to(cache) and spare.name == "codes.safetensors"
    assert load_file(spare)["x"].tolist() == [0, 1, 2]
    assert mode(spare.parent) == 0o700
    assert [path.name for path in out.iterdir()] == ["codes.safetensors"]
    assert (out / "codes.safetensors").read_text() == "old"


def test_without_room_anywhere_the_reason_is_all_there_is(out, cache, tmp_path):
    def full(part: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Unwritten, match=r"file could not be written: No space left on device\.$"):
        files.write(out / "file", full)
    assert list(out.iterdir()) == list((cache / "kept").iterdir()) == list((tmp_path / "temporary").iterdir()) == []


def test_a_finished_film_that_cannot_be_moved_is_kept(out, monkeypatch):
    """A writer that cannot begin again: what it wrote is moved, not written anew."""
    monkeypatch.setattr(files, "move", refused(errno.EROFS))
    with (
        pytest.raises(UserError, match="Read-only file system") as error,
        files.written_whole(out / "film.mp4") as part,
    ):
        part.write_bytes(b"film")
    assert kept_file(error).read_bytes() == b"film" and list(out.iterdir()) == []


def test_a_folder_that_vanishes_before_the_writing_is_made_again(out):
    shutil.rmtree(out)
    assert text(out / "deeper" / "file").read_text() == "new"


def test_a_folder_that_vanishes_during_the_writing_is_made_again(out):
    attempts = []

    def writer(part: Path) -> None:
        attempts.append(part)
        if len(attempts) == 1:
            shutil.rmtree(out)
        part.write_text("new")

    assert files.write(out / "file", writer).read_text() == "new"


def test_a_folder_that_became_a_file_does_not_cost_the_result(out):
    out.rmdir()
    out.write_text("a file now")
    with pytest.raises(UserError, match="Not a directory|File exists") as error:
        text(out / "file")
    assert kept_file(error).read_text() == "new" and out.read_text() == "a file now"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_became_read_only_does_not_cost_the_result(out):
    os.chmod(out, 0o500)
    try:
        with pytest.raises(UserError, match="Permission denied") as error:
            text(out / "file")
    finally:
        os.chmod(out, 0o700)
    assert kept_file(error).read_text() == "new"


def test_a_file_in_a_folder_that_takes_no_new_ones_is_written_over(out, monkeypatch):
    (out / "file").write_text("old")
    monkeypatch.setattr(files.scratch, "folder", refused(errno.EACCES))
    assert text(out / "file").read_text() == "new"


@pytest.mark.parametrize("present", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(present, out):
    (out / "real").mkdir()
    if present:
        (out / "real" / "file").write_text("old")
    (out / "link").symlink_to(Path("real") / "file")
    text(out / "link")
    assert (out / "link").is_symlink() and (out / "real" / "file").read_text() == "new"


def test_what_became_a_device_or_a_folder_during_the_work_is_not_renamed_over(out):
    def pipe(part: Path) -> None:
        part.write_text("new")
        if not (out / "file").exists():
            os.mkfifo(out / "file")

    with pytest.raises(UserError, match="it is a folder, device, pipe or socket") as error:
        files.write(out / "file", pipe)
    assert stat.S_ISFIFO((out / "file").stat().st_mode) and kept_file(error).read_text() == "new"


def test_an_error_about_a_file_that_is_read_is_not_one_of_the_output(out):
    with pytest.raises(FileNotFoundError):
        files.write(out / "file", lambda part: (out / "source").read_bytes())


def test_a_failure_leaves_nothing(out):
    with pytest.raises(RuntimeError), files.written_whole(out / "file") as part:
        part.write_text("half")
        raise RuntimeError
    assert list(out.iterdir()) == []


def test_work_goes_on_where_a_checkpoint_cannot_be_written(out, cache, capsys):
    out.rmdir()
    out.write_text("a file now")
    for _ in range(3):
        tensor_files.write_checkpoint(out / "a.checkpoint", {"x": torch.zeros(2)}, "a-format")
    assert capsys.readouterr().err.count("could not be written") == 1
    assert list(cache.iterdir()) == []


def test_only_one_process_claims_an_output(out):
    output = out / ("あ" * 76 + ".fit")
    with locks.claimed(output):
        with pytest.raises(UserError, match="Another process writes .* now"), locks.claimed(output):
            pass
        with locks.claimed(out / "other.fit"):
            pass
    with locks.claimed(output):
        pass
    assert list(out.iterdir()) == []


def test_without_locks_nothing_is_claimed(out, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", refused(errno.ENOLCK))
    with locks.claimed(out / "a.fit"), locks.claimed(out / "a.fit"):
        pass
