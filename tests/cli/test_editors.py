"""`dynode editors`: what can be edited, how far, and in which unit."""

import pytest
import torch

from dynode import cli, generators
from dynode.editing import editors
from dynode.editing.editor_files import FORMATS
from dynode.editing.editors import METHODS
from dynode.editing.listing import listed_editors
from dynode.editing.strength_ranges import SHIPPED, UNITS
from dynode.errors import UserError

GENERATORS = {"face": "mobilestylegan-ffhq", "scene": "stylegan2-scene-factors", "isaac3d": "stylegan2-isaac3d-factors"}


@pytest.mark.parametrize("category", SHIPPED)
def test_all_that_ships_is_listed_with_its_range_and_nothing_else(category):
    listed = {f"{each.method}:{each.attribute}": each.strengths for each in listed_editors(GENERATORS[category])}
    assert listed == SHIPPED[category]


def test_every_method_has_a_unit():
    assert set(UNITS) == {*FORMATS, "ganspace"} <= set(METHODS)


def test_what_is_listed_can_be_loaded():
    generator = generators.load("stylegan2-scene-factors")
    ws = generator.w_avg.expand(1, generator.num_ws, -1)
    for each in listed_editors("stylegan2-scene-factors"):
        edited = editors.load(f"{each.method}:{each.attribute}", generator).edit(ws, each.strengths.default)
        assert not torch.equal(edited, ws)


def test_the_command_prints_a_table(capsys):
    assert cli.main(["editors"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| generator | --editor | --attribute | recommended | valid | unit of strength |"
    assert "| mobilestylegan-ffhq | latent-transformer | smile | 1.5 | -1 to 2 | 1: to the opposite class |" in lines
    assert {line.split(" | ")[0][2:] for line in lines[2:-1]} == {*GENERATORS.values()}
    assert cli.main(["editors", "--generator", "stylegan2-bird-factors"]) == 2
    assert "No editor ships for stylegan2-bird-factors" in capsys.readouterr().err


def test_an_unknown_attribute_names_those_of_its_own_category_and_the_command():
    generator = generators.load("stylegan2-scene-factors")
    with pytest.raises(UserError, match="did you mean 'fog'; legal are fog, hour, .*`dynode editors`") as mistake:
        editors.load("flow:fgo", generator)
    assert "isaac3d" not in str(mistake.value)
    with pytest.raises(UserError, match="none ships for scene: `dynode editors`"):
        editors.load("latent-transformer:smile", generator)
