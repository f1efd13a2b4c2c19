"""An editor is one file, as CONTRIBUTING.md describes it: it is loaded by its name and edits clips and videos."""

import numpy as np
import pytest
import torch
from plugins import example

from dynode import cli, generators
from dynode.editing import METHODS, editors
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.io import video


@pytest.fixture
def axis(plugin) -> None:
    plugin(METHODS, example("dynode/editing/axis.py"))


def test_a_new_editor_edits_codes(axis, tiny_clip):
    generator = generators.load(tiny_clip.meta["generator"])
    editor = editors.load("axis:2", generator)
    assert (editor.name, editor.space) == ("axis 2", "w+")
    change = editor.edit(tiny_clip.ws, 1.5) - tiny_clip.ws
    assert torch.allclose(change[..., 2], 1.5 * generator.w_std[2].expand(6, 6), atol=1e-5)
    assert (change[..., :2] == 0).all() and (change[..., 3:] == 0).all()
    strengths = torch.linspace(0, 1, 6)
    each = editor.edit(tiny_clip.ws, strengths, rows=2)
    assert torch.equal(each[:, 2:], tiny_clip.ws[:, 2:]) and torch.equal(each[0], tiny_clip.ws[0])
    assert torch.allclose((each - tiny_clip.ws)[:, 0, 2], strengths * generator.w_std[2], atol=1e-5)


def test_a_new_editor_edits_a_video(axis, tmp_path):
    film = video.write(tmp_path / "film.mp4", [np.full((32, 32, 3), 90 + k, np.uint8) for k in range(5)], 25)
    edit = ["edit", str(film), "--editor", "axis", "--attribute", "2=1.5", "-o", str(tmp_path / "edited.mp4")]
    quick = ["-p", "first_steps=1", "-p", "steps=1", "-p", "candidates=0", "--stride", "4", "--paste", "feather"]
    assert cli.main([*edit, *quick, "--generator", "stylegan2-scene-factors", "--device", "cpu"]) == 0
    assert len(video.read(tmp_path / "edited.mp4")[0]) == 5
    _, provenance = records.read(tmp_path / "edited.json")
    assert provenance["title"] == "edited with dynode: axis 2 1.5"


def test_an_unknown_method_is_refused_and_the_known_ones_are_named(tiny_clip):
    generator = generators.load(tiny_clip.meta["generator"])
    assert {"interfacegan", "flow", "ganspace", "latent-transformer", "styleclip", "styleclip-direction"} == set(
        METHODS
    )
    with pytest.raises(UserError, match="There is no method of editing 'axis'; legal are flow, ganspace"):
        editors.load("axis:2", generator)
