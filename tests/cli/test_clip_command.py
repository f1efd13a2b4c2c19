"""`dynode clip`: codes of other projectors become a clip, and every command says how."""

import numpy as np
import pytest
import torch
from conftest import tiny_weights

from dynode import generators
from dynode.cli.dispatch import main
from dynode.clips import Clip


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The file of a small generator, whose codes have 6 rows of 12 numbers, in the current folder."""
    monkeypatch.chdir(tmp_path)
    return tiny_weights(tmp_path, "scene")


def codes(frames=5, rows=6, width=12):
    return torch.randn(frames, rows, width, generator=torch.Generator().manual_seed(0))


def refusal(capsys, *arguments):
    """The sentence that a command ends with, exit code 2."""
    assert main(list(arguments)) == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.startswith("dynode: ") and last.endswith(".")
    return last


def test_codes_become_a_clip_that_can_be_fitted(tiny, capsys):
    torch.save(codes()[:, None].requires_grad_(), "pti.pt")
    assert main(["clip", "pti.pt", "--fps", "25", "--generator", tiny, "-o", "talk.safetensors"]) == 0
    assert "5 frames, 0.16 s, codes (6, 12)" in capsys.readouterr().out
    clip = Clip.load("talk.safetensors")
    assert torch.equal(clip.ws, codes()) and clip.ts.tolist() == [k / 25 for k in range(5)]
    assert clip.meta["generator_hash"] == generators.hash_of(tiny) and clip.meta["settings"] == {"start": "foreign"}
    assert (
        clip.meta["codes"] == ["pti.pt"]
        and len(clip.meta["codes_sha256"]) == 64
        and "unknown" in clip.meta["reconstruction"]
    )
    assert main(["fit", "talk.safetensors", "--preset", "linear"]) == 0


def test_one_file_for_each_frame_in_the_order_of_their_numbers(tiny, capsys):
    for k in range(8, 12):
        torch.save(codes()[k - 8][None], f"{k}.pt")
    assert main(["clip", "10.pt", "11.pt", "8.pt", "9.pt", "--times", "0, 0.1,0.3,0.35", "--generator", tiny]) == 0
    clip = Clip.load("10.clip.safetensors")
    assert torch.equal(clip.ws, codes(5)[:4]) and clip.ts.tolist() == [0, 0.1, 0.3, 0.35]


def test_one_vector_of_w_is_shared_by_all_rows_and_said(tiny, capsys):
    np.save("w.npy", codes()[:, 0].numpy())
    assert main(["clip", "w.npy", "--fps", "25", "--generator", tiny]) == 0
    assert "which its 6 rows share" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["codes.npy"], "their frame rate"),
        (["codes.npy", "--fps", "25", "--times", "0,1"], "one of both"),
        (["codes.npy", "--fps", "nan"], "frame rate"),
        (["codes.npy", "--times", "0,1,2"], "5 codes and 3 times"),
        (["codes.npy", "--times", "0,2,1,3,4"], "increase"),
        (["codes.npy", "--times", "noon"], "no times"),
        (["codes.npy", "--fps", "25", "-o", "codes.npy"], "codes.npy"),
        (["single.npy", "--fps", "25"], "a single code"),
        (["nan.npy", "--fps", "25"], "NaN"),
        (["missing.npy", "--fps", "25"], "no file missing.npy"),
        (["official.npy", "--fps", "25"], r"\(5, 18, 512\).*wants \(T, 6, 12\).*1024 pixels.*--generator"),
    ],
)
def test_what_is_no_clip_is_one_sentence(arguments, told, tiny, capsys):
    np.save("codes.npy", codes().numpy())
    np.save("single.npy", codes(1).numpy())
    np.save("nan.npy", codes().numpy() * np.nan)
    np.save("official.npy", codes(5, 18, 512).numpy())
    import re

    assert re.search(told, refusal(capsys, "clip", *arguments, "--generator", tiny))


@pytest.mark.parametrize("command", ["fit", "diagnose", "evaluate", "render", "choose-depth"])
@pytest.mark.parametrize("name", ["codes.npy", "projected_w.npz", "pti.pt", "other.safetensors"])
def test_every_command_says_how_such_codes_become_a_clip(command, name, tiny, capsys):
    from safetensors.torch import save_file

    np.save("codes.npy", codes().numpy())
    np.savez("projected_w.npz", w=codes(1).numpy())
    torch.save(codes().requires_grad_(), "pti.pt")
    save_file({"w": codes()}, "other.safetensors")
    assert f"`dynode clip {name} --fps 25 --generator NAME" in refusal(capsys, command, name)
