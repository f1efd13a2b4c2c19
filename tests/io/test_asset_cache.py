"""The cache under stress: several processes at once, killed unpacking, broken downloads, full disks, wrong hashes."""

import errno
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from dynode.errors import UserError
from dynode.io import assets

MEMBERS = {"weights": "fake/weights.bin", "graph": "fake/graph.xml"}

# Fetches from a registry of its own: argv = registry as JSON, asset, how to stop ("", "half" or "between").
FETCH = """
import json, shutil, sys, time
from pathlib import Path
from dynode.io import assets

package, known = json.loads(sys.argv[1])
packages = {package["name"]: assets.Package(**package)}
known = {name: assets.Asset(**entry) for name, entry in known.items()}
assets.registry = lambda: (packages, known)
copy = shutil.copyfileobj

def stopping(source, target):
    if sys.argv[3] == "half":
        target.write(source.read(1000))
        target.flush()
    else:
        copy(source, target)
        shutil.copyfileobj = lambda *_: halt()
        return
    halt()

def halt():
    print("halted", flush=True)
    time.sleep(60)

if sys.argv[3]:
    shutil.copyfileobj = stopping
while not Path(sys.argv[4]).exists():
    time.sleep(0.001)
print(assets.fetch(sys.argv[2]), flush=True)
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def content():
    return {"weights": os.urandom(8_000_000), "graph": b"<graph/>" * 1000}


@pytest.fixture
def package(tmp_path, content, monkeypatch):
    """A package file in a seeded folder, a cold cache, no network; returns the registry's two tables."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    with zipfile.ZipFile(seeds / "fake-1.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, member in MEMBERS.items():
            wheel.writestr(member, content[name])
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "not" / "yet" / "there"))
    monkeypatch.setenv("DYNODE_ASSETS", str(seeds))
    monkeypatch.setenv("DYNODE_OFFLINE", "1")
    common = {"licence": "none", "purpose": "a test", "profiles": ["smoke"], "package": "fake"}
    known = {
        name: common | {"name": name, "member": member, "sha256": sha256(content[name]), "size": len(content[name])}
        for name, member in MEMBERS.items()
    }
    whole = (seeds / "fake-1.whl").read_bytes()
    file = {"name": "fake", "version": "1", "file": "fake-1.whl", "sha256": sha256(whole), "size": len(whole)}
    return file, known


def use(monkeypatch, file, known):
    """The same registry in this process."""
    tables = {"fake": assets.Package(**file)}, {name: assets.Asset(**entry) for name, entry in known.items()}
    monkeypatch.setattr(assets, "registry", lambda: tables)


def fetching(package, name: str, go, stop: str = "") -> subprocess.Popen:
    command = [sys.executable, "-c", FETCH, json.dumps(package), name, stop, str(go)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cached() -> list:
    """Everything in the cache that is not a folder of a finished asset."""
    return sorted(path for path in assets.cache_dir().rglob("*") if path.is_file() or path.name.startswith("."))


def test_processes_that_fetch_at_once_all_succeed(package, content, tmp_path):
    go = tmp_path / "go"
    running = [fetching(package, name, go) for name in ("weights", "graph", "weights", "weights")]
    time.sleep(1)
    go.touch()
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.strip().endswith(("weights.bin", "graph.xml"))
    assert sorted(path.read_bytes() for path in cached()) == sorted(content.values())


@pytest.mark.parametrize("moment", ["half", "between"])
def test_a_killed_unpacking_leaves_only_whole_files_and_the_next_one_clears_up(
    moment, package, content, tmp_path, monkeypatch
):
    (tmp_path / "go").touch()
    process = fetching(package, "graph", tmp_path / "go", moment)
    assert process.stdout.readline() == "halted\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finals = [path for path in assets.cache_dir().glob("[!.]*/*")]
    assert [path.read_bytes() for path in finals] == ([content["weights"]] if moment == "between" else [])
    assert len(list(assets.cache_dir().glob(".fetch.*"))) == 1
    use(monkeypatch, *package)
    assert assets.fetch("graph").read_bytes() == content["graph"]
    assert sorted(path.read_bytes() for path in cached()) == sorted(content.values())


@pytest.mark.parametrize("wrong", ["package", "member"])
def test_a_wrong_hash_is_told_and_nothing_is_used(wrong, package, monkeypatch):
    file, known = package
    if wrong == "package":
        file["sha256"] = sha256(b"another release")
    else:
        known["graph"]["sha256"] = sha256(b"another file")
    use(monkeypatch, file, known)
    with pytest.raises(UserError, match="sha256 .* was wanted: delete it and fetch it again"):
        assets.fetch("graph")


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_leaves_nothing(package, monkeypatch):
    use(monkeypatch, *package)
    monkeypatch.setattr(assets.shutil, "copyfileobj", full)
    with pytest.raises(UserError, match="No space left on device.*DYNODE_CACHE"):
        assets.fetch("weights")
    assert cached() == []


def test_a_cache_that_cannot_be_made_is_told(package, tmp_path, monkeypatch):
    use(monkeypatch, *package)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="DYNODE_CACHE"):
        assets.fetch("weights")


class Served(http.server.BaseHTTPRequestHandler):
    """Serves its `body`; breaks off half-way where `broken`."""

    body, broken = b"", False

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body[: len(self.body) // 2] if self.broken else self.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def address(package, content, monkeypatch):
    """A server on this machine that serves the weights, allowed to be reached."""
    monkeypatch.delenv("DYNODE_OFFLINE")
    monkeypatch.setattr(Served, "body", content["weights"])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/weights.bin"
        server.shutdown()


@pytest.fixture
def served(package, address):
    file, known = package
    known["weights"] |= {"url": address, "package": "", "member": ""}
    return file, known


def test_downloads_at_once_all_succeed(served, content, tmp_path):
    (tmp_path / "go").touch()
    for process in [fetching(served, "weights", tmp_path / "go") for _ in range(3)]:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [path.read_bytes() for path in cached()] == [content["weights"]]


def test_a_download_that_breaks_off_or_brings_something_else_leaves_nothing(served, content, monkeypatch):
    use(monkeypatch, *served)
    monkeypatch.setattr(Served, "broken", True)
    with pytest.raises(UserError, match="check the network"):
        assets.fetch("weights")
    monkeypatch.setattr(Served, "broken", False)
    monkeypatch.setattr(Served, "body", content["weights"][::-1])
    with pytest.raises(UserError, match="does not have the sha256"):
        assets.fetch("weights")
    assert cached() == []
    monkeypatch.setattr(Served, "body", content["weights"])
    assert assets.fetch("weights").read_bytes() == content["weights"]
