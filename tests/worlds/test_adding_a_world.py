"""A world is one file, as CONTRIBUTING.md describes it: commands and training know it without another entry."""

import numpy as np
import pytest
from plugins import example

from dynode import cli
from dynode.errors import UserError
from dynode.io import video
from dynode.training import train_gan
from dynode.worlds import WORLDS, world


def test_a_new_world_draws_an_episode_and_can_be_trained_on(plugin, tmp_path, capsys):
    plugin(WORLDS, example("dynode/worlds/lamp.py"))
    assert list(WORLDS) == ["scene", "bird", "isaac3d", "lamp"]
    arguments = ["world", "episode", "lamp", "pulse", "-o", str(tmp_path / "lamp.mp4"), "--device", "cpu"]
    assert cli.main([*arguments, "--fps", "5", "--seconds", "1", "--resolution", "32"]) == 0
    frames, _ = video.read(tmp_path / "lamp.mp4")
    levels = world("lamp").episode("pulse", 0, 1.0).factors(np.arange(5) / 5)[:, 0]
    assert frames[..., 0].mean((1, 2)) == pytest.approx(255 * levels.numpy(), abs=4)
    settings = train_gan.settings_for(world("lamp"))
    assert settings.generator.z_dim == 2
    train_gan.print_cost(world("lamp"), settings, 600)
    assert "600 pictures of lamp to draw (once), about 1 minutes" in capsys.readouterr().out


def test_a_plugin_is_gone_after_its_test():
    assert list(WORLDS) == ["scene", "bird", "isaac3d"]
    with pytest.raises(UserError, match="There is no world 'lamp'"):
        world("lamp")


def test_a_plugin_that_fails_is_named(plugin):
    plugin(WORLDS, "import nothing_of_that_name")
    with pytest.raises(UserError, match="plugin dynode_plugin_0 .* cannot be imported"):
        world("scene")
