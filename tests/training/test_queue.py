"""A queue of trainings: shares of the time, resuming, failures, interruptions, what a folder holds."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from stand_ins import Clock, Line, Lines

from dynode import runtime
from dynode.errors import Remark, UserError
from dynode.io import assets
from dynode.training import jobs, loops, queue
from dynode.training.queue import LARGEST_FILE, MOST_JOBS, train_all


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Time passes by the batches alone; state is kept among the test's own files."""
    clock = Clock()
    for module in (queue, loops):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(assets, "own_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(runtime, "commit", lambda: "none")
    return clock


@pytest.fixture
def lines(clock):
    return Lines(clock)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def log_of(folder) -> dict:
    return json.loads((folder / "log.json").read_text())


def test_every_job_has_its_share_of_the_time(lines, folder, clock):
    train_all([lines.job("a", 2.0), lines.job("b", 1.0), lines.job("c", 1.0)], folder, 2)
    assert 1110 < clock.now <= 1120
    first, second, third = (each.seconds for each in lines.conditions)
    assert first == 60 and second == pytest.approx(30, abs=1) and third == pytest.approx(30, abs=2)
    assert sorted(path.name for path in folder.iterdir()) == [*(f"{name}.safetensors" for name in "abc"), "log.json"]
    jobs = log_of(folder)["jobs"]
    assert all(
        jobs[name]["pictures_per_second"] == pytest.approx(16) and jobs[name]["reached"] > 0.98 for name in "abc"
    )
    assert jobs["a"]["losses"][-1][0] == jobs["a"]["pictures_shown"] == lines.trainers[0].shown
    assert jobs["a"]["losses"][-1][1] < jobs["a"]["losses"][0][1] and jobs["a"]["quality"] == {}


def test_a_job_that_ends_early_hands_its_time_on(lines, folder):
    train_all([lines.job("a", 9.0, total=40), lines.job("b")], folder, 1)
    assert lines.trainers[0].shown == 40 and lines.conditions[1].seconds == pytest.approx(57.5)


@pytest.mark.parametrize("wait", [0.05, 0.7, 4.0, 13.0])
def test_steps_of_any_length_end_in_time(lines, folder, clock, wait):
    train_all([lines.job("a", wait=wait)], folder, 0.5)
    assert 1030 - 1 - wait - 1e-6 <= clock.now <= 1030 and lines.trainers[0].shown > 0


def test_the_quality_is_measured_at_the_end_where_that_is_quick(lines, folder, clock, monkeypatch):
    monkeypatch.setattr(queue, "MEASURED_ON", ("cpu",))
    train_all([lines.job()], folder, 0.5)
    assert log_of(folder)["jobs"]["line"]["quality"] == {"mse": 0.5} and 1022 < clock.now <= 1030 - queue.MEASURING


def test_the_same_call_goes_on_from_the_state(lines, folder):
    for _ in range(2):
        train_all([lines.job()], folder, 0.5)
    first, second = lines.trainers
    assert second.shown > first.shown and not second.warming
    assert second.adam.state[second.network.weight]["step"] == second.shown // second.batch
    log = log_of(folder)
    assert [run["started_from"]["line"] for run in log["runs"]] == ["nothing", "state"]
    shown = [point[0] for point in log["jobs"]["line"]["losses"]]
    assert shown == sorted(shown) and len(shown) == len({*shown})
    assert lines.conditions[0].seed != lines.conditions[1].seed


def test_without_the_state_it_starts_from_the_weights_and_says_so(lines, folder, tmp_path):
    train_all([lines.job(wait=0.05)], folder, 0.5)
    shutil.rmtree(tmp_path / "cache")
    with pytest.warns(Remark, match="Adam and random numbers begin anew"):
        train_all([lines.job(wait=0.05)], folder, 0.5)
    first, second = lines.trainers
    assert second.warming and second.shown > first.shown
    assert second.adam.state[second.network.weight]["step"] == (second.shown - first.shown) // 4
    assert second.losses[0] < first.losses[0] / 10
    assert "Adam" in log_of(folder)["runs"][1]["started_from"]["line"]
    train_all([lines.job(wait=0.05)], folder, 0.5)
    assert queue.card_in(folder / "line.safetensors")["started_from"]["pictures_shown"] == first.shown


def test_a_state_that_is_behind_the_weights_is_not_used(lines, folder, tmp_path):
    train_all([lines.job()], folder, 0.5)
    shutil.copytree(tmp_path / "cache", tmp_path / "kept")
    train_all([lines.job()], folder, 0.5)
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "kept").rename(tmp_path / "cache")
    with pytest.warns(Remark, match="begin anew"):
        train_all([lines.job()], folder, 0.5)
    assert lines.trainers[2].shown > lines.trainers[1].shown


@pytest.mark.filterwarnings("ignore::dynode.errors.Remark")
def test_a_damaged_state_is_not_used(lines, folder, tmp_path):
    train_all([lines.job("a")], folder, 1)
    (state,) = (tmp_path / "cache").rglob("a.state")
    state.write_bytes(b"cut off")
    train_all([lines.job("a")], folder, 1)
    assert log_of(folder)["runs"][-1]["started_from"]["a"].startswith("weights alone")


def test_schedules_end_with_the_time_and_begin_again_at_half(lines, folder):
    log = train_all([lines.job()], folder, 0.5)
    assert log.entry("line")["reached"] > 0.9
    train_all([lines.job()], folder, 0.5)
    assert lines.trainers[0].schedule[2] == 0 and lines.trainers[1].schedule[2] == 0.5


def test_a_job_that_fails_does_not_end_the_others(lines, folder):
    with pytest.warns(Remark, match="a: The training of the line ended in NaN"):
        train_all([lines.job("a", nan_after=3), lines.job("b")], folder, 1)
    log = log_of(folder)
    assert "NaN" in log["runs"][0]["failed"]["a"] and log["jobs"]["b"]["pictures_shown"] > 0
    assert not (folder / "a.safetensors").exists()


def test_weights_that_are_not_finite_are_never_written(lines, folder):
    train_all([lines.job()], folder, 0.5)
    before = load_file(folder / "line.safetensors")
    with pytest.warns(Remark), pytest.raises(UserError, match="Nothing was trained"):
        train_all([lines.job(nan_after=1)], folder, 0.5)
    assert all(torch.equal(value, before[name]) for name, value in load_file(folder / "line.safetensors").items())


def test_a_defect_is_raised_once_the_others_are_trained(lines, folder, monkeypatch):
    monkeypatch.setattr(Line, "buffers", lambda self: 1 / 0 if self.total == 8 else {})
    with pytest.warns(Remark, match="ZeroDivisionError"), pytest.raises(ZeroDivisionError):
        train_all([lines.job("a", total=8), lines.job("b")], folder, 1)
    assert log_of(folder)["jobs"]["b"]["pictures_shown"] > 0


def test_an_interruption_keeps_what_is_trained(lines, folder):
    with pytest.raises(KeyboardInterrupt) as stop:
        train_all([lines.job("a", total=8), lines.job("b", stop_after=5), lines.job("c")], folder, 5)
    assert "the same command goes on" in stop.value.__notes__[0]
    assert log_of(folder)["jobs"]["b"]["pictures_shown"] == 20 and not (folder / "c.safetensors").exists()
    train_all([lines.job("b")], folder, 0.5)
    assert log_of(folder)["runs"][1]["started_from"]["b"] == "state" and lines.trainers[-1].schedule[2] < 0.1


def test_an_interruption_before_the_first_batch_leaves_no_weights(lines, folder):
    with pytest.raises(KeyboardInterrupt):
        train_all([lines.job(stop_after=0)], folder, 1)
    assert [path.name for path in folder.iterdir()] == ["log.json"]


def test_what_would_be_lost_or_is_too_much_is_refused(lines, folder, monkeypatch):
    with pytest.raises(UserError, match=f"1 to {MOST_JOBS} networks, got {MOST_JOBS + 1}"):
        train_all([lines.job(str(k)) for k in range(MOST_JOBS + 1)], folder, 1)
    with pytest.raises(UserError, match="minutes of a training must be above 0"):
        train_all([lines.job()], folder, 0)
    assert not folder.exists()
    train_all([lines.job(total=8)], folder, 1)
    with pytest.warns(Remark), pytest.raises(UserError, match="weights of another network"):
        train_all([lines.job(width=2)], folder, 1)
    monkeypatch.setattr(queue, "LARGEST_FILE", 10)
    with pytest.warns(Remark), pytest.raises(UserError, match="make the network smaller"):
        train_all([lines.job("large", total=8)], folder, 1)
    (folder / "log.json").write_text("{}")
    with pytest.raises(UserError, match="no log of `dynode train all`"):
        train_all([lines.job()], folder, 1)
    assert LARGEST_FILE == 16e6


def test_files_are_written_every_minute(lines, folder, monkeypatch):
    writes, add = [], queue.TrainingLog.add
    monkeypatch.setattr(queue.TrainingLog, "add", lambda *a: (writes.append(lines.clock.now), add(*a)))
    train_all([lines.job()], folder, 3.5)
    assert [moment - 1000 for moment in writes] == pytest.approx([60, 120, 180, 209], abs=1.5)


def test_what_is_no_training_of_the_list_is_refused():
    gans = [f"{world}-gan" for world in ("scene", "bird", "isaac3d")]
    assert [job.name for job in jobs.chosen()] == ["face-encoder", *gans, "scene-encoder", "bird-encoder"]
    assert len(jobs.chosen()) == MOST_JOBS
    assert [job.name for job in jobs.chosen(("scene-encoder", "face-encoder"))] == ["face-encoder", "scene-encoder"]
    with pytest.raises(UserError, match="no training 'face', did you mean 'face-encoder'"):
        jobs.chosen(("face",))


def test_the_list_has_shares_and_assets_with_their_sizes():
    lines = jobs.listing()
    assert lines[0].startswith("face-encoder ") and any("lpips-alexnet" in line for line in lines)
    assert "lpips-vgg16" in "\n".join(lines) and "lpips-vgg16" not in "\n".join(jobs.listing(("bird-generator",)))


@pytest.mark.parametrize("only", [(), ("bird-generator",), ("face-encoder", "bird-generator", "bird-encoder")])
def test_the_list_shows_what_a_run_trains_and_what_it_leaves(only):
    lines = jobs.listing(only)
    shares = {line.split()[0]: int(line.split()[1]) for line in lines if line.split()[2] == "%"}
    assert list(shares) == [job.name for job in jobs.chosen(only)] and sum(shares.values()) == 100
    left = [line.split()[0] for line in lines if line.split()[1] == "left"]
    assert left == ([] if only else [job.name for job in jobs.JOBS if job not in jobs.chosen()])


@pytest.mark.parametrize("shares", [[50, 10, 10, 10, 7, 7], [1, 1, 1], [1], [3, 3, 3, 3, 3, 3, 3], [0.2, 99.9]])
def test_percentages_are_whole_near_and_add_up(shares):
    percents = jobs.percentages(shares)
    assert sum(percents) == 100
    assert all(abs(p - 100 * s / sum(shares)) < 1 for p, s in zip(percents, shares, strict=True))
