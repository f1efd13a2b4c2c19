"""Kept evaluations: the same rows with and without them, nothing rendered twice, and nothing kept that has changed."""

import dataclasses
import importlib.util
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dynode import generators
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation import Evaluator, compare_fits, evaluator, kept_evaluations, records, trajectories
from dynode.evaluation.evaluator import LateImages
from dynode.evaluation.kept_evaluations import KeptEvaluations, KeptValues
from dynode.io import source_code
from dynode.metrics import METRICS
from dynode.metrics.registry import Metric


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_EVALUATIONS", "1")
    monkeypatch.setenv("DYNODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "evaluations"


@pytest.fixture
def metrics(monkeypatch):
    """Metrics that need no network."""
    names = ("mse", "ssim", "latent_mse")
    monkeypatch.setattr(METRICS, "held", {name: METRICS[name] for name in names})


@pytest.fixture
def rendered(monkeypatch):
    """How many frames were rendered so far, in a list that grows."""
    frames, render = [], generators.render

    def counting(generator, ws, *others, **choices):
        frames.append(len(ws))
        return render(generator, ws, *others, **choices)

    monkeypatch.setattr(generators, "render", counting)
    return frames


def module_of(path, text):
    """A module outside the package, imported from a file of that text."""
    path.write_text(text)
    specification = importlib.util.spec_from_file_location(path.stem, path)
    sys.modules[path.stem] = module = importlib.util.module_from_spec(specification)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    specification.loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


TRUTH = torch.zeros(6, 3, 16, 16)


def evaluated(clip, names=("linear", "hold", "cubic"), truth=TRUTH, generator=None, **choices):
    """Rows of methods and of the clip's own codes."""
    generator = generator or generators.load(clip.meta["generator"])
    judge = Evaluator(clip, generator, others={"truth": truth}, **choices)
    results = [judge.evaluate(clip, methods.fit(clip, name)) for name in names]
    rows = [
        row
        for name, each in zip(names, results, strict=True)
        for row in trajectories.method_rows(each, results[0], "scene", method=name)
    ]
    return rows + list(trajectories.reconstruction_rows(results[0], "scene"))


def test_records_are_the_same_with_and_without_and_nothing_is_rendered_twice(
    tiny_clip, tmp_path, cache, metrics, rendered
):
    without = evaluated(tiny_clip, keep=False)
    assert not cache.exists() and sum(rendered)
    first, count = evaluated(tiny_clip), sum(rendered)
    again = evaluated(tiny_clip)
    assert sum(rendered) == count and len(list(cache.iterdir())) == 4  # three methods and the clip's own codes
    files = [tmp_path / f"{k}.json" for k in range(3)]
    for path, rows in zip(files, (without, first, again), strict=True):
        records.write(path, "tiny", "smoke", rows, {})
    assert len({path.read_bytes() for path in files}) == 1
    assert [row.value for row in without] == [row.value for row in again]  # to the last digit


def test_networks_are_not_loaded_for_what_is_kept(tiny_clip, cache, monkeypatch):
    names = ("linear", "hold")
    first = evaluated(tiny_clip, names)
    assert "lpips_alex" in {row.metric for row in first}
    monkeypatch.setattr(evaluator.pkgutil, "resolve_name", None)  # would build the network
    assert evaluated(tiny_clip, names) == first


def test_other_codes_methods_times_and_clips_are_evaluated_anew(tiny_clip, cache, metrics, rendered):
    clip = tiny_clip
    judge = Evaluator(clip, generators.load(clip.meta["generator"]))
    codes, known = clip.ws + 0.01, judge.kept_of(clip, clip.ws + 0.01, "gp").key
    later, moved = (dataclasses.replace(clip, **change) for change in ({"ts": clip.ts + 1}, {"ws": clip.ws + 1e-3}))
    others = [(clip, codes + 1e-6, "gp"), (clip, codes, "gp[no noise]"), (later, codes, "gp"), (moved, codes, "gp")]
    keys = [judge.kept_of(*each).key for each in others]
    assert known == judge.kept_of(clip, clip.ws + 0.01, "gp").key and len({known, *keys}) == 5
    evaluated(clip, ["linear"])
    count = sum(rendered)
    for each, name in ((clip, "cubic"), (clip.sampled("regular", 5), "linear"), (moved, "linear")):
        evaluated(each, [name])
        assert sum(rendered) > count
        count = sum(rendered)


def test_changed_weights_are_noticed_whatever_the_generator_calls_itself(tiny_clip, cache, metrics, rendered):
    generator = generators.load(tiny_clip.meta["generator"])
    before, count = evaluated(tiny_clip, generator=generator), sum(rendered)
    with torch.no_grad():
        next(parameter for name, parameter in generator.named_parameters() if "mapping" not in name).mul_(1.01)
    after = evaluated(tiny_clip, generator=generator)
    assert sum(rendered) == 2 * count and after != before


def test_changed_code_is_noticed(tiny_clip, cache, metrics, rendered, monkeypatch):
    evaluated(tiny_clip)
    count = sum(rendered)
    real = source_code.hash_of
    monkeypatch.setattr(source_code, "hash_of", lambda *modules: real(*modules) + " changed")
    evaluated(tiny_clip)
    assert sum(rendered) == 2 * count


@pytest.mark.parametrize(
    "module",
    [
        "metrics.pixels",
        "metrics.networks",
        "perception.lpips",
        "generators.stylegan2",
        "generators.registry",
        "io.images",
    ],
)
def test_the_code_of_what_numbers_depend_on_is_in_the_hash(module):
    assert f"dynode.{module}" in source_code.closure(["dynode.evaluation.evaluator"])
    assert "dynode.worlds.bird" in source_code.closure(["dynode.inversion.frame_sources"])


def test_a_changed_metric_of_a_plugin_is_noticed_and_the_others_are_still_known(
    tiny_clip, tmp_path, cache, metrics, rendered, monkeypatch
):
    def with_gain(gain):
        text = f"def darkness(pred, true):\n    return {gain} * pred.mean((1, 2, 3))\n"
        module = module_of(tmp_path / "darkness.py", text)
        METRICS.held["darkness"] = Metric("darkness", space="image", compute=module.darkness, evaluated=True)
        rows = evaluated(tiny_clip, ["linear", "hold"])
        return [
            row.value for row in rows if row.metric == "darkness" and row.method == "hold" and row.reference == "code"
        ]

    one, count = with_gain(1), sum(rendered)
    assert with_gain(1) == one and sum(rendered) == count
    two = with_gain(2)
    assert two == pytest.approx([2 * value for value in one]) and sum(rendered) > count


def test_a_function_without_a_file_is_never_kept(tiny_clip, cache, metrics):
    made = {}
    exec("def odd(pred, true): return pred.mean((1, 2, 3))", {"__name__": "nowhere_at_all"}, made)
    assert kept_evaluations.code_of(Metric("odd", compute=made["odd"])) is None
    METRICS.held["odd"] = Metric("odd", space="image", compute=made["odd"], evaluated=True)
    evaluated(tiny_clip)
    assert not [name for path in cache.iterdir() for name in kept_evaluations.load_file(path) if "odd" in name]


def test_other_reference_images_are_compared_anew_and_the_codes_images_are_not(tiny_clip, cache, metrics, rendered):
    first = evaluated(tiny_clip)
    count = sum(rendered)
    second = evaluated(tiny_clip, truth=TRUTH + 0.5)
    assert sum(rendered) > count
    for reference, same in (("code", True), ("truth", False)):
        values = [
            [row.value for row in rows if row.reference == reference and row.metric == "mse"]
            for rows in (first, second)
        ]
        assert (values[0] == values[1]) == same
    late = LateImages(lambda: TRUTH, "a text"), LateImages(lambda: pytest.fail("drawn"), "a text")
    assert evaluated(tiny_clip, truth=late[0]) == evaluated(tiny_clip, truth=late[1]) == first


def test_a_fit_is_compared_without_drawing_its_world_again(tiny_clip, cache, metrics, monkeypatch):
    episode = {"world": "scene", "kind": "day", "seed": 1, "seconds": 1.0}
    clip = dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"episode": episode})
    fits = {"linear": methods.fit(clip, "linear")}
    first = compare_fits.compare(fits, clip, with_source=True)
    assert {row.reference for row in first} == {"code", "truth"}
    monkeypatch.setattr(compare_fits, "reference_images", None)
    assert compare_fits.compare(fits, clip, with_source=True) == first
    other = dataclasses.replace(clip, meta=clip.meta | {"episode": episode | {"seed": 2}})
    with pytest.raises(TypeError):
        compare_fits.compare({"linear": methods.fit(other, "linear")}, other, with_source=True)


def test_pictures_are_kept_once_shown_as_eight_bits(tiny_clip, cache, metrics, rendered):
    def linear():
        return Evaluator(tiny_clip, generators.load(tiny_clip.meta["generator"])).evaluate(
            tiny_clip, methods.fit(tiny_clip, "linear")
        )

    shown, images, count = linear().shown, linear().images, sum(rendered)
    assert (shown - images).abs().max() <= 0.5 / 127.5 + 1e-6
    assert torch.equal(linear().shown, shown) and sum(rendered) == count
    own = linear().references["code"].shown
    count = sum(rendered)
    assert torch.equal(linear().references["code"].shown, own) and sum(rendered) == count
    assert torch.equal(own[tiny_clip.observed], shown[tiny_clip.observed])
    assert len(list(cache.glob("*.pictures.safetensors"))) == 2


@pytest.mark.parametrize(("value", "kept"), [("0", False), ("1", True), ("", True)])
def test_a_variable_switches_it_off(tiny_clip, cache, metrics, monkeypatch, value, kept):
    monkeypatch.setenv("DYNODE_EVALUATIONS", value)
    evaluated(tiny_clip, ["linear"])
    assert cache.exists() == kept


def test_another_value_of_the_variable_is_refused(cache, monkeypatch):
    monkeypatch.setenv("DYNODE_EVALUATIONS", "off")
    with pytest.raises(
        UserError, match=r"^DYNODE_EVALUATIONS can be 0, which keeps no evaluations, or 1, got 'off'\.$"
    ):
        kept_evaluations.switched_on()


def values(number: int = 100) -> dict[str, torch.Tensor]:
    return {"code/mse": torch.arange(number, dtype=torch.float64)}


def test_the_files_not_used_for_longest_go_first_and_the_limit_is_never_passed(tmp_path):
    store = KeptEvaluations(tmp_path, limit=12_000)  # a file has about 900 bytes
    for k in range(9):
        store.add(f"{k}", values())
        os.utime(store.path(f"{k}"), (k, k))
    assert len(kept_evaluations.files_in(tmp_path)) == 9
    assert store.read("0")  # used now
    for k in range(9, 30):
        store.add(f"{k}", values())
        assert sum(size for _, size, _ in kept_evaluations.files_in(tmp_path)) <= 12_000
        if k == 13:
            assert store.read("0") and not store.read("1") and not store.read("2")
    assert store.read("29") and not store.read("8")
    store.add("large", values(5000))
    assert not store.read("large")


def test_several_writers_leave_whole_files(tmp_path):
    def work(number):
        store = KeptEvaluations(tmp_path, limit=20_000)
        for k in range(25):
            store.add(f"{(number + k) % 12}", {f"code/{number}": torch.full((20,), float(k))})
            store.read(f"{k % 12}")
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".safetensors"] == []
    assert all(KeptEvaluations(tmp_path).read(path.stem) for path in tmp_path.iterdir())


def test_a_damaged_file_and_a_folder_that_cannot_be_are_as_nothing(tmp_path, tiny_clip, cache, metrics):
    first = evaluated(tiny_clip)
    for path in cache.iterdir():
        path.write_bytes(b"no tensors")
    assert evaluated(tiny_clip) == first and evaluated(tiny_clip) == first
    (tmp_path / "file").touch()
    store = KeptEvaluations(tmp_path / "file" / "evaluations")
    store.add("a", values())
    assert store.read("a") == {}
    nothing = KeptValues()
    nothing.put("code/mse", values()["code/mse"])
    nothing.write()
    assert nothing.get("code/mse") is None
