"""A baseline is one file, as CONTRIBUTING.md describes it: it is fitted, stored, rendered and evaluated by its name."""

import pytest
import torch
from plugins import example

import dynode
from dynode import cli
from dynode.clips import Clip
from dynode.dynamics import METHODS, Trajectory, baseline, methods, retime, settings_of
from dynode.dynamics.baselines.sequence_models import SequenceSettings
from dynode.errors import UserError
from dynode.io import video
from dynode.settings import changed


@pytest.fixture
def nearest(plugin, tiny_clip) -> Clip:
    """A clip, while the example's baseline is installed."""
    plugin(METHODS, example("dynode/dynamics/baselines/nearest.py"))
    return tiny_clip


def test_a_new_baseline_is_fitted_by_its_name_and_stored(nearest, tmp_path):
    path = methods.fit(nearest, "nearest")
    assert path.label == "nearest" and "nearest" in methods.unlearned_names() and path.log["observed_error"] == 0
    assert torch.equal(path(nearest.ts[:2]), nearest.ws[[0, 0]])  # half-way between two observations the first one
    back = dynode.load_fit(path.save(tmp_path / "nearest.fit"))
    assert torch.equal(back(nearest.ts), path(nearest.ts)) and back.meta == path.meta and back.label == "nearest"
    assert not path.derivative(nearest.ts).isnan().any() and path([]).shape == (0, *nearest.ws.shape[1:])


def test_a_new_baseline_has_one_path_for_each_shot_and_is_retimed(nearest):
    cut = Clip(nearest.ws, nearest.ts, shots=torch.tensor([0, 0, 0, 1, 1, 1]), meta=nearest.meta)
    path = methods.fit(cut, "nearest")
    assert len(path.shots) == 2 and torch.equal(path(cut.ts), cut.ws)
    backward = retime(path, backward=True)
    assert torch.equal(torch.cat(list(backward.chunks(cut.ts, 2))), backward(cut.ts))


def test_a_new_baseline_is_rendered_and_evaluated(nearest, tmp_path):
    path = dynode.fit(nearest, "nearest")
    dynode.render(path, tmp_path / "out.mp4", fps=12, device="cpu")
    assert len(video.read(tmp_path / "out.mp4")[0]) == 10
    rows = dynode.evaluate(path, nearest, device="cpu").rows
    errors = {row.method: row.value for row in rows if row.metric == "latent_mse" and row.split == "unobserved"}
    assert errors["nearest"] > errors["linear"] > 0


def test_the_commands_know_a_new_baseline(nearest, tmp_path, capsys):
    clip, fit, rows = (str(tmp_path / name) for name in ("clip.safetensors", "clip.fit", "rows.json"))
    nearest.save(clip)
    assert cli.main(["fit", clip, "-o", fit, "--preset", "nearest", "--stride", "2"]) == 0
    assert cli.main(["evaluate", fit, "--clip", clip, "-o", rows, "--device", "cpu"]) == 0
    assert "| nearest |" in capsys.readouterr().out
    assert cli.main(["fit", clip, "-o", fit, "--preset", "nearest", "-p", "iterations=5"]) == 2
    assert "no settings, got -p iterations=5" in capsys.readouterr().err


SEQUENCE_MODEL = '''
"""Linear interpolation plus a learned constant."""

import torch
from torch import nn

from dynode.dynamics.baselines.recurrent import SequenceModel
from dynode.dynamics.baselines.sequence_models import sequence_model


@sequence_model("constant")
class Constant(SequenceModel):
    def __init__(self, width, settings):
        super().__init__(width, settings)
        self.constant = nn.Parameter(torch.zeros(width))

    def forward(self, taus, u, times):
        return self.constant.expand(len(times), -1)
'''


def test_a_new_sequence_model_has_settings_training_and_files(plugin, tiny_clip, tmp_path):
    plugin(METHODS, SEQUENCE_MODEL)
    settings = settings_of("constant")
    assert settings == SequenceSettings("constant") and "constant" in methods.learned_names()
    path = methods.fit(tiny_clip, changed(settings, {"iterations": 3}))
    assert path.label == "constant[changed]" and path.log["iterations"] == 3
    back = dynode.load_fit(path.save(tmp_path / "constant.fit"))
    assert torch.equal(back(tiny_clip.ts), path(tiny_clip.ts)) and back.label == "constant[changed]"


def test_a_class_without_fit_is_no_baseline():
    class Unfitted(Trajectory):
        def __call__(self, ts):
            return torch.zeros(len(ts), 1, 1)

    with pytest.raises(TypeError, match="Unfitted needs a class method fit"):
        baseline("unfitted")(Unfitted)
    assert "unfitted" not in METHODS


def test_an_unknown_method_names_all_that_are_known(tiny_clip):
    with pytest.raises(UserError, match="did you mean 'linear'; legal are auto, calm, catmull_rom"):
        methods.fit(tiny_clip, "liner")
