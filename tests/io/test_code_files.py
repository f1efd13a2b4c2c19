"""Codes in files of other programs: every known layout is read, nothing is executed, everything else is one sentence."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dynode.errors import UserError
from dynode.io.code_files import natural, read_codes, read_times

CODES = torch.randn(12, 6, 4, generator=torch.Generator().manual_seed(0))
EACH = {f"frame{k}.png": CODES[k] for k in reversed(range(12))}
LAYOUTS = {
    "leaf": CODES.clone().requires_grad_(),
    "parameter": torch.nn.Parameter(CODES.clone()),
    "double": CODES.double(),
    "list": list(CODES),
    "dictionary": {"latents": CODES, "noise": torch.zeros(3)},
    "only one": {"anything": CODES, "step": 3},
    "by image": EACH,
    "rosinality": {
        name: {"img": torch.zeros(2), "latent": code, "noise": [torch.zeros(1)]} for name, code in EACH.items()
    },
}


class Touch:
    """A pickle of it runs a program."""

    def __reduce__(self):
        return open, ("touched", "w")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_torch_files(layout, tmp_path):
    torch.save(LAYOUTS[layout], tmp_path / "codes.pt")
    back = read_codes(tmp_path / "codes.pt")
    assert torch.equal(back.float(), CODES) and not back.requires_grad


def test_arrays_in_any_byte_order_and_safetensors(tmp_path):
    np.save(tmp_path / "codes.npy", CODES.numpy().astype(">f4"))
    np.savez(tmp_path / "codes.npz", w=CODES.numpy(), other=np.zeros(3))
    save_file({"w": CODES}, tmp_path / "codes.safetensors")
    for suffix in (".npy", ".npz", ".safetensors"):
        assert torch.equal(read_codes(tmp_path / f"codes{suffix}"), CODES)


def test_pickles_are_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("dictionary.npy", np.array({"a": CODES.numpy()}, dtype=object), allow_pickle=True)
    torch.save({"w": Touch()}, "program.pt")
    torch.save({"w": CODES.numpy()}, "arrays.pt")
    for name in ("pickle.pt", "pickle.npy"):
        (tmp_path / name).write_bytes(pickle.dumps(Touch()))
    for name in ("dictionary.npy", "program.pt", "arrays.pt", "pickle.pt", "pickle.npy"):
        with pytest.raises(UserError, match="is not run.*np.save"):
            read_codes(name)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".pth", ".safetensors"])
def test_damaged_files_are_one_sentence(suffix, tmp_path):
    whole = tmp_path / f"whole{suffix}"
    save = {".npy": np.save, ".npz": lambda path, x: np.savez(path, w=x)}
    if suffix in save:
        save[suffix](whole, CODES.numpy())
    elif suffix == ".safetensors":
        save_file({"w": CODES}, whole)
    else:
        torch.save(CODES, whole)
    for content in (b"", b"text", whole.read_bytes()[:200], bytes(300)):
        (tmp_path / f"cut{suffix}").write_bytes(content)
        with pytest.raises(UserError, match="is no .* file that can be read, or is cut off"):
            read_codes(tmp_path / f"cut{suffix}")


@pytest.mark.parametrize(
    "held, told",
    [
        ({"a": CODES, "b": CODES[0, 0]}, "holds a, b"),
        ({}, "holds nothing"),
        ("text", "real numbers"),
        ({"lr": 0.1}, "lr"),
    ],
)
def test_what_holds_no_codes_is_one_sentence(held, told, tmp_path):
    torch.save(held, tmp_path / "codes.pt")
    with pytest.raises(UserError, match=told):
        read_codes(tmp_path / "codes.pt")


def test_names_of_other_kinds_and_folders(tmp_path):
    (tmp_path / "codes.csv").write_text("1")
    for path, told in (
        (tmp_path / "codes.csv", "no file of codes"),
        (tmp_path, "a folder"),
        (tmp_path / "x.pt", "no file"),
    ):
        with pytest.raises(UserError, match=told):
            read_codes(path)


def test_times_come_from_files_and_texts(tmp_path):
    (tmp_path / "times.txt").write_text("\ufeff0.0\r\n0.1\r\n0.25\r\n", encoding="utf-8")
    np.save(tmp_path / "times.npy", [0.0, 0.1, 0.25])
    for text in (tmp_path / "times.txt", tmp_path / "times.npy", "0, 0.1;0.25"):
        assert read_times(str(text)).tolist() == [0.0, 0.1, 0.25]
    with pytest.raises(UserError, match="no times"):
        read_times("soon")


def test_names_are_sorted_by_their_numbers():
    assert sorted(["b10/1", "b9/0", "b10/0", "a"], key=natural) == ["a", "b9/0", "b10/0", "b10/1"]
