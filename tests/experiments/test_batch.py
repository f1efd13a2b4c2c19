"""`dynode batch`: what is described, which jobs follow, what is done again, and the row of each failure."""

import csv
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dynode import clips
from dynode.cli import batch as command
from dynode.cli.dispatch import main
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.experiments.batch import description, jobs, summary
from dynode.experiments.batch.description import Batch, Source
from dynode.experiments.batch.plan import Plan
from dynode.reporting.pages.view_data import means
from dynode.runtime import ROOT

TALK = Source("/videos/talk.mp4", frames=30)


def batch_of(**changes) -> Batch:
    return Batch({"talk": TALK, "bird.flight": Source("bird.flight")}, **changes)


@pytest.mark.parametrize(
    ("text", "seeds"), [("0", (0,)), ("0:3", (0, 1, 2)), ("0,3,5", (0, 3, 5)), ("0:6:3,9", (0, 3, 9))]
)
def test_seeds_are_ranges_and_lists(text, seeds):
    assert description.seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "0:", "3:3", "-1", "0,0", "0:2,1", "0:1:0", "1.5", "0:100000"])
def test_seeds_that_are_none_are_a_sentence(text):
    with pytest.raises(UserError, match="--seeds wants different whole numbers such as 0:10"):
        description.seeds_of(text)


def test_a_batch_is_written_read_and_left_alone_where_nothing_changed(tmp_path):
    made = batch_of(presets=("dynode[no z]", "trend"), seeds=(0, 2), edits=("smile=1.5",), projection={"steps": 8})
    path = made.written(tmp_path)
    assert description.read(tmp_path) == made
    os.utime(path, (1, 1))
    made.written(tmp_path)
    assert path.stat().st_mtime == 1
    batch_of().written(tmp_path)
    assert path.stat().st_mtime > 1 and description.read(tmp_path) == batch_of()


@pytest.mark.parametrize("text", ["", "sources: {talk: {}}", "sources: {}\nnope: 1", "[", "sources: 3"])
def test_a_description_that_is_none_is_a_sentence(tmp_path, text):
    (tmp_path / "batch.yaml").write_text(text)
    with pytest.raises(UserError, match="is not as `dynode batch` writes it"):
        description.read(tmp_path)


def test_a_folder_gives_its_videos_and_clips_and_nothing_else(tmp_path):
    for name in ("b.MOV", "a.mp4", "notes.txt", "c.safetensors", ".hidden.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "d.mp4").mkdir()
    assert [path.name for path in description.videos_in(tmp_path)] == ["a.mp4", "b.MOV", "c.safetensors"]
    with pytest.raises(UserError, match="is no folder: --videos names one"):
        description.videos_in(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="has no videos or clips"):
        description.videos_in(tmp_path / "d.mp4")


def test_two_videos_of_one_name_are_a_sentence():
    with pytest.raises(UserError, match=r"/a/talk.mp4 and /b/talk.mov are both named talk: rename one"):
        description.named([("talk", Source("/a/talk.mp4")), ("talk", Source("/b/talk.mov"))])


def test_jobs_read_what_others_leave_and_a_clip_is_not_inverted():
    plan = Plan(batch_of(presets=("dynode", "dynode[no z]"), seeds=(0, 1), edits=("smile=1.5",)))
    assert [name for name in plan.jobs if name.split("/")[1] == "talk"] == [
        "invert/talk", "fit/talk/dynode", "evaluate/talk/dynode", "fit/talk/dynode[no z]", "evaluate/talk/dynode[no z]",
        "page/talk", "edit/talk/smile=1.5",
    ]  # fmt: skip
    assert "invert/bird.flight" not in plan.jobs and plan.jobs["fit/bird.flight/dynode"].reads == ()
    fit = plan.jobs["fit/talk/dynode[no z]"]
    assert fit.reads == ("codes/talk.safetensors",)
    assert fit.leaves == ("fits/talk.dynode-no-z.0.fit", "fits/talk.dynode-no-z.1.fit")
    assert set(fit.leaves) < set(plan.jobs["evaluate/talk/dynode[no z]"].reads)
    left = plan.everything()
    assert len(set(left)) == len(left) and all("{" not in path for path in left)
    assert all(name.isidentifier() for name in plan.rules) and len(plan.rules) == len(plan.jobs)


def test_what_a_job_depends_on_is_what_it_is_made_of():
    plans = [Plan(batch_of()), Plan(batch_of(stride=8)), Plan(batch_of(projection={"steps": 9}))]
    changed = [
        {name for name in plan.jobs if plan.jobs[name].settings != plans[0].jobs[name].settings} for plan in plans
    ]
    assert changed[1] == {"fit/talk/dynode", "fit/bird.flight/dynode"}
    assert changed[2] == {"invert/talk"}


def test_a_cluster_gives_gpus_to_all_but_fits_and_more_at_each_attempt(monkeypatch):
    plan = Plan(batch_of(), cluster=True)
    assert {job.kind for job in plan.jobs.values() if "gpu" in plan.resources(job)} == {"invert", "evaluate", "page"}
    asked = plan.resources(plan.jobs["invert/talk"])
    assert asked["runtime"](None, 2) > asked["runtime"](None, 1) and asked["mem_mb"](None, 2) > asked["mem_mb"](None, 1)
    monkeypatch.setenv("DYNODE_DEVICE", "cpu")
    assert not [job for job in plan.jobs.values() if "gpu" in plan.resources(job)]


def test_the_shell_hands_a_name_on_as_it_is():
    plan = Plan(batch_of(presets=("dynode[no z]",)))
    typed = plan.command(plan.jobs["fit/talk/dynode[no z]"]).replace("${DYNODE_RUN:-dynode}", "printf '%s|'")
    assert subprocess.run(["sh", "-c", typed], capture_output=True, text=True).stdout.endswith("fit/talk/dynode[no z]|")


def test_the_summary_has_means_over_seeds_and_a_row_for_each_failure(tmp_path):
    plan, folder = Plan(batch_of(seeds=(0, 1))), tmp_path
    rows = [Row("mse", value, clip="bird.flight", method=method, split="unobserved", variant=str(seed))
            for method, values in {"dynode": (0.01, 0.03), "linear": (0.05, 0.05)}.items() for seed, value in enumerate(values)]  # fmt: skip
    for path in plan.jobs["evaluate/bird.flight/dynode"].reads:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).touch()
    (folder / "records").mkdir()
    records.write(folder / "records/bird.flight.dynode.json", "evaluate", "", rows, {})
    lines = summary.lines(plan, folder, {"invert/talk": "talk.mp4 shows no face."})
    summary.write(folder, lines)
    with open(folder / "summary.csv", newline="") as file:
        table = list(csv.DictReader(file))
    measured = {row["method"]: row for row in table if row["metric"]}
    assert (measured["dynode"]["mean"], measured["dynode"]["n"], measured["linear"]["std"]) == ("0.02", "2", "0.0")
    errors = {(row["job"], row["clip"]): row["error"] for row in table if row["error"]}
    assert errors.pop(("page", "bird.flight")) == "not computed yet"
    assert errors.pop(("invert", "talk")) == "talk.mp4 shows no face."
    assert set(errors.values()) == {"not begun, it reads what a failed job leaves"} and len(errors) == 3
    printed = summary.table(lines)
    assert "| bird.flight | dynode | 20.0 ± 14.1 |" in printed and "mean ± standard deviation over seeds" in printed
    assert printed.endswith("invert talk: talk.mp4 shows no face.")


def test_errors_that_are_no_test_are_said_and_the_protocol_stands_in_every_row(tmp_path):
    plan = Plan(Batch({"chained": Source("single_face.warm"), "bird.flight": Source("bird.flight")}))
    for name, protocol in {"chained": "chain", "bird.flight": "independent"}.items():
        for path in plan.jobs[f"evaluate/{name}/dynode"].leaves:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            row = Row("mse", 0.1, method="dynode", split="unobserved", protocol=protocol)
            records.write(tmp_path / path, "evaluate", "", [row], {})
    (remark,) = summary.remarks(plan, tmp_path)
    assert remark.startswith(
        "chained: Held-out frames had a part in the observed codes (chain), so errors there are no test"
    )
    rows = [row for row in summary.lines(plan, tmp_path, {}) if "metric" in row]
    assert {row["clip"]: row["protocol"] for row in rows} == {"chained": "chain", "bird.flight": "independent"}


def test_a_preset_that_is_a_baseline_too_counts_once():
    of_a_baseline = [Row("mse", 0.05, method="linear", split="unobserved", variant="talk.linear.0")]
    of_fits = [Row("mse", value, method="linear", split="unobserved", variant=f"talk.linear.{seed}")
               for seed, value in enumerate((0.05, 0.07))]  # fmt: skip
    (line,) = summary.measured([*of_a_baseline, *of_fits])
    assert line["n"] == 2 and line["mean"] == pytest.approx(0.06)


def test_a_batch_goes_on_with_its_own_options_only(tmp_path):
    batch_of(presets=("trend",)).written(tmp_path)
    usual = {"presets": "dynode", "seeds": "0", "edits": (), "stride": 4}
    assert command.going_on(tmp_path, usual).presets == ("trend",)
    with pytest.raises(UserError, match="to change --stride, name the videos, too"):
        command.going_on(tmp_path, usual | {"stride": 2})


def run_jobs(folder: Path, plan: Plan, *names: str) -> None:
    for name in names:
        jobs.run(plan, name)


def test_jobs_fit_evaluate_and_show_a_clip(tmp_path, monkeypatch, tiny_clip):
    monkeypatch.chdir(tmp_path)
    tiny_clip.save(tmp_path / "turn.safetensors")
    source = Source(str(tmp_path / "turn.safetensors"))
    plan = Plan(Batch({"turn": source}, presets=("linear",), seeds=(0, 1), stride=2))
    run_jobs(tmp_path, plan, "fit/turn/linear", "evaluate/turn/linear", "page/turn")
    rows = records.read(tmp_path / "records/turn.linear.json")[0]
    assert {"linear", "hold", "cubic"} <= {row.method for row in rows}
    assert (tmp_path / "fits/turn.linear.1.fit").is_file() and "tiny" in (tmp_path / "pages/turn.html").read_text()
    assert "turn.linear.0" not in (tmp_path / "pages/turn.html").read_text()  # methods have their own names there
    with pytest.raises(UserError, match="has no job 'fit/turn/nope': it has fit/turn/linear, evaluate"):
        jobs.run(plan, "fit/turn/nope")


def test_a_page_and_the_table_of_a_world_have_the_same_reference(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips.load("scene.day").head(9).save(tmp_path / "day.safetensors")
    plan = Plan(Batch({"day": Source(str(tmp_path / "day.safetensors"))}, presets=("linear",)))
    run_jobs(tmp_path, plan, "fit/day/linear", "evaluate/day/linear", "page/day")
    page = html.unescape((tmp_path / "pages/day.html").read_text())
    view = json.loads(re.search(r'<script type="application/json" id="view">(.*?)</script>', page, re.S)[1])
    assert view["truth"]["reference"] == "code" and "against the images of the clip's own codes" in page
    rows = {(row["method"], row["metric"], row["split"]): row["mean"] for row in summary.lines(plan, tmp_path, {}) if "metric" in row}  # fmt: skip
    for name in ("hold", "linear"):
        assert means(view)[name][0] == pytest.approx(rows[name, "mse", "unobserved"], rel=2e-3)
    assert "against the images of the clip's own codes, as on the pages" in summary.table(
        summary.lines(plan, tmp_path, {})
    )


@pytest.mark.long
def test_a_batch_is_run_goes_on_and_does_again_what_a_changed_option_reaches(tmp_path, tiny_clip):
    tiny_clip.save(tmp_path / "turn.safetensors")
    (tmp_path / "broken.mp4").write_text("no video")

    def typed(*more: str, code: int = 0) -> str:
        line = [sys.executable, "-P", "-m", "dynode", "batch", "-o", "out", *more]
        variables = os.environ | {
            "TQDM_DISABLE": "1",
            "OMP_NUM_THREADS": "1",
            "DYNODE_READY": "1",
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(line, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    names = ("turn.safetensors", "broken.mp4", "--presets", "linear", "--stride", "2")
    printed = typed(*names, code=2)
    assert "invert broken: broken.mp4 is not a video that can be read" in printed.replace(str(tmp_path) + "/", "")
    assert "1 of 7 jobs failed" in printed and "| turn | linear |" in printed
    assert "Would run 4 jobs: invert/broken" in typed("--dry-run")
    (tmp_path / "broken.mp4").unlink()
    assert "Nothing is missing or stale." in typed("turn.safetensors", *names[2:], "--dry-run")
    assert "broken" in description.read(tmp_path / "out").sources  # a list changes no batch
    said = typed("turn.safetensors", *names[2:], "--seeds", "0:2", "--dry-run")
    assert "Would run 3 jobs: " in said and "fit/turn/linear" in said
    (tmp_path / "out/pages/turn.html").unlink()
    said = typed("turn.safetensors", *names[2:], "--dry-run")
    assert "Would run 1 job: page/turn." in said
    assert json.loads((tmp_path / "out/records/turn.linear.json").read_text())["rows"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["batch"], "Name videos, or --videos with a folder of them"),
        (["batch", "-o", "nowhere"], "There is no nowhere/batch.yaml: name videos"),
        (["batch", "nowhere.mp4"], "There is no video or clip nowhere.mp4"),
        (["batch", "bird.flight", "bird.flight"], "The video bird.flight is named 2 times"),
        (["batch", "bird.flight", "--presets", "dynode,"], "--presets wants different names with commas between"),
        (["batch", "bird.flight", "--presets", "dynod"], "There is no method 'dynod', did you mean 'dynode'"),
        (["batch", "bird.flight", "--sampling", "random"], "There is no sampling 'random'"),
        (["batch", "bird.flight", "--stride", "0"], "The stride must be at least 1, got 0"),
        (["batch", "bird.flight", "--method", "stitt"], "'stitt', did you mean 'stit'"),
        (["batch", "bird.flight", "--edit", "smile"], "smile"),
        (["batch", "bird.flight", "--edit", "smile=1"], "has no 'smile' for any of these videos; it ships for none of"),
        (
            ["batch", "bird.flight", "single_face.1", "--edit", "smile=1", "--edit", "smiley=1"],
            "has no 'smiley' for any of these videos, did you mean 'smile'; legal are age,",
        ),
        (["batch", "bird.flight", "--frames", "8"], "choose among frames of videos, and none is named"),
        (["batch", "bird.flight", "--jobs", "-1"], "--jobs must be 0 or more, got -1"),
        (["batch", "bird.flight", "--slurm"], "There is no Slurm here"),
        (
            ["batch", "bird.flight", "-o", "nowhere", "--job", "fit/bird.flight/dynode"],
            "There is no nowhere/batch.yaml",
        ),
    ],
)
def test_what_cannot_be_is_a_sentence_before_any_job(tmp_path, monkeypatch, capsys, typed, said):
    monkeypatch.chdir(tmp_path)
    assert main(typed) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
