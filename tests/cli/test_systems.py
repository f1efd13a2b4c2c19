"""`dynode systems`: the systems that edit videos, and how far they are what was published."""

import pytest

from dynode import cli
from dynode.video_editing.registry import SYSTEMS, load_system, system_class
from dynode.video_editing.systems.fidelity import CHANGED, KEPT, LEFT_OUT, table

PUBLISHED = ("latent-transformer", "igci", "stit", "tcsve", "rigid")


def test_all_systems_are_listed(capsys):
    assert cli.main(["systems"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(" | ")[0][2:] for line in lines[2:]} == {*SYSTEMS.load()}
    assert all(len(line.split(" | ")[1]) > 10 for line in lines[2:])


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_kept_of_a_published_system_is_printed(name, capsys):
    parts = system_class(name).fidelity
    assert {part.state for part in parts} <= {KEPT, CHANGED, LEFT_OUT}
    assert all(part.here for part in parts if part.state != KEPT)
    assert cli.main(["systems", name]) == 0
    assert capsys.readouterr().out == table(parts) + "\n"
    assert load_system(name).settings["name"] == name


def test_our_own_method_follows_no_publication(capsys):
    assert cli.main(["systems", "dynode+latent-transformer"]) == 0
    assert "follows no other system's publication" in capsys.readouterr().out


def test_an_unknown_system_is_named_with_the_legal_ones(capsys):
    assert cli.main(["systems", "stitch"]) == 2
    assert "There is no method of editing videos 'stitch'" in capsys.readouterr().err
