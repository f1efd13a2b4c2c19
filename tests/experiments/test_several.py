"""Several items at a time: order, waiting, and what happens to the others when one fails or all are interrupted."""

import subprocess
import sys
import threading

import pytest

from dynode.errors import UserError
from dynode.experiments import items, several


@pytest.fixture
def began(monkeypatch):
    """The names of items in the order in which they began; those in `began.failing` fail, two can be under way."""

    class Began(list):
        failing, together, most, threads = (), 0, 0, {}

    names, lock = Began(), threading.Lock()
    pair = threading.Barrier(2)

    def in_process(name, profile, threads, running):
        with lock:
            names.append(name)
            names.threads[name] = threads
            names.together += 1
            names.most = max(names.most, names.together)
        if name in ("worlds", "interpolation"):
            pair.wait(timeout=20)  # nobody passes alone
        with lock:
            names.together -= 1
        return (2, "dynode: no face.") if name in names.failing else (0, "")

    monkeypatch.setattr(several, "in_process", in_process)
    return names


CATEGORIES = ["dynamics_face", "dynamics_heads", "dynamics_scene", "dynamics_bird", "dynamics_isaac3d"]


def test_an_item_waits_for_the_records_it_reads(began):
    executed = several.run_several(["table1", *CATEGORIES], "embedded", jobs=3)
    assert began[-1] == "table1" and sorted(began[:-1]) == sorted(CATEGORIES)
    assert [path.name for path in executed][-1] == "table1.embedded.ipynb"


def test_the_longest_item_begins_first(began):
    several.run_several(CATEGORIES, "embedded", jobs=1)
    minutes = [items.minutes_of(items.item(name), "embedded") for name in began]
    assert minutes == sorted(minutes, reverse=True) and began.most == 1


def test_two_items_run_at_a_time(began):
    several.run_several(["worlds", "interpolation"], "embedded", jobs=2)
    assert began.most == 2


def test_the_last_item_has_all_cores(began, monkeypatch):
    monkeypatch.setattr(several, "cores", lambda: 6)
    several.run_several(["table1", *CATEGORIES], "embedded", jobs=3)
    threads = [began.threads[name] for name in began]
    assert threads[:3] == [2, 2, 2] and threads[-1] == 6


def test_a_failure_stops_only_the_items_that_wait_for_it(began):
    began.failing = ("dynamics_bird",)
    with pytest.raises(UserError, match="2 of 6 items failed.*dynamics_bird: no face.*table1: not begun"):
        several.run_several(["table1", *CATEGORIES], "embedded", jobs=2)
    assert sorted(began) == sorted(CATEGORIES)


def test_an_item_alone_does_not_wait_for_items_that_are_not_run(began):
    several.run_several(["table1"], "embedded", jobs=2)
    assert began == ["table1"]


def test_a_process_returns_its_code_and_last_message():
    running = set()
    code, message = several.in_process("nothing", "smoke", 1, running)
    assert code == 2 and message.startswith("dynode: There is no item 'nothing'") and not running


@pytest.mark.parametrize("deaf", [False, True], ids=["polite", "deaf to SIGTERM"])
def test_an_interruption_ends_all_processes_and_notes_what_is_done(monkeypatch, deaf):
    """Of three items, two at a time, one is done and one is just begun when Ctrl-C comes."""
    sleep = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(100)"
    children, begun = [], threading.Event()

    def in_process(name, profile, threads, running):
        if name == "dynamics_face":
            begun.wait()
            return 0, ""
        command = [sys.executable, "-c", sleep if deaf else sleep.replace("SIG_IGN", "SIG_DFL")]
        child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.read(1)
        children.append(child)
        running.add(child)
        begun.set()
        return child.wait(), ""

    def finish(self, after=several.Queue.finish):
        if self.done:
            raise KeyboardInterrupt
        return after(self)

    monkeypatch.setattr(several, "in_process", in_process)
    monkeypatch.setattr(several.Queue, "finish", finish)
    monkeypatch.setattr("dynode.experiments.children.PATIENCE", 1.0)
    with pytest.raises(KeyboardInterrupt) as stop:
        several.run_several(["dynamics_face", "dynamics_scene", "dynamics_bird"], "smoke", jobs=2)
    assert stop.value.__notes__ == ["done: dynamics_face; of the others, fits that were finished are kept."]
    assert children and all(child.poll() is not None for child in children)
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name and thread.is_alive()]


@pytest.mark.parametrize(
    ("limit", "expected"), [("150000 100000", 1), ("50000 100000", 1), ("300000 100000", 3), ("max 100000", 8), ("", 8)]
)
def test_the_cores_of_a_container_are_those_it_may_use(monkeypatch, tmp_path, limit, expected):
    monkeypatch.setattr(several.os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(several, "QUOTA", tmp_path / "cpu.max")
    assert several.cores() == 8
    several.QUOTA.write_text(f"{limit}\n")
    assert several.cores() == expected
