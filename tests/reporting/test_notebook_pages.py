"""Executed notebooks as pages."""

import base64
import io
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from dynode.reporting.pages import notebook_html
from dynode.reporting.pages.notebook_pages import markdown_html
from dynode.runtime import ROOT


def picture(grey: int):
    content = io.BytesIO()
    Image.new("L", (2, 2), grey).save(content, "PNG")
    return new_output("display_data", {"image/png": base64.b64encode(content.getvalue()).decode()})


@pytest.mark.parametrize("printed", [[], ["0 of 9"], ["0 of 9", "\n9 of 9", "\n"]])
def test_names_of_pictures_do_not_depend_on_what_was_printed(printed):
    """A run that goes on prints less than one from the beginning, and a busy machine prints in more pieces."""
    streams = [new_output("stream", name="stderr", text=text) for text in printed]
    cells = [
        new_code_cell("fit()", outputs=[*streams, picture(0), picture(1)]),
        new_code_cell("", outputs=[picture(2)]),
    ]
    body, pictures = notebook_html(new_notebook(cells=cells), "fit")
    assert list(pictures) == ["fit_1.png", "fit_2.png", "fit_3.png"]
    assert all(f'src="{name}"' in body for name in pictures) and body.count("<img") == 3
    greys = [Image.open(io.BytesIO(content)).getpixel((0, 0)) for content in pictures.values()]
    assert greys == [0, 1, 2]


def test_what_was_printed_in_pieces_is_one_block():
    streams = [new_output("stream", name="stdout", text=text) for text in ("one\n", "two\n")]
    body, _ = notebook_html(new_notebook(cells=[new_code_cell("f()", outputs=streams)]), "f")
    assert "one\ntwo" in body


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda path: path.stem)
def test_no_formula_shows_a_macro(path):
    cells = nbformat.read(path, as_version=4).cells
    texts = [markdown_html(cell.source) for cell in cells if cell.cell_type == "markdown"]
    formulas = re.findall(r"<math.*?</math>", " ".join(texts), re.S)
    assert [each for each in formulas if "\\" in each] == []


def test_a_norm_of_any_size_is_drawn_by_double_bars():
    assert markdown_html(r"$\big\|x\big\|$").count("&#x02016;") == 2
