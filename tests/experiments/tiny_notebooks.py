"""A notebook of a few lines as an item, for tests of how items are run."""

import nbformat

from dynode.experiments import items

PARAMETERS = """item: str = "tiny"  # the item
profile: str = "smoke"  # the profile
frames: int = 3  # frames
fraction: float = 0.5  # a number
clip_names: list = ["a"]  # clips
loud: bool = False  # loud
"""


def tiny_item(monkeypatch, folder, *cells: str) -> items.Item:
    """An item "tiny" whose notebook has these cells; it is the only one that exists."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (PARAMETERS, *cells)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.ipynb"
    nbformat.write(notebook, path)
    item = items.Item("tiny", "a tiny item", "nothing", str(path), {"smoke": {}}, {})
    monkeypatch.setattr(items, "items", lambda: {"tiny": item})
    return item


def printed(executed) -> str:
    """All that an executed notebook printed."""
    cells = nbformat.read(executed, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))
