"""The bar of a run: minutes of what was and can be done, without those of what failed and of what waits for it."""

import json
import logging
import threading
import time
from pathlib import Path

import pytest

from dynode import runtime
from dynode.experiments.batch import running
from dynode.experiments.batch.description import Batch, Source
from dynode.experiments.batch.plan import Plan as BatchPlan
from dynode.experiments.engine import child
from dynode.experiments.engine.progress import Progress
from dynode.experiments.engine.running import left_undone
from dynode.experiments.engine.targets import Plan
from dynode.experiments.engine.workflow import Workflow


def begun(progress, *rules: str) -> None:
    for number, rule in enumerate(rules):
        progress.heed({"event": "job_info", "jobid": number, "rule_name": rule, "reason": ""})


def failed(progress, rule: str) -> None:
    progress.heed({"event": "job_error", "jobid": 0, "rule_name": rule})


def batch_progress(folder: Path):
    """A batch of two clips and a video, all of whose jobs are to run; and their rules by name."""
    sources = {"talk": Source("/videos/talk.mp4", frames=10), "bird.flight": Source("bird.flight")}
    progress = running.Progress(BatchPlan(Batch(sources)), folder, "jobs")
    rules = {job.name: rule for rule, job in progress.plan.rules.items()}
    progress.heed({"event": "run_info", "stats": dict.fromkeys(["all", *rules.values()], 1)})
    return progress, rules


def test_what_failed_and_what_waits_for_it_is_not_still_to_do(tmp_path):
    progress, rules = batch_progress(tmp_path)
    assert progress.counted()[1] == pytest.approx(2.0 + 2 * (1 + 2 + 1))
    begun(progress, rules["invert/talk"], rules["fit/bird.flight/dynode"])
    failed(progress, rules["invert/talk"])
    assert progress.given_up() == {rule for name, rule in rules.items() if name.split("/")[1] == "talk"}
    for name in ("fit", "evaluate", "page"):
        progress.end(rules[f"{name}/bird.flight" + "/dynode" * (name != "page")])
    done, total = progress.counted()
    assert done == pytest.approx(total) == pytest.approx(4.0)


def test_what_is_tried_again_is_to_do_again(tmp_path):
    progress, rules = batch_progress(tmp_path)
    before = progress.counted()[1]
    failed(progress, rules["invert/talk"])
    assert progress.counted()[1] < before
    begun(progress, rules["invert/talk"])  # another attempt
    assert progress.counted()[1] == before
    failed(progress, rules["invert/talk"])
    progress.heed({"event": "run_info", "stats": dict.fromkeys(rules.values(), 1)})  # the engine has begun again
    assert progress.counted()[1] == before and progress.failed == []


def test_the_bar_ends_at_all_of_what_could_be_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "bars", lambda: True)
    progress, rules = batch_progress(tmp_path)
    progress.show()
    failed(progress, rules["fit/talk/dynode"])
    for name, rule in rules.items():
        if "talk" not in name or name == "invert/talk":
            progress.end(rule)
    progress.close()
    last = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("jobs: 100%") and "6.0 of 6.0 min" in last


def test_what_takes_longer_than_its_minutes_is_still_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "bars", lambda: True)
    progress, rules = batch_progress(tmp_path)
    begun(progress, rules["invert/talk"])
    progress.begun[rules["invert/talk"]] -= 3600
    progress.show()
    progress.bar.mininterval = 0
    lines = []
    for _ in range(2):
        capsys.readouterr()
        progress.show()
        lines.append(capsys.readouterr().err.strip())
    progress.close()
    assert all("invert/talk" in line for line in lines), "nothing has changed, and it is drawn all the same"


def test_a_run_of_which_nothing_can_be_done_leaves_no_bar(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "bars", lambda: True)
    progress, rules = batch_progress(tmp_path)
    progress.show()
    for name in ("invert/talk", "fit/bird.flight/dynode"):
        failed(progress, rules[name])
    progress.close()
    assert capsys.readouterr().err.replace("\r", "\n").splitlines()[-1].strip() == ""


def test_an_item_waits_for_its_parts_and_for_the_items_that_it_reads():
    plan = Plan("embedded", tuple(Plan.of({}).names))
    split = next(name for name in plan.names if plan.parts(name))
    assert plan.needs(split)[:2] == [f"{split}/1", f"{split}/2"] and plan.needs(f"{split}/1") == []
    reader = next(name for name in plan.names if plan.records_of(name))
    assert {plan.record(each) for each in plan.needs(reader) if "/" not in each} == set(plan.records_of(reader))
    progress = Progress(plan)
    progress.heed({"event": "run_info", "stats": {f"part_{split}_1": 1, f"item_{split}": 1, "report": 1}})
    begun(progress, f"part_{split}_1")
    failed(progress, f"part_{split}_1")
    assert progress.given_up() == {f"part_{split}_1", f"item_{split}"} and progress.counted() == (0, 0)


def test_an_item_that_waits_for_none_is_not_called_waiting(tmp_path):
    plan = Plan("embedded", tuple(Plan.of({}).names))
    split = next(name for name in plan.names if plan.parts(name))
    other = next(name for name in plan.names if name != split and not plan.parts(name) and not plan.records_of(name))
    progress = Progress(plan)
    progress.heed({"event": "run_info", "stats": {f"part_{split}_1": 1, f"item_{split}": 1, f"item_{other}": 1}})
    failed(progress, f"part_{split}_1")
    workflow = Workflow("reproduce", tmp_path / "Snakefile", tmp_path, tmp_path / "state")
    assert left_undone(workflow, progress, set()) == {
        split: "not begun, it reads a failed item's record",
        other: f"not done, and {workflow.log} has why",
    }
    progress.heed({"event": "error", "message": "Missing files\nafter 5 seconds."})
    assert left_undone(workflow, progress, {split}) == {other: "Missing files after 5 seconds"}


def test_what_several_threads_of_snakemake_print_stays_in_lines(monkeypatch):
    class Slow:
        """A stream that lets other threads run after each write."""

        text = ""

        def write(self, text: str) -> None:
            self.text += text
            time.sleep(0.001)

        def flush(self) -> None:
            time.sleep(0.001)

    stream = Slow()
    monkeypatch.setattr("sys.stdout", stream)

    def tell(number: int) -> None:
        for _ in range(5):
            record = logging.LogRecord("snakemake", logging.INFO, "", 0, "", (), None)
            record.event, record.job_id = "job_finished", number
            assert child.tell(record)

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in stream.text.splitlines()]
    assert sorted(line["job_id"] for line in lines) == sorted([0, 1, 2, 3] * 5)
