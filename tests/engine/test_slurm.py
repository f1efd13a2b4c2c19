"""The engine on a cluster whose programs are stand-ins (`slurm_programs`): Slurm's plugin of Snakemake, end to end."""

import json
import os
import random
import signal
import subprocess

import pytest
import yaml
from slurm_programs import Cluster
from test_engine import ALL, wait_for
from toy_checkout import Checkout

from dynode.io import assets

pytestmark = pytest.mark.long


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path / "slurm")


def checkout_on(tmp_path, retries: int = 2, **more) -> Checkout:
    """A checkout whose profile looks at jobs often."""
    made = Checkout(tmp_path / "checkout", **more)
    path = made.folder / "profiles" / "slurm" / "profile.v9+.yaml"
    quick = {
        "retries": retries,
        "slurm-init-seconds-before-status-checks": 1,
        "seconds-between-status-checks": 1,
        "latency-wait": 5,
    }
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | quick))
    return made


def calls(cluster: Cluster, name: str) -> list[list[str]]:
    lines = map(json.loads, (cluster.folder / "calls").read_text().splitlines())
    return [line[1:] for line in lines if line[0] == name]


def option(arguments: list[str], name: str) -> str:
    """The value of an option of sbatch, "" where it was not given."""
    given = [
        each.partition("=")[2] or arguments[k + 1] for k, each in enumerate(arguments) if each.split("=")[0] == name
    ]
    return given[0] if given else ""


def test_every_item_is_a_job_that_asks_for_what_the_map_says_and_a_second_call_submits_none(tmp_path, cluster):
    more = {"resources": {"smoke": {"gpu": 1, "memory_gb": 9}}}
    checkout = checkout_on(tmp_path, beta=more)
    variables = cluster.make()
    checkout.reproduce("--slurm", **variables)
    assert checkout.begun() == ALL and len(cluster.jobs()) == len(ALL)
    (alpha,), (beta,) = cluster.of("item_alpha"), cluster.of("item_beta")
    assert "--gpus=1" in beta["arguments"] and not [each for each in beta["arguments"] if each.startswith("--ntasks")]
    assert not [each for each in alpha["arguments"] if each.startswith("--gpus")]
    assert "--ntasks=1" in alpha["arguments"] and "--requeue" in alpha["arguments"]
    assert (option(alpha["arguments"], "--mem"), option(beta["arguments"], "--mem")) == ("4000", "9000")
    assert (option(alpha["arguments"], "-t"), option(beta["arguments"], "-t")) == ("8", "11")
    checkout.reproduce("--slurm", **variables)
    assert checkout.begun() == [] and len(cluster.jobs()) == len(ALL)


def test_a_preempted_job_goes_on_under_its_number_and_makes_no_fit_again(tmp_path, cluster):
    checkout = checkout_on(tmp_path, alpha={"parameters": {"smoke": {"seconds": 2.0}}})
    checkout.reproduce("alpha", "--slurm", **cluster.make({"item_alpha": ["PREEMPTED"]}))
    assert len(cluster.jobs()) == 1 and checkout.begun() == ["alpha", "alpha"]
    first, second = (checkout.folder / f"reports/fits/alpha.smoke/{seed}.safetensors" for seed in (0, 1))
    assert second.stat().st_mtime - first.stat().st_mtime > 2 and checkout.rows()["alpha.smoke"][0]["value"] == 1


@pytest.mark.parametrize("fate", ["TIMEOUT", "OUT_OF_MEMORY"])
def test_what_was_too_little_is_asked_for_again_and_more_of_it(tmp_path, cluster, fate):
    checkout = checkout_on(tmp_path)
    checkout.reproduce("alpha", "--slurm", **cluster.make({"item_alpha": [fate]}))
    first, second = (each["arguments"] for each in cluster.of("item_alpha"))
    assert int(option(second, "-t")) > int(option(first, "-t")) and int(option(second, "--mem")) > int(
        option(first, "--mem")
    )


def test_an_interruption_cancels_all_jobs(tmp_path, cluster):
    slow = {"parameters": {"smoke": {"seconds": 60.0}}}
    checkout = checkout_on(tmp_path, alpha=slow, beta=slow)
    engine = checkout.start("reproduce", "alpha", "beta", "--profile", "smoke", "--slurm", **cluster.make())
    wait_for(lambda: checkout.log.is_file() and checkout.log.read_text().count("begin") == 2)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(60) == 130
    wait_for(lambda: {job["state"] for job in cluster.jobs().values()} == {"CANCELLED"})


@pytest.mark.parametrize("without", [(), ("sacct",)], ids=["", "no sacct"])
@pytest.mark.parametrize("fate, what", [("LOST", "was preempted"), ("NODE_LOST", "lost its node")])
def test_a_job_that_is_lost_is_noticed_once_and_submitted_again_to_another_node(tmp_path, cluster, fate, what, without):
    """The second run takes longer than a job may be out of the queue: that of the first is not its own."""
    checkout = checkout_on(tmp_path, alpha={"parameters": {"smoke": {"seconds": 3.0}}})
    variables = cluster.make({"item_alpha": [fate]}, without) | {"DYNODE_SLURM_LOST": "6"}
    printed = checkout.reproduce("alpha", "--slurm", **variables)
    assert printed.count(f"{what} and was not requeued. The engine starts again.") == 1
    first, second = (each["arguments"] for each in cluster.of("item_alpha"))
    assert option(first, "--exclude") == "" and checkout.record("alpha").is_file()
    assert option(second, "--exclude") == ("node7" if fate == "NODE_LOST" else "")


def test_a_job_whose_node_fails_goes_on_elsewhere_and_later_jobs_leave_that_node_out(tmp_path, cluster):
    checkout = checkout_on(tmp_path)
    checkout.reproduce("omega", "--slurm", **cluster.make({"item_alpha": ["NODE_FAIL"]}))
    (alpha,), (omega,) = cluster.of("item_alpha"), cluster.of("item_omega")
    assert checkout.begun() == ["alpha", "alpha", "beta", "omega"] and checkout.rows()["omega.smoke"][0]["value"] == 3
    assert option(alpha["arguments"], "--exclude") == "" and option(omega["arguments"], "--exclude") == "node7"


def test_a_cluster_without_accounts_runs_all_items_and_asks_for_more_where_it_was_too_little(tmp_path, cluster):
    checkout = checkout_on(tmp_path)
    variables = cluster.make({"item_alpha": ["TIMEOUT"]}, without=("sacct",))
    checkout.reproduce("--slurm", **variables)
    assert checkout.begun() == sorted([*ALL, "alpha"]) and calls(cluster, "sacct") == []
    first, second = (each["arguments"] for each in cluster.of("item_alpha"))
    assert int(option(second, "-t")) > int(option(first, "-t")) and len(cluster.jobs()) == len(ALL) + 1
    assert set(checkout.rows()) == {f"{name}.smoke" for name in ALL}


def test_a_node_without_a_network_runs_what_was_fetched_and_says_what_was_not(tmp_path, cluster):
    """An asset of the package, in a cache that is empty, then in one that holds it."""
    checkout, fetched = checkout_on(tmp_path), tmp_path / "fetched"
    fetched.mkdir()
    variables = cluster.make() | {"DYNODE_OFFLINE": "1", "TOY_ASSET": "lpips-alexnet"}
    printed = checkout.reproduce("alpha", "--slurm", code=1, **variables, DYNODE_CACHE=str(tmp_path / "empty"))
    assert "alpha failed: lpips-alexnet (9.9 MB) is not in the cache" in printed and "DYNODE_OFFLINE=1" in printed
    kept = assets.fetch("lpips-alexnet")
    os.symlink(kept.parent, fetched / kept.parent.name)
    checkout.reproduce("alpha", "--slurm", **variables, DYNODE_CACHE=str(fetched))
    assert checkout.rows()["alpha.smoke"][0]["value"] == 1


def test_parts_are_jobs_of_their_own_whose_fits_the_item_finds(tmp_path, cluster):
    checkout = checkout_on(tmp_path, beta={"parts": {"smoke": {"over": "seeds"}}})
    variables = cluster.make()
    checkout.reproduce("beta", "--slurm", **variables)
    words = [line.split()[0] for line in checkout.log.read_text().splitlines()]
    assert sorted(words[:4]) == ["begin", "begin", "end", "end"] and words[4:] == ["begin", "end"]
    assert all(len(cluster.of(rule)) == 1 for rule in ("part_beta_1", "part_beta_2", "item_beta"))
    assert len(checkout.fits()) == 2 and checkout.rows()["beta.smoke"][0]["value"] == 1
    assert set(checkout.rows()) == {"beta.smoke"} and not list(checkout.folder.glob("reports/engine/parts/*.outputs"))
    checkout.begun()
    checkout.reproduce("beta", "--slurm", **variables)
    assert checkout.begun() == [] and len(cluster.jobs()) == 3


def test_a_batch_of_videos_is_jobs_and_a_video_that_fails_is_a_row(tmp_path, cluster, tiny_clip):
    checkout, variables = checkout_on(tmp_path, retries=0), cluster.make()
    tiny_clip.save(checkout.folder / "turn.safetensors")
    (checkout.folder / "broken.mp4").write_text("no video")
    typed = ("batch", "-o", "out", "turn.safetensors", "broken.mp4", "--presets", "linear", "--stride", "2")
    printed = checkout.run(*typed, "--seeds", "0:2", "--slurm", code=2, **variables)
    said = printed.replace(f"{checkout.folder}/", "")
    assert "invert broken: broken.mp4 is not a video that can be read" in said and "1 of 7 jobs failed" in said
    assert "| turn | linear |" in printed and (checkout.folder / "out" / "pages" / "turn.html").is_file()
    kinds = sorted(job["comment"].partition("_")[0] for job in cluster.jobs().values())
    assert set(kinds) == {"invert", "fit", "evaluate", "page"} and kinds.count("fit") == 1
    (checkout.folder / "broken.mp4").unlink()
    before = len(cluster.jobs())
    checkout.run(*typed[:4], *typed[5:], "--seeds", "0:2", "--slurm", **variables)
    assert len(cluster.jobs()) == before


def test_a_job_that_is_refused_is_a_sentence_with_what_to_do(tmp_path, cluster):
    checkout = checkout_on(tmp_path)
    path = checkout.folder / "profiles" / "slurm" / "profile.v9+.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["default-resources"]["slurm_partition"] = "nowhere"
    path.write_text(yaml.safe_dump(settings))
    printed = checkout.reproduce("alpha", "--slurm", code=2, **cluster.make()).strip().splitlines()[-1]
    assert printed.startswith(
        "dynode: Slurm refused a job (sbatch: error: invalid partition specified: nowhere): name a partition"
    )


def test_no_slurm_is_a_sentence(tmp_path, cluster):
    checkout = checkout_on(tmp_path)
    assert "There is no Slurm here (no `sbatch`)" in checkout.reproduce(
        "alpha", "--slurm", code=2, PATH="/usr/bin:/bin"
    )


def test_jobs_that_outlive_a_killed_engine_are_waited_for_and_never_run_twice_at_once(tmp_path, cluster):
    """Killed at seeded moments of the whole run; then it is completed, and the records are those of a run without a kill."""
    checkout = checkout_on(tmp_path, beta={"parameters": {"smoke": {"seconds": 20.0}}})
    variables, draws, killed = cluster.make(), random.Random(8), 0
    for _ in range(3):
        engine = checkout.start("reproduce", "--profile", "smoke", "--slurm", **variables)
        try:
            assert engine.wait(draws.uniform(6, 14)) == 0  # a fast machine is done before the third moment
        except subprocess.TimeoutExpired:
            engine.kill()
            killed += 1
        engine.wait()
    assert killed >= 2
    checkout.reproduce("--slurm", **variables)
    assert {name: rows[0]["value"] for name, rows in checkout.rows().items()} == {
        "alpha.smoke": 1, "beta.smoke": 1, "gamma.smoke": 1, "omega.smoke": 3,
    }  # fmt: skip
    running: set[str] = set()
    for word, name, pid in map(str.split, checkout.log.read_text().splitlines()):
        assert word == "end" or name not in running or not alive(pid)
        running = running - {name} if word == "end" else running | {name}


def alive(pid: str) -> bool:
    return os.path.exists(f"/proc/{pid}")
