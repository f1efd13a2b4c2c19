"""Fetching: hashes, seeded folders, offline mode, and pickles that are more than arrays."""

import dataclasses
import hashlib
import os
import pickle
import sys
import tempfile
import zipfile

import numpy as np
import pytest

from dynode.errors import UserError
from dynode.io import assets, downloads


@pytest.fixture
def cold(monkeypatch, tmp_path):
    """An empty cache, no seeded folder, no network."""
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DYNODE_ASSETS", raising=False)
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    return tmp_path


def test_every_entry_is_complete():
    packages, known = assets.registry()
    for asset in known.values():
        assert len(asset.sha256) == 64 and asset.size > 0 and asset.licence and asset.purpose
        assert bool(asset.url) != bool(asset.package)
        assert (
            asset.profiles or asset.url or "the tests" in asset.purpose
        )  # what comes from elsewhere is left to the user
        assert not asset.package or (asset.package in packages and asset.member)


def test_offline_with_a_cold_cache_says_what_to_do(cold):
    with pytest.raises(UserError, match="DYNODE_ASSETS"):
        assets.fetch("single-face-video")


def test_offline_names_the_asset_its_size_and_what_to_run_elsewhere(cold):
    asset = assets.find("single-face-video")
    with pytest.raises(UserError) as refused:
        assets.fetch(asset.name)
    said = str(refused.value)
    assert f"{asset.name} ({asset.size / 1e6:.1f} MB)" in said and f"`dynode fetch {asset.name}` on a machine" in said
    assert str(assets.cached_path(asset).parent) in said and "DYNODE_OFFLINE=1 forbids" in said


def test_a_whole_cache_is_read_without_being_written(cold, monkeypatch):
    asset = dataclasses.replace(assets.find("single-face-video"), sha256=hashlib.sha256(b"video").hexdigest(), size=5)
    monkeypatch.setattr(assets, "find", lambda _: asset)
    assets.cached_path(asset).parent.mkdir(parents=True)
    assets.cached_path(asset).write_bytes(b"video")
    monkeypatch.setattr(assets.scratch, "folder", lambda *_: pytest.fail("writes"))
    for folder in (assets.cached_path(asset).parent, assets.cache_dir()):
        folder.chmod(0o555)
    assert assets.fetch(asset.name) == assets.cached_path(asset)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX")
def test_what_is_computed_is_kept_elsewhere_while_the_cache_is_read_only(cold, monkeypatch):
    assert assets.own_dir() == assets.cache_dir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(tempfile, "tempdir", str(cold))
    private = assets.own_dir()
    assert private.parent == cold and private.stat().st_mode & 0o777 == 0o700 and assets.own_dir() == private
    private.rename(cold / "other")
    private.symlink_to(cold / "other")
    with pytest.raises(UserError, match="read-only and .* is not yours.*DYNODE_CACHE"):
        assets.own_dir()


def test_the_cache_is_in_an_absolute_folder_or_named(monkeypatch, tmp_path):
    for name in ("DYNODE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    own = assets.cache_dir()
    assert own.is_relative_to(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/cache")
    assert assets.cache_dir().is_absolute()
    monkeypatch.setenv("DYNODE_CACHE", "~/mine")
    assert assets.cache_dir() == tmp_path / "mine"
    monkeypatch.delenv("DYNODE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as in a container whose user has no entry
    with pytest.raises(UserError, match="no home folder.*DYNODE_CACHE"):
        assets.cache_dir()


def test_no_network_says_what_to_do(cold, monkeypatch):
    monkeypatch.delenv("DYNODE_OFFLINE")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(UserError, match="check the network"):
        assets.fetch("single-face-video")


def test_no_network_for_npm_says_what_to_do(cold, monkeypatch):
    with pytest.raises(UserError, match="DYNODE_OFFLINE=1 forbids"):
        assets.fetch("face-landmarks-manifest")
    monkeypatch.delenv("DYNODE_OFFLINE")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="check the network"):
        assets.fetch("face-landmarks-manifest")


def test_without_npm_it_says_what_to_install(cold, monkeypatch):
    monkeypatch.delenv("DYNODE_OFFLINE")
    monkeypatch.setattr(downloads.shutil, "which", lambda *_, **__: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(downloads, "NODE", "no-such-wheel")
    with pytest.raises(UserError, match=r"install Node.js.*face-api-1.7.15.tgz.*DYNODE_ASSETS"):
        assets.fetch("face-landmarks-manifest")


def stand_in_npm(folder, content: bytes):
    """A program that writes what `npm pack` would, in the folder where it is run."""
    (folder / "content").write_bytes(content)
    script = folder / "npm"
    script.write_text(f'#!/bin/sh\ncp "{folder / "content"}" vladmandic-face-api-1.7.15.tgz\n')
    script.chmod(0o755)
    return str(script)


def test_npm_is_brought_for_the_time_of_a_fetch(cold, monkeypatch):
    """By a package whose program `npm` needs its own modules, from a folder in place of an index."""
    with zipfile.ZipFile(cold / "stub_npm-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("stub_npm.py", "import pathlib, sys\ndef main(): pathlib.Path(sys.argv[2][-6:]).touch()\n")
        wheel.writestr("stub_npm-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: stub-npm\nVersion: 1.0\n")
        wheel.writestr("stub_npm-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("stub_npm-1.0.dist-info/entry_points.txt", "[console_scripts]\nnpm = stub_npm:main\n")
        wheel.writestr("stub_npm-1.0.dist-info/RECORD", "")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(cold), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(downloads, "NODE", "stub-npm")
    monkeypatch.setattr(downloads, "npm", lambda: None)
    monkeypatch.delenv("DYNODE_OFFLINE")
    (cold / "work").mkdir()
    package = downloads.Package("stub", "1.7.15", "1.7.15", "", 0, "npm")
    assert downloads.npm_packed(package, cold / "work") == cold / "work" / "1.7.15"
    assert {path.name for path in (cold / "work").iterdir()} == {"npm", "1.7.15"}


def test_what_npm_brings_is_checked_before_it_is_unpacked(cold, monkeypatch):
    monkeypatch.delenv("DYNODE_OFFLINE")
    monkeypatch.setattr(downloads.shutil, "which", lambda *_, **__: stand_in_npm(cold, b"something else"))
    with pytest.raises(UserError, match="sha256"):
        assets.fetch("face-landmarks-manifest")
    assert not assets.cached_path(assets.find("face-landmarks-manifest")).exists()


def test_seeded_files_of_an_npm_package_need_no_npm(cold, monkeypatch):
    monkeypatch.delenv("DYNODE_CACHE")
    monkeypatch.delenv("DYNODE_OFFLINE")
    files = {name: assets.fetch(name) for name in assets.registry()[1] if name.startswith("face-")}
    monkeypatch.setenv("DYNODE_CACHE", str(cold / "empty"))
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    seeds = cold / "seeds"
    seeds.mkdir()
    monkeypatch.setenv("DYNODE_ASSETS", str(seeds))
    for path in files.values():
        (seeds / path.name).write_bytes(path.read_bytes())
    assert assets.fetch("face-landmarks-weights").parent == seeds


def test_a_seeded_folder_is_honoured_and_checked(cold, monkeypatch):
    real = cold / "real"
    monkeypatch.setenv("DYNODE_CACHE", str(real))
    monkeypatch.delenv("DYNODE_CACHE")
    monkeypatch.delenv("DYNODE_OFFLINE")
    content = assets.fetch("single-face-video").read_bytes()
    monkeypatch.setenv("DYNODE_CACHE", str(cold / "empty"))
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    seeds = cold / "seeds"
    seeds.mkdir()
    monkeypatch.setenv("DYNODE_ASSETS", str(seeds))
    (seeds / "single_face.mp4").write_bytes(content)
    assert assets.fetch("single-face-video") == seeds / "single_face.mp4"
    (seeds / "single_face.mp4").write_bytes(content[:-1] + b"x")
    with pytest.raises(UserError, match="sha256"):
        assets.fetch("single-face-video")


def test_a_broken_cache_file_is_noticed(cold):
    asset = assets.find("single-face-video")
    broken = assets.cached_path(asset)
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"x" * asset.size)
    with pytest.raises(UserError, match="delete it"):
        assets.fetch("single-face-video")


def test_an_unknown_asset_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'single-face-video'"):
        assets.fetch("single-face")


class Harmful:
    def __reduce__(self):
        return print, ("executed",)


def test_pickles_of_arrays_load_and_anything_else_is_refused(tmp_path, capsys):
    arrays = {"net": {"kernel": np.arange(4.0)}}
    (tmp_path / "good.ckpt").write_bytes(pickle.dumps(arrays, protocol=3).replace(b"numpy._core", b"numpy.core"))
    assert assets.load_arrays(tmp_path / "good.ckpt")["net"]["kernel"].tolist() == [0, 1, 2, 3]
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"net": Harmful()}))
    with pytest.raises(UserError, match="only pickled numpy arrays"):
        assets.load_arrays(tmp_path / "bad.ckpt")
    assert "executed" not in capsys.readouterr().out
