"""The engine on this machine, on toy items by the real Snakefile."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest
from toy_checkout import Checkout

pytestmark = pytest.mark.long
ALL = ["alpha", "beta", "gamma", "omega"]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "checkout")


def git(checkout, *arguments: str) -> str:
    own = ["git", "-c", "user.name=x", "-c", "user.email=x@y.z", *arguments]
    return subprocess.run(own, cwd=checkout.folder, check=True, capture_output=True, encoding="utf-8").stdout


def test_every_item_is_made_once_and_again_only_where_something_is_missing_or_has_changed(checkout):
    git(checkout, "init", "-q")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "toys")
    printed = checkout.reproduce()
    assert checkout.begun() == ALL and git(checkout, "status", "--porcelain") == ""
    assert "alpha: " in printed and "figures/alpha_one.smoke.png" in printed and "Run: " in printed
    assert json.loads((checkout.folder / "reports" / "verdicts.smoke.json").read_text()) == []
    assert "Nothing was missing or stale." in checkout.reproduce() and checkout.begun() == []
    (checkout.folder / "figures" / "gamma_two words.smoke.pdf").unlink()
    assert "Run: gamma." in checkout.reproduce() and checkout.begun() == ["gamma"]
    checkout.entries["beta"]["parameters"]["smoke"] = {"seeds": [0, 1, 5]}
    checkout.write_map()
    checkout.reproduce()
    assert checkout.begun() == ["beta", "omega"] and checkout.rows()["omega.smoke"][0]["value"] == 1 + 6 + 1


def test_the_pages_are_made_at_the_end_and_again_only_where_something_has_changed(checkout):
    printed = checkout.reproduce("alpha", "beta")
    assert checkout.page.read_text() == "alpha.smoke beta.smoke"
    assert printed.splitlines()[-1] == "reports/index.html shows all of it; open it by a double click."
    assert "Note: The page Videos could not be made (there is none)." in printed
    made = checkout.page.stat().st_mtime_ns
    printed = checkout.reproduce("alpha", "beta")
    assert "Note" not in printed and printed.splitlines()[-1].startswith("reports/index.html shows")
    assert checkout.page.stat().st_mtime_ns == made
    checkout.page.unlink()
    checkout.begun()
    assert "Nothing was missing or stale." in checkout.reproduce("alpha", "beta")
    assert checkout.begun() == [] and checkout.page.is_file()
    made = checkout.page.stat().st_mtime_ns
    checkout.run("run", "alpha", "gamma", "--profile", "smoke")
    assert checkout.page.stat().st_mtime_ns == made
    checkout.reproduce()
    assert checkout.page.read_text() == "alpha.smoke beta.smoke gamma.smoke omega.smoke"


def test_pages_that_cannot_be_made_are_a_sentence_and_cost_no_item(checkout):
    printed = checkout.reproduce("alpha", code=1, TOY_PAGE="The disk is full.")
    assert printed.splitlines()[-1] == "dynode: The items are made, but not reports/index.html: The disk is full."
    assert checkout.record("alpha").is_file() and "Traceback" not in printed
    checkout.begun()
    checkout.reproduce("alpha")
    assert checkout.begun() == [] and checkout.page.is_file()


def test_a_paper_item_is_made_with_what_it_reads_and_a_run_of_items_is_of_these_alone(checkout):
    assert "Would run: beta, gamma." in checkout.reproduce("fig2", "--dry-run")
    assert checkout.begun() == [] and not checkout.record("beta").exists()
    checkout.reproduce("omega")
    assert checkout.begun() == ["alpha", "beta", "omega"]
    checkout.run("run", "alpha", "gamma", "--profile", "smoke")
    assert checkout.begun() == ["alpha", "gamma"]
    assert "did you mean 'alpha'" in checkout.reproduce("alpa", code=2)


def test_a_failing_item_ends_no_other_and_keeps_its_notebook(checkout):
    printed = checkout.reproduce(code=1, TOY_FAILS="beta")
    assert "2 of 4 items failed. beta: The notebook notebooks/beta.ipynb failed (ZeroDivisionError" in printed
    assert "omega: not begun, it reads a failed item's record" in printed and "Traceback" not in printed
    failed = checkout.folder / "reports" / "executed" / "beta.smoke.failed.ipynb"
    assert "papermill-error-cell" in failed.read_text()
    assert checkout.record("gamma").is_file() and not checkout.record("beta").exists()
    assert checkout.begun() == ["alpha", "beta", "gamma"]
    assert checkout.page.read_text() == "alpha.smoke gamma.smoke"
    assert "reports/index.html shows what is there." in printed
    checkout.reproduce()
    assert checkout.begun() == ["beta", "omega"] and "omega.smoke" in checkout.page.read_text()


def test_a_record_that_says_it_is_of_something_else_is_made_anew(checkout):
    checkout.reproduce("alpha")
    path = checkout.record("alpha")
    known = json.loads(path.read_text())
    known["provenance"]["parameters"]["seeds"] = [7]
    path.write_text(json.dumps(known))
    checkout.begun()
    checkout.reproduce("alpha")
    assert checkout.begun() == ["alpha"]


def test_two_engines_never_work_in_one_folder(checkout):
    checkout.entries["alpha"]["parameters"]["smoke"] = {"seconds": 60.0}
    checkout.write_map()
    first = checkout.start("reproduce", "alpha", "--profile", "smoke")
    wait_for(lambda: checkout.log.is_file())
    printed = checkout.reproduce(code=2)
    assert f"Another `dynode reproduce` works in {checkout.folder} (process {first.pid} on " in printed
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 130


@pytest.mark.parametrize("name, code", [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)])
def test_after_a_signal_no_run_goes_on_and_the_same_command_completes(checkout, name, code):
    checkout.entries["beta"]["parameters"]["smoke"] = {"seconds": 1.5}
    checkout.write_map()
    engine = checkout.start("reproduce", "--profile", "smoke")
    wait_for(lambda: len(checkout.fits()) >= 3)
    begun = [int(line.split()[2]) for line in checkout.log.read_text().splitlines() if line.startswith("begin")]
    engine.send_signal(getattr(signal, name))
    assert engine.wait(30) == code
    wait_for(lambda: not any(map(runs, begun)))
    kept = checkout.fits()
    checkout.reproduce()
    assert kept.items() <= checkout.fits().items() and set(checkout.rows()) == {f"{each}.smoke" for each in ALL}


def test_an_engine_killed_at_ten_moments_leaves_what_an_undisturbed_run_leaves(checkout, tmp_path):
    """Seeded moments of whole runs; one that is done before its moment is begun anew, from nothing."""
    whole, draws, kills = Checkout(tmp_path / "undisturbed" / "checkout"), random.Random(11), 0
    for each in (whole, checkout):
        for entry in each.entries.values():
            entry["parameters"]["smoke"] = {"seconds": 0.7}
        each.write_map()
    begun = time.monotonic()
    whole.reproduce()
    longest = time.monotonic() - begun
    while kills < 10:
        engine = checkout.start("reproduce", "--profile", "smoke")
        try:
            assert engine.wait(draws.uniform(0.3, longest)) == 0
            for name in ("figures", "reports/records", "reports/fits", "reports/tables"):
                shutil.rmtree(checkout.folder / name)
        except subprocess.TimeoutExpired:
            engine.kill()
            kills += 1
        engine.wait()
    checkout.reproduce()
    assert checkout.left() == whole.left() and set(checkout.rows()) == {f"{each}.smoke" for each in ALL}


def wait_for(reached, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
