"""Whatever torch, numpy and warnings are set to: the same numbers, and the settings are the caller's again behind them."""

import contextlib
import copy
import pickle
import random
import sys
import warnings

import numpy as np
import pytest
import torch
from conftest import tiny_weights

import dynode
from dynode import border, generators
from dynode.clips import Clip
from dynode.dynamics import methods, retime, retiming
from dynode.metrics import METRICS
from dynode.settings import changed

TS = [0.3, 0.05, 0.0, 0.5, 0.6]
SHORT = {
    "training.iterations": 2,
    "training.segment_iterations": 2,
    "training.newton_steps": 2,
    "iterations": 2,
    "steps": 2,
    "solver.max_nfe": 400,
    "solver.rtol": 1e-3,
    "solver.atol": 1e-3,
    "left_out": 1,
}


@contextlib.contextmanager
def setting(put, value, back):
    put(value)
    try:
        yield
    finally:
        put(back)


@contextlib.contextmanager
def strict_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("error", FutureWarning)
        yield


MODES = {
    "float64": lambda: setting(torch.set_default_dtype, torch.float64, torch.float32),
    "float16": lambda: setting(torch.set_default_dtype, torch.float16, torch.float32),
    "bfloat16": lambda: setting(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "no_grad": torch.no_grad,
    "grad disabled": lambda: setting(torch.set_grad_enabled, False, True),
    "inference": torch.inference_mode,
    "deterministic": lambda: setting(torch.use_deterministic_algorithms, True, False),
    "default device": lambda: setting(torch.set_default_device, "meta", None),
    "device context": lambda: torch.device("meta"),
    "float errors": lambda: np.errstate(all="raise"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "strict warnings": strict_warnings,
}
LEARNED = [
    name for name in methods.learned_names() if name not in ("prior", "visible", "dynode[amortised]")
]  # these want other clips, or codes of a world


def short(name):
    """The settings of a method with a few steps; its name where it has none."""
    settings = methods.settings_of(name, latent_only=True)
    if settings is None:
        return name
    present = {key: value for key, value in SHORT.items() if setting_of(settings, key)}  # 0 has a meaning of its own
    return changed(settings, present)


def setting_of(settings, key):
    for part in key.split("."):
        settings = getattr(settings, part, None)
    return settings


def state():
    """What a caller may have set, or count on."""
    return {
        "modes": (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": torch.is_autocast_enabled("cpu"),
        "device": str(torch.get_default_device()),
        "float errors": np.geterr(),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
        "torch": torch.get_rng_state().numpy().tolist(),  # numpy knows no default device
        "threads": torch.get_num_threads(),
        "filters": list(warnings.filters),
    }


def fitted(clip, name):
    path = dynode.fit(clip, short(name), seed=1)
    swung = retime(path, 2.0, backward=True, loop="swing")
    parts = [part for part in path.chunks(TS, 2)]
    return [path(TS), path.derivative(TS), swung(TS), *parts]


@pytest.fixture
def thin(circle):
    return circle.sampled("regular", 3)


@pytest.mark.filterwarnings("ignore:.*evaluations of the field:UserWarning", "ignore:stopped at:UserWarning")
@pytest.mark.parametrize("name", [*LEARNED, *methods.unlearned_names()])
def test_fits_and_their_paths_have_the_same_numbers_under_every_mode(name, thin):
    wanted = fitted(thin, name)
    for mode, entered in MODES.items():
        with entered():
            before = state()
            result = fitted(thin, name)
            assert state() == before, mode
        assert all(torch.equal(a, b) for a, b in zip(result, wanted, strict=True)), mode
        assert all(part.dtype == torch.float32 and part.device.type == "cpu" for part in result), mode
        assert not any(part.is_inference() or part.requires_grad for part in result), mode


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Codes of a small generator and its file."""
    folder = tmp_path_factory.mktemp("tiny")
    name = tiny_weights(folder, "scene")
    ends = generators.load(name).mapping(torch.randn(2, 9, generator=torch.Generator().manual_seed(0)))
    ws = torch.stack([torch.lerp(*ends, t).cos() for t in torch.linspace(0, 1, 6)])
    meta = {"name": "tiny", "generator": name, "generator_hash": generators.hash_of(name)}
    clip = Clip(ws, torch.arange(6) / 6, meta=meta).sampled("regular", 2)
    dynode.Clip(1.1 * ws.flip(0), clip.ts, meta=meta | {"name": "other"}).save(folder / "other.safetensors")
    return clip, folder


def of_clip(clip, folder):
    arrays = np.linspace(0, 1, 24).reshape(4, 2, 3)
    made = Clip(arrays, [0, 1, 2, 3], observed=[1, 1, 0, 1], shots=[0, 0, 1, 1]).sampled("irregular", 2, 1).halved()
    made.save(folder / "made.safetensors")
    back = dynode.load_clip(folder / "made.safetensors").head(3)
    return [back.ws, back.ts, back.observed, back.shots]


def of_files(clip, folder):
    path = dynode.load_fit(dynode.fit(clip, "linear").save(folder / "path.fit"))
    np.save(folder / "codes.npy", clip.ws.numpy())
    codes = generators.clip_of_codes(folder / "codes.npy", fps=5, generator=clip.meta["generator"])
    return [path(TS), codes.ws, codes.ts]


def of_prior(clip, folder):
    settings = changed(methods.settings_of("prior"), {"steps": 2, "clips": str(folder / "other.safetensors")})
    return [dynode.fit(clip, settings)(TS)]


def of_many(clip, folder):
    return [path(TS) for path in dynode.fit_many([clip, clip], seeds=np.array([1, 2]))]


def of_generator(clip, folder):
    generator = dynode.load_generator(clip.meta["generator"])
    editor = dynode.load_editor("ganspace:1", generator)
    return [generators.render(generator, clip.ws, 16), generator.w_avg, editor.edit(clip.ws, 1.5, 2)]


def of_evaluation(clip, folder):
    rows = dynode.evaluate(dynode.fit(clip, "linear"), clip, device="cpu").rows
    return [torch.from_numpy(np.array([row.value for row in rows]))]


def of_video(clip, folder):
    from dynode.io import video

    dynode.render(dynode.fit(clip, "linear"), folder / "path.mp4", fps=12, device="cpu")
    return [torch.from_numpy(np.stack(video.read(folder / "path.mp4")[0]))]


def of_metrics(clip, folder):
    images = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 32, 32)).astype("f4")
    return [METRICS[name](*images) for name in ("mse", "psnr", "ssim")]


DOORS = [of_clip, of_files, of_prior, of_many, of_generator, of_metrics]
SLOW = [of_evaluation, of_video]


@pytest.mark.parametrize("door", [*DOORS, *(pytest.param(door, marks=pytest.mark.long) for door in SLOW)])
def test_every_public_door_has_the_same_numbers_under_every_mode(door, tiny):
    wanted = door(*tiny)
    for mode, entered in MODES.items():
        with entered():
            before = state()
            result = door(*tiny)
            assert state() == before, mode
        assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(result, wanted, strict=True)), mode


def test_whether_gradients_are_recorded_is_the_callers_choice_where_something_is_differentiable(tiny):
    clip, _ = tiny
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    METRICS["mse"](images, torch.zeros(2, 3, 16, 16)).sum().backward()
    assert images.grad is not None
    with torch.no_grad():
        assert not METRICS["mse"](images, torch.zeros(2, 3, 16, 16)).requires_grad


def test_a_reader_of_chunks_keeps_its_own_modes_between_them(thin):
    path = dynode.fit(thin, "cubic")
    with torch.inference_mode(), setting(torch.set_default_dtype, torch.float64, torch.float32):
        for part in path.chunks(TS, 2):
            assert torch.is_inference_mode_enabled() and torch.tensor([0.5]).dtype == torch.float64
            assert part.dtype == torch.float32 and not part.is_inference()


def test_modes_are_the_callers_again_after_an_error():
    @border.public
    def wrong(number: float) -> None:
        torch.manual_seed(5), random.random(), np.random.rand()
        raise ZeroDivisionError

    with torch.no_grad(), setting(torch.set_default_dtype, torch.float64, torch.float32):
        before = state()
        with pytest.raises(ZeroDivisionError):
            wrong(1)
        assert state() == before


def test_importing_the_package_leaves_random_numbers_and_modes_alone():
    import subprocess

    code = """if True:
        import random, numpy, torch
        random.seed(1), numpy.random.seed(2), torch.manual_seed(3)
        states = lambda: (random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist(),
            torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), numpy.geterr())
        before = states()
        import dynode
        for name in dynode.__all__: getattr(dynode, name)
        print(states() == before)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("name", ["linear", "cubic", "gp", "dynode", "exact", "gru", "sde"])
def test_paths_and_what_is_made_of_them_go_to_other_processes(name, thin):
    path = dynode.fit(thin, short(name))
    made = [retiming.speed_up(path, 2.0), retiming.reverse(path), retiming.ease_in_out(path), retiming.ping_pong(path)]
    made += [retiming.Looped(path), retiming.Transferred(path, thin.ws[3] + 1)]
    for each in (path, *made):
        for copied in (pickle.loads(pickle.dumps(each)), copy.deepcopy(each)):
            assert torch.equal(copied(TS), each(TS)) and torch.equal(copied.derivative(TS), each.derivative(TS))


def test_clips_settings_methods_metrics_and_errors_go_to_other_processes(thin, tiny):
    clip = pickle.loads(pickle.dumps(thin))
    assert torch.equal(clip.ws, thin.ws) and clip.meta == thin.meta and torch.equal(clip.observed, thin.observed)
    for thing in (dynode.METHODS, METRICS, dynode.METHODS["linear"], dynode.METHODS["gru"], METRICS["psnr"]):
        assert pickle.loads(pickle.dumps(thing)) is thing and copy.deepcopy(thing) is thing
    assert pickle.loads(pickle.dumps(dynode.PRESETS)) == dynode.PRESETS
    assert str(pickle.loads(pickle.dumps(dynode.UserError("One sentence.")))) == "One sentence."
    editor = dynode.load_editor("ganspace:1", dynode.load_generator(tiny[0].meta["generator"]))
    assert torch.equal(pickle.loads(pickle.dumps(editor)).edit(tiny[0].ws, 1.0), editor.edit(tiny[0].ws, 1.0))
