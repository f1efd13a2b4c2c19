"""The kernel of a notebook is this environment's own Python, whatever the user has installed and set."""

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from nbclient.exceptions import DeadKernelError
from tiny_notebooks import printed, tiny_item

from dynode.errors import UserError
from dynode.experiments import children, kernels, runner
from dynode.runtime import ROOT

LOOK = """
import json, os, sys
import matplotlib, matplotlib.pyplot as plt
from IPython import get_ipython
import dynode
print(json.dumps({
    "python": sys.executable, "package": dynode.__file__, "startup": "startup" in globals(), "backend": plt.get_backend(),
    "line": matplotlib.rcParams["lines.linewidth"], "folder": os.getcwd(), "shadowed": "shadow" in os.__file__,
    "output": os.environ["DYNODE_OUTPUT"], "cache": os.environ.get("DYNODE_CACHE"),
    "extensions": sorted(get_ipython().extension_manager.loaded), "variable": os.environ.get("FROM_KERNELSPEC"),
}))
import colorsys
assert not hasattr(colorsys, "shadow")
"""


@pytest.fixture
def look(monkeypatch, tmp_path):
    """Runs a notebook that looks around it; what it sees."""

    def run(output: str = str(tmp_path / "out")) -> dict:
        tiny_item(monkeypatch, tmp_path / "item", LOOK)
        monkeypatch.setenv("DYNODE_OUTPUT", output)
        before = dict(os.environ), os.getcwd()
        report = json.loads(printed(runner.run("tiny", "smoke")))
        assert (dict(os.environ), os.getcwd()) == before
        return report

    return run


def foreign_kernel(folder: Path) -> None:
    """A kernel python3 as another tool leaves it: a Python that is not there."""
    folder.mkdir(parents=True)
    spec = {"argv": ["/nowhere/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    spec |= {"display_name": "Python 3", "env": {"FROM_KERNELSPEC": "1"}}
    (folder / "kernel.json").write_text(json.dumps(spec))


def test_nothing_of_the_user_changes_a_notebook(look, monkeypatch, tmp_path):
    home, work = tmp_path / "home of the user", tmp_path / "work"
    foreign_kernel(tmp_path / "jupyter" / "kernels" / "python3")
    foreign_kernel(home / ".local" / "share" / "jupyter" / "kernels" / "python3")
    for folder in ("ipython", ".ipython"):
        startup = home / folder / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "00.py").write_text("startup = 1\nraise SystemExit(3)")
        settings = "c.InteractiveShellApp.extensions = ['autoreload']\nc.InteractiveShellApp.matplotlib = 'tk'\n"
        (startup.parent / "ipython_config.py").write_text(settings)
        (startup.parent / "ipython_kernel_config.py").write_text(settings)
    (home / "config").mkdir()
    for name in ("jupyter_config.py", "jupyter_client_config.py"):
        (home / "config" / name).write_text("c.KernelSpecManager.allowed_kernelspecs = {'other'}")
    (home / "startup.py").write_text("startup = 1")
    work.mkdir()
    for folder in (work, home):
        (folder / "matplotlibrc").write_text("lines.linewidth: 17\n")
    (work / "colorsys.py").write_text("shadow = 1")
    monkeypatch.chdir(work)
    for name, value in {
        "HOME": home,
        "JUPYTER_PATH": tmp_path / "jupyter",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_RUNTIME_DIR": "/proc/nowhere",
        "JUPYTER_DEFAULT_PROVISIONER_NAME": "elsewhere",
        "IPYTHONDIR": home / "ipython",
        "PYTHONSTARTUP": home / "startup.py",
        "MATPLOTLIBRC": home / "matplotlibrc",
        "MPLBACKEND": "TkAgg",
    }.items():
        monkeypatch.setenv(name, str(value))
    report = look()
    assert report["python"] == sys.executable and Path(report["package"]).is_relative_to(ROOT)
    assert report["folder"] == str(work) and not report["startup"] and report["variable"] is None
    assert "inline" in report["backend"] and report["line"] == 1.5 and "autoreload" not in report["extensions"]


def test_folders_are_those_of_the_command(look, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNODE_CACHE", "a cache/")
    report = look(output="out")
    assert report["output"] == str(tmp_path / "out") and report["cache"] == str(tmp_path / "a cache")
    assert report["folder"] == str(tmp_path) and (tmp_path / "out/reports/executed/tiny.smoke.ipynb").is_file()


@pytest.mark.parametrize("length", [0, 120], ids=["short", "too long for sockets"])
def test_temporary_folders_of_any_length(look, monkeypatch, tmp_path, length):
    folder = tmp_path / ("with {braces} 100 % 'ü' " + "x" * length)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert kernels.sockets_in(folder) is (len(str(folder)) < 90)
    assert look()["python"] == sys.executable
    assert list(folder.iterdir()) == []


def test_no_folder_for_temporary_files(look, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(UserError, match="name one that can be written in TMPDIR"):
        look()


def test_a_file_system_without_sockets_is_served_by_ports(look, monkeypatch):
    class Refusing(socket.socket):
        def bind(self, address):
            if isinstance(address, str):
                raise OSError(1, "Operation not permitted")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Refusing)
    assert look()["python"] == sys.executable


def test_a_kernel_ends_with_the_process_that_started_it(tmp_path):
    """Also its own children: nothing can tell them but their parent's death."""
    child = "import subprocess, time; subprocess.Popen(['sleep', '100']); print('begun'); time.sleep(100)"
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import pytest
from nbclient.exceptions import DeadKernelError
from tiny_notebooks import tiny_item
from dynode.experiments import runner
with pytest.MonkeyPatch.context() as monkeypatch:
    tiny_item(monkeypatch, Path({str(tmp_path)!r}), {child!r})
    monkeypatch.setenv("DYNODE_OUTPUT", {str(tmp_path)!r})
    runner.run("tiny", "smoke")
"""
    started = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    descendants = psutil.Process(started.pid).children
    assert until(lambda: any(each.name() == "sleep" for each in descendants(recursive=True)))
    everyone = descendants(recursive=True)
    started.kill()
    started.wait()
    assert until(lambda: not any(map(alive, everyone)))


def alive(each: psutil.Process) -> bool:
    try:
        return each.is_running() and each.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(true, seconds: float = 60) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_user_without_a_home_folder_runs_notebooks(monkeypatch, tmp_path):
    """As one whose number a container does not know."""
    nobody = "import os, pwd; os.environ.pop('HOME', None); pwd.getpwuid = {}.__getitem__; "
    python = children.python
    monkeypatch.setattr(children, "python", lambda statement: python(nobody + statement))
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path / "out"))
    tiny_item(monkeypatch, tmp_path / "item", "import os\nprint(os.path.expanduser('~'))")
    assert printed(runner.run("tiny", "smoke")) == "~\n"


def test_a_cell_whose_kernel_was_ended_leaves_no_traceback(caplog):
    async def fail(error):
        raise error

    async def forget():
        await asyncio.wait([asyncio.ensure_future(fail(each)) for each in errors])

    errors = [DeadKernelError("Kernel died"), ValueError("news")]
    gc.collect()  # what other tests have left
    kernels.end([])
    asyncio.run(forget())
    gc.collect()
    shown = [record.exc_info[1] for record in caplog.records if record.name == "asyncio"]
    assert [error for error in errors if error in shown] == errors[1:]
