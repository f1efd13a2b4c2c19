"""`dynode editors --method`: how far a system that edits videos is what was published."""

import pytest

from dynode import cli
from dynode.video_editing.registry import load_system, system_class
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, LEFT_OUT, table

PUBLISHED = ("latent-transformer", "igci", "stit", "tcsve", "rigid", "smoothed+latent-transformer")
PUBLISHED += ("dynode+latent-transformer",)  # the paper's own


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_kept_of_a_published_system_is_printed(name, capsys):
    parts = system_class(name).fidelity
    assert {part.state for part in parts} <= {KEPT, CHANGED, LEFT_OUT}
    assert all(part.here for part in parts if part.state != KEPT)
    assert cli.main(["editors", "--method", name]) == 0
    assert capsys.readouterr().out == table(parts) + "\n"
    assert load_system(name).settings["name"] == name


def test_a_system_without_such_parts_follows_no_publication(capsys, monkeypatch):
    monkeypatch.setattr(system_class("latent-transformer"), "fidelity", ())
    assert cli.main(["editors", "--method", "latent-transformer"]) == 0
    assert "follows no other system's publication" in capsys.readouterr().out


def test_an_unknown_system_is_named_with_the_legal_ones(capsys):
    assert cli.main(["editors", "--method", "stitch"]) == 2
    assert "There is no method of editing videos 'stitch'" in capsys.readouterr().err
