"""Why an installation failed, and what to do about it; what the site's own settings of pip become."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from dynode.bootstrap import installing
from dynode.errors import UserError
from dynode.io import pip_settings
from dynode.runtime import ROOT

WARNED = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError': /simple/torch/"
NONE = "ERROR: No matching distribution found for torch==2.15.0"
REASONS = {
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device": "make room in",
    "ERROR: Could not install packages due to an OSError: [Errno 122] Disk quota exceeded: '/h/x'": "TMPDIR",
    "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'": "make .* writable",
    "Error: [Errno 30] Read-only file system: '/x/.venv'": "DYNODE_ENV=current",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.": "pip cache purge",
    f"{WARNED}\n{NONE}": "check the network",
    f"ERROR: Could not find a version that satisfies the requirement torch (from versions: none)\n{NONE}": "the index",
    f"ERROR: Could not find a version that satisfies the requirement torch (from versions: 1.0)\n{NONE}": "another Python",
    "ERROR: torch-2-cp39.whl is not a supported wheel on this platform.": "another Python",
    "error: command 'gcc' failed: No such file or directory": "C compiler",
    "something else": "mend what is said above",
}


@pytest.fixture(autouse=True)
def site(monkeypatch, tmp_path):
    """No settings of pip but those of the test."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


@pytest.mark.parametrize("written", REASONS, ids=lambda text: text[:60])
def test_a_failure_is_one_sentence_with_pips_reason_and_its_remedy(written, capsys):
    script = f"import sys; sys.stderr.write({written!r}); sys.exit(1)"
    with pytest.raises(UserError, match=REASONS[written]) as failed:
        installing.run([sys.executable, "-c", script], "It could not be installed")
    reason = written.splitlines()[-1].removeprefix("ERROR: ").removeprefix("Error: ").removeprefix("error: ")
    assert str(failed.value).startswith(f"It could not be installed ({reason.rstrip('.')}): ")
    assert written in capsys.readouterr().err


def test_a_step_that_says_nothing_is_known_by_its_exit_code():
    with pytest.raises(UserError, match=r"\(exit code 137\)"):
        installing.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], "It failed")


def test_where_packages_come_from_is_kept_of_files_and_variables(site, monkeypatch):
    text = (
        "[global]\nindex-url = https://a/simple\nproxy = http://p\nuser = true\n[install]\ntrusted-host = one\n two\n"
    )
    (site / "pip.conf").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(site / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://b/simple")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setattr(pip_settings, "files", lambda: [site / "pip.conf", site / "absent.conf"])
    kept = {"PIP_INDEX_URL": "https://b/simple", "PIP_PROXY": "http://p", "PIP_TRUSTED_HOST": "one\ntwo"}
    assert pip_settings.sources() == kept
    given = {name: value for name, value in installing.pip_variables().items() if name.startswith("PIP_")}
    assert given == kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1"}


def test_a_file_of_settings_that_cannot_be_read_is_left_out(site, monkeypatch):
    (site / "pip.conf").write_bytes(b"no section = \xff\n")
    monkeypatch.setattr(pip_settings, "files", lambda: [site / "pip.conf"])
    assert pip_settings.sources() == {}


def test_the_files_are_those_of_pip(site, monkeypatch):
    assert pip_settings.files() == []  # PIP_CONFIG_FILE is the null device
    monkeypatch.setenv("PIP_CONFIG_FILE", str(site / "pip.conf"))
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "debug"], capture_output=True, encoding="utf-8")
    own = {str(path) for path in pip_settings.files()}
    shown = {line.strip().split(", exists")[0] for line in listed.stdout.splitlines() if ", exists" in line}
    assert shown and shown <= own


PASSING = """
import signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # as a shell starts a command, also under nohup
    signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
from dynode.bootstrap.children import call
try:
    call([sys.executable, "-c", {child!r}], {{}})
finally:
    print("ended", flush=True)
"""
CHILD = """
import signal, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(grandchild.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_reaches_the_child_and_its_children(number, code):
    command = [sys.executable, "-c", textwrap.dedent(PASSING.format(child=CHILD))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        grandchild = int(parent.stdout.readline())
        parent.send_signal(number)
        assert parent.stdout.readline() == "ended\n" and parent.wait(timeout=20) == code
    assert gone(grandchild)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("code, sentences", [(0, 1), (143, 0)])
def test_one_sentence_is_said_by_the_child_or_for_it(code, sentences):
    child = f"""
import signal, time
signal.signal(signal.SIGTERM, lambda *_: exit({code}))
print("begun", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", PASSING.format(child=child)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as parent:
        assert parent.stdout.readline() == "begun\n"
        parent.terminate()
        _, said = parent.communicate(timeout=20)
    assert parent.returncode == 143 and said.count("dynode: ended by SIGTERM; ") == said.count("\n") == sentences


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
        if state.startswith("Z"):  # ended, and not yet fetched by the process that took it over
            return True
        time.sleep(0.05)
    return False
