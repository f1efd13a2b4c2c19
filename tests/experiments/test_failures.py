"""A notebook that ran out of memory, or that the machine refused a file, is a sentence with what to do, not a defect."""

import pytest
from papermill.exceptions import PapermillExecutionError

from dynode.errors import NotebookError, UserError
from dynode.experiments import failures, items


def failed(kind: str, text: str) -> PapermillExecutionError:
    return PapermillExecutionError(1, 1, "fit()", kind, text, ["Traceback", f"{kind}: {text}"])


SHORTAGES = [
    ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB"),
    ("MemoryError", ""),
    ("RuntimeError", "std::bad_alloc"),
]


@pytest.mark.parametrize("kind, text", SHORTAGES)
def test_too_little_memory_in_a_notebook_is_one_sentence(kind, text, tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    item = items.item("table1")
    with (
        pytest.raises(UserError, match=r"ran out of memory \(.*CUDA_VISIBLE_DEVICES empty; finished fits are kept\.$"),
        failures.explained(item, "smoke", tmp_path / "unfinished.ipynb"),
    ):
        raise failed(kind, text)


def test_any_other_error_stays_a_defect(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    with pytest.raises(NotebookError), failures.explained(items.item("table1"), "smoke", tmp_path / "unfinished.ipynb"):
        raise failed("RuntimeError", "a shape is wrong")


def test_a_file_that_the_machine_refuses_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    explained = failures.explained(items.item("table1"), "smoke", tmp_path / "unfinished.ipynb")
    with pytest.raises(UserError) as sentence, explained:
        raise failed("PermissionError", str(PermissionError(13, "Permission denied", "a.ckpt")))
    assert str(sentence.value) == "A file could not be read or written: Permission denied ('a.ckpt')."
    with pytest.raises(NotebookError), failures.explained(items.item("table1"), "smoke", tmp_path / "unfinished.ipynb"):
        raise failed("FileNotFoundError", str(FileNotFoundError(2, "No such file or directory", "a.ckpt")))
