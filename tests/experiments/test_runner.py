"""Several items at a time: order, waiting, and what happens to the others when one fails."""

import threading

import pytest

from dynode.errors import UserError
from dynode.experiments import items, runner


@pytest.fixture
def began(monkeypatch):
    """The names of items in the order in which they began; those in `began.failing` fail, two can be under way."""

    class Began(list):
        failing, together, most, threads = (), 0, 0, {}

    names, lock = Began(), threading.Lock()
    pair = threading.Barrier(2)

    def in_process(name, profile, threads):
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

    monkeypatch.setattr(runner, "in_process", in_process)
    return names


CATEGORIES = ["dynamics_face", "dynamics_heads", "dynamics_scene", "dynamics_bird", "dynamics_isaac3d"]


def test_an_item_waits_for_the_records_it_reads(began):
    executed = runner.run_several(["table1", *CATEGORIES], "embedded", jobs=3)
    assert began[-1] == "table1" and sorted(began[:-1]) == sorted(CATEGORIES)
    assert [path.name for path in executed][-1] == "table1.embedded.ipynb"


def test_the_longest_item_begins_first(began):
    runner.run_several(CATEGORIES, "embedded", jobs=1)
    minutes = [items.minutes_of(items.item(name), "embedded") for name in began]
    assert minutes == sorted(minutes, reverse=True) and began.most == 1


def test_two_items_run_at_a_time(began):
    runner.run_several(["worlds", "interpolation"], "embedded", jobs=2)
    assert began.most == 2


def test_the_last_item_has_all_cores(began, monkeypatch):
    monkeypatch.setattr(runner, "cores", lambda: 6)
    runner.run_several(["table1", *CATEGORIES], "embedded", jobs=3)
    threads = [began.threads[name] for name in began]
    assert threads[:3] == [2, 2, 2] and threads[-1] == 6


def test_a_failure_stops_only_the_items_that_wait_for_it(began):
    began.failing = ("dynamics_bird",)
    with pytest.raises(UserError, match="2 of 6 items failed.*dynamics_bird: no face.*table1: not begun"):
        runner.run_several(["table1", *CATEGORIES], "embedded", jobs=2)
    assert sorted(began) == sorted(CATEGORIES)


def test_an_item_alone_does_not_wait_for_items_that_are_not_run(began):
    runner.run_several(["table1"], "embedded", jobs=2)
    assert began == ["table1"]


def test_a_process_returns_its_code_and_last_message():
    code, message = runner.in_process("nothing", "smoke", 1)
    assert code == 2 and message.startswith("dynode: There is no item 'nothing'")
