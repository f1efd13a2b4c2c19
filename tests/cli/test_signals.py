"""Signals from outside: exit codes, last words, and that nothing goes on behind."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from dynode import cli
from dynode.cli import dispatch, signals

# A command whose work is `BODY`, started as a shell starts it: with the default answer to signals.
SCRIPT = """
import signal, sys, time
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
BEFORE
from dynode.cli import dispatch, signals
signals.PATIENCE = 2.0
def start(arguments):
    print("begun", flush=True)
BODY
    return 0
dispatch.start = start
sys.exit(dispatch.from_shell([]))
"""
ENDINGS = [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "ended by SIGTERM"), ("SIGHUP", 129, "ended by SIGHUP")]


@pytest.fixture
def begun():
    """Starts a command and waits until it has begun; whatever is left of it afterwards is killed."""
    started = []

    def begin(body: str, before: str = "") -> subprocess.Popen:
        lines = "\n".join("    " + line for line in body.splitlines())
        script = SCRIPT.replace("BODY", lines).replace("BEFORE", before)
        child = subprocess.Popen(
            [sys.executable, "-c", script], stdout=-1, stderr=-1, text=True, start_new_session=True
        )
        started.append(child)
        assert line_of(child) == "begun\n"
        time.sleep(0.2)  # until it is in the middle of its work
        return child

    yield begin
    for child in started:
        child.kill()
        child.communicate()


def line_of(child: subprocess.Popen) -> str:
    """The next line that a child prints."""
    assert child.stdout is not None
    return child.stdout.readline()


def ending(child: subprocess.Popen) -> tuple[int, list[str], float]:
    """Exit code, lines on stderr, seconds until then."""
    since = time.monotonic()
    _, said = child.communicate(timeout=60)
    return child.returncode, said.splitlines(), time.monotonic() - since


@pytest.mark.parametrize(("name", "code", "cause"), ENDINGS)
def test_a_signal_ends_a_command_with_its_code_and_one_sentence(begun, name, code, cause):
    child = begun("time.sleep(60)")
    child.send_signal(getattr(signal, name))
    words = f"dynode: {cause}; the same command goes on from what it keeps on disk, or begins anew."
    assert ending(child)[:2] == (code, [words])


def test_what_is_kept_is_said(begun):
    child = begun(
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt as stop:\n    stop.add_note('3 are kept.')\n    raise"
    )
    child.send_signal(signal.SIGTERM)
    assert ending(child)[:2] == (143, ["dynode: ended by SIGTERM; 3 are kept."])


def test_a_signal_that_arrives_twice_is_one(begun):
    """`timeout`, terminals and schedulers signal the process and its group."""
    child = begun("try:\n    time.sleep(60)\nfinally:\n    time.sleep(0.5)\n    print('in order', flush=True)")
    for _ in range(3):
        child.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert line_of(child) == "in order\n"
    code, said, _ = ending(child)
    assert code == 143 and len(said) == 1


def test_a_second_signal_ends_at_once(begun):
    child = begun("try:\n    time.sleep(60)\nfinally:\n    print('cleaning', flush=True)\n    time.sleep(60)", "")
    child.send_signal(signal.SIGINT)
    assert line_of(child) == "cleaning\n"
    time.sleep(signals.ECHO + 0.1)
    child.send_signal(signal.SIGINT)
    code, said, seconds = ending(child)
    assert code == 130 and said == [] and seconds < 1.5


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass",
        "import threading\nthreading.Thread(target=time.sleep, args=(60,)).start()\ntime.sleep(60)",
        "class Lost:\n    def __del__(self):\n        time.sleep(60)\nLost()\ntime.sleep(60)",
    ],
    ids=["swallowed", "a thread goes on", "lost in a destructor"],
)
def test_a_command_that_does_not_end_is_ended(begun, body):
    child = begun(body)
    child.send_signal(signal.SIGTERM)
    code, said, seconds = ending(child)
    assert code == 143 and said[-1].startswith("dynode: ended by SIGTERM") and seconds < 10


def test_an_error_while_a_signal_is_answered_is_not_printed(begun):
    child = begun("try:\n    time.sleep(60)\nfinally:\n    raise OSError(5, 'the terminal is gone')")
    child.send_signal(signal.SIGHUP)
    code, said, _ = ending(child)
    assert code == 129 and len(said) == 1


@pytest.mark.parametrize("name", signals.NAMES)
@pytest.mark.parametrize(
    "left", ["atexit.register(time.sleep, 1)", "threading.Thread(target=time.sleep, args=(60,)).start()"]
)
def test_a_signal_after_the_work_does_not_change_its_end(begun, left, name):
    """Python takes a second to tear down torch, or waits for a thread."""
    child = begun(f"import atexit, threading\n{left}")
    child.send_signal(getattr(signal, name))
    code, said, seconds = ending(child)
    assert code == 0 and said == [] and seconds < 5


def test_what_is_ignored_stays_so(begun):
    """Under `nohup`, the closed terminal ends nothing."""
    child = begun("time.sleep(1)", "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    child.send_signal(signal.SIGHUP)
    assert ending(child)[0] == 0


def test_a_command_ends_with_the_process_that_started_it():
    """Not by a signal of the parent, which was killed."""
    work = "import time; from dynode.experiments import children; children.end_with_parent(); time.sleep(60)"
    begin = "import os, subprocess, sys, time; from dynode.experiments import children; " + (
        "own = os.environ | {children.PARENT: str(os.getpid())}; "
        "child = subprocess.Popen([sys.executable, '-c', %r], env=own); print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", begin % work], stdout=-1)
    child = psutil.Process(int(line_of(parent)))
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_command_called_from_python_leaves_the_handlers_as_they_were(monkeypatch):
    before = [signal.getsignal(getattr(signal, name)) for name in signals.NAMES]
    monkeypatch.setattr(dispatch, "start", lambda _: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(5) or 0)
    assert cli.main([]) == 143
    assert [signal.getsignal(getattr(signal, name)) for name in signals.NAMES] == before


def test_a_command_called_in_a_thread_runs(monkeypatch):
    monkeypatch.setattr(dispatch, "start", lambda _: 0)
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.main([])))
    thread.start()
    thread.join()
    assert codes == [0]
