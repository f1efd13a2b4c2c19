"""Generators as others publish them: both layouts give the images of the papers' equations, and nothing in a file is run."""

import os
import pickle
import re
from pathlib import Path

import numpy as np
import published_files as files
import pytest
import torch

from dynode import generators
from dynode.cli.dispatch import main
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.generators import published_stylegan2
from dynode.inversion import encoder_files
from dynode.inversion.encoder import Encoder, EncoderSettings
from dynode.training.train_encoder import mixed_codes

LAYOUTS = {"own.pt": files.write_rosinality, "own.pkl": files.write_nvidia}
REFERENCE = os.environ.get("DYNODE_STYLEGAN2_REFERENCE", "")


def codes(count=3, rows=8, width=8):
    return torch.randn(count, rows, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("widths", [(6, 5, 4, 3), (3, 3, 3, 3, 2, 2, 2)], ids=["32 px", "256 px"])
@torch.no_grad()
def test_both_layouts_give_the_images_of_the_equations(name, widths, tmp_path):
    w = files.random_weights(widths)
    generator = generators.load(LAYOUTS[name](tmp_path / name, w))
    z, rows = torch.randn(3, 7), 2 * len(widths)
    assert (generator.resolution, generator.num_ws, generator.z_dim, generator.w_dim) == (
        2 ** (rows // 2 + 1),
        rows,
        7,
        8,
    )
    assert torch.allclose(generator.mapping(z), files.mapped(w, z)[:, None].expand(-1, rows, -1), atol=1e-5)
    halfway = (files.mapped(w, z) + w["average"]) / 2
    assert torch.allclose(generator.mapping(z, 0.5)[:, 0], halfway, atol=1e-5)
    ws = codes(3, rows)
    assert (generator.synthesis(ws) - files.image(w, ws)).abs().max() < 1e-4
    assert files.image(w, ws).std() > 0.1 and not torch.allclose(
        files.image(w, ws), files.image(w, ws.flip(1)), atol=0.1
    )


@torch.no_grad()
def test_both_layouts_of_the_same_weights_agree_and_spread_as_their_codes_do(tmp_path):
    w = files.random_weights()
    one, other = (generators.load(write(tmp_path / name, w)) for name, write in LAYOUTS.items())
    ws = codes()
    assert torch.equal(one.synthesis(ws), other.synthesis(ws)) and one.hash != other.hash
    assert torch.equal(one.w_avg, w["average"])
    spread = files.mapped(w, torch.randn(20_000, 7)).std(0)
    assert torch.allclose(one.w_std, spread, rtol=0.05)
    style = one.to_style(ws)
    assert torch.allclose(one.synthesis_from_style(style), one.synthesis(ws), atol=1e-5)


@torch.no_grad()
def test_a_published_clamp_of_activations_is_kept(tmp_path):
    w, ws = files.random_weights(), codes()
    generator = generators.load(files.write_nvidia(tmp_path / "clamped.pkl", w, clamp=0.8))
    assert (generator.synthesis(ws) - files.image(w, ws, clamp=0.8)).abs().max() < 1e-4
    assert (files.image(w, ws, clamp=0.8) - files.image(w, ws)).abs().max() > 0.1


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_generator_of_1024_pixels_has_18_rows(name, tmp_path):
    path = LAYOUTS[name](tmp_path / name, files.random_weights((2,) * 9, w_dim=16))
    assert generators.registry.code_shape_of(path) == (18, 16) and generators.resolution_of(path) == 1024
    picture = generators.render(generators.load(path), torch.zeros(1, 18, 16), resolution=64)
    assert picture.shape == (1, 3, 64, 64) and picture.isfinite().all()


def test_gradients_reach_the_codes_through_every_row(tmp_path):
    generator = generators.load(files.write_rosinality(tmp_path / "own.pt", files.random_weights()))
    ws = codes().requires_grad_()
    generator.synthesis(ws).square().sum().backward()
    assert (ws.grad.abs().sum((0, 2)) > 0).all()


def test_a_checkpoint_of_a_training_and_one_without_noise_or_mean_are_read(tmp_path):
    import argparse

    w = files.random_weights()
    held = files.rosinality(w)
    torch.save({**held, "g": held["g_ema"], "args": argparse.Namespace(size=32)}, tmp_path / "whole.pt")
    whole = generators.load(str(tmp_path / "whole.pt"))
    bare = {name: value for name, value in held["g_ema"].items() if not name.startswith("noises")}
    torch.save(bare, tmp_path / "bare.pt")
    one, again = (generators.load(str(tmp_path / "bare.pt")) for _ in range(2))
    assert torch.equal(whole.layers[2].noise[0, 0], w["layers"][2]["noise"])
    assert torch.equal(one.layers[2].noise, again.layers[2].noise) and not torch.equal(
        one.layers[2].noise, whole.layers[2].noise
    )
    assert torch.allclose(one.w_avg, files.mapped(w, torch.randn(20_000, 7)).mean(0), atol=0.1)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_source_in_a_pickle_is_never_run(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planted = "open('left_by_the_pickle', 'w').write('run')\nclass Generator: pass\n"
    generator = generators.load(
        files.write_nvidia(tmp_path / "own.pkl", files.random_weights(), protocol, source=planted)
    )
    assert generator.num_ws == 8 and not Path("left_by_the_pickle").exists()


class Calls:
    """A pickle of it calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function, arguments, named",
    [
        (os.system, ("touch left",), f"{os.system.__module__}.system"),
        (open, ("left", "w"), "io.open"),
        (eval, ("open('left', 'w')",), "builtins.eval"),
        (getattr, (os, "system"), "builtins.getattr"),
        (torch.load, ("left",), "torch.serialization.load"),
        (np.dtype, ("O",), "numpy.dtype('O')"),
        (np.ndarray, ((2,),), "numpy.ndarray"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_any_other_name_in_a_pickle_is_refused_in_one_sentence(
    function, arguments, named, inside, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    arguments = tuple(each for each in arguments if each is not os)
    call = Calls(function, *arguments)
    if inside:
        files.write_nvidia(tmp_path / "bad.pkl", files.random_weights(), planted=call)
    else:
        (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"G_ema": call}))
    assert main(["clip", "codes.npy", "--fps", "25", "--generator", "bad.pkl"]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"bad.pkl wants to run {named}, which is not on the short list" in last and last.endswith("publish it.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.pkl"]


def test_functions_of_the_list_cannot_be_changed_by_a_pickle(tmp_path):
    state = (None, {"function": 1})
    text = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n" + pickle.dumps(state, 0)[:-1] + b"b."
    (tmp_path / "bad.pkl").write_bytes(text)
    with pytest.raises(UserError, match="no pickle of networks"):
        generators.load(str(tmp_path / "bad.pkl"))


def broken(kind, folder):
    """A file that is no generator, of some kind."""
    w, path = files.random_weights(), folder / ("bad.pt" if kind.startswith("pt") else "bad.pkl")
    held = files.rosinality(w)
    if kind == "pt program":
        torch.save({"g_ema": Calls(os.system, "touch left")}, path)
    elif kind == "pt codes":
        torch.save(codes(), path)
    elif kind == "pt other weights":
        torch.save({"state_dict": {"conv.weight": torch.zeros(3)}}, path)
    elif kind == "pt one missing":
        del held["g_ema"]["convs.2.conv.modulation.bias"]
        torch.save(held, path)
    elif kind == "pt one more":
        torch.save({"g_ema": held["g_ema"] | {"attention.weight": torch.zeros(3)}}, path)
    elif kind == "pt other shape":
        torch.save({"g_ema": held["g_ema"] | {"convs.2.activate.bias": torch.zeros(99)}}, path)
    elif kind == "pt other filter":
        torch.save({"g_ema": held["g_ema"] | {"convs.0.conv.blur.kernel": torch.ones(4, 4)}}, path)
    elif kind == "pkl classes":
        files.write_nvidia(path, w, c_dim=10)
    elif kind == "pkl residual":
        files.write_nvidia(path, w, architecture="resnet")
    elif kind == "pkl nothing known":
        path.write_bytes(pickle.dumps({"G_ema": 1}))
    elif kind == "pkl tensorflow":
        path.write_bytes(b"\x80\x04cdnnlib.tflib.network\nNetwork\n.")
    elif kind.endswith("cut off"):
        write = files.write_rosinality if kind.startswith("pt") else files.write_nvidia
        path.write_bytes(Path(write(path, w)).read_bytes()[:-500])
    return path


SAID = {
    "pt program": "wants to run .*system",
    "pt codes": "no weights by name",
    "pt other weights": "no StyleGAN2",
    "pt one missing": "no StyleGAN2 of a known layout .layers.3.conv.style.bias and 0 more",
    "pt one more": "attention.weight and 0 more",
    "pt other shape": "layers.3.bias and 0 more",
    "pt other filter": "another filter",
    "pt cut off": "cannot be read, or is cut off",
    "pkl classes": "classes",
    "pkl residual": "architecture resnet",
    "pkl nothing known": "no pickle of networks",
    "pkl tensorflow": "TensorFlow.*legacy.py",
    "pkl cut off": "no pickle of networks, or is cut off",
}


@pytest.mark.parametrize("kind", SAID)
def test_what_is_no_generator_is_one_sentence(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = broken(kind, tmp_path)
    with pytest.raises(UserError, match=SAID[kind]) as error:
        generators.load(str(path))
    assert "\n" not in str(error.value) and str(error.value).endswith(".") and not Path("left").exists()


@pytest.mark.parametrize(
    "name, trained_on, shows",
    [
        ("ffhq.pkl", "", "face"),
        ("550000.pkl", "", "face"),
        ("cub.pkl", "", "pictures"),
        ("stylegan2-church-config-f.pkl", "", "pictures"),
        ("network-snapshot.pkl", "/data/afhq/cat.zip", "pictures"),
        ("carphone.pkl", "/data/people", "face"),
    ],
)
def test_what_a_generator_shows_is_read_off_its_name(name, trained_on, shows, tmp_path, monkeypatch):
    monkeypatch.setattr(published_stylegan2, "description", lambda path: (None, trained_on))
    assert published_stylegan2.category(tmp_path / name) == shows


@pytest.mark.parametrize("name", LAYOUTS)
def test_codes_of_18_rows_become_a_clip_that_is_fitted_and_rendered(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    LAYOUTS[name](tmp_path / name, files.random_weights((2,) * 9, w_dim=16))
    torch.save(codes(11, 18, 16)[:, None], "all_latents.pth")  # as the authors' eleven codes are stored
    assert main(["clip", "all_latents.pth", "--fps", "25", "--generator", name, "-o", "eleven.safetensors"]) == 0
    clip = Clip.load("eleven.safetensors")
    assert clip.ws.shape == (11, 18, 16) and clip.meta["generator_hash"] == generators.hash_of(name)
    assert main(["fit", "eleven.safetensors", "--preset", "linear", "--stride", "2"]) == 0
    assert main(["render", "eleven.linear.fit", "--fps", "10", "-o", "eleven.mp4"]) == 0
    assert re.search(r"eleven.mp4: \d+ frames", capsys.readouterr().out)


def test_an_encoder_learns_from_the_generators_own_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files.write_rosinality(tmp_path / "own.pt", files.random_weights((2,) * 5))
    arguments = ["-p", "pictures=8", "-p", "batch=4", "-p", "encoder.passes=2", "--device", "cpu"]
    assert main(["train", "encoder", "own.pt", "-o", "encoder.safetensors", *arguments]) == 0
    assert "8 pictures shown" in capsys.readouterr().out
    generator = generators.load("own.pt")
    encoder, card = encoder_files.load("encoder.safetensors", generator), encoder_files.card("encoder.safetensors")
    assert card["generator"] == {"name": "own.pt", "hash": generator.hash} and card["quality"]["mse_after_2"] > 0
    ws = mixed_codes(generator, 3, torch.Generator().manual_seed(0))
    assert encoder(generator.synthesis(ws)).shape == ws.shape == (3, generator.num_ws, 8)
    assert len(ws.unique(dim=1)[0]) > 1, "rows of two styles"


@torch.no_grad()
def test_encoders_of_large_images_have_few_channels_where_these_are_large(tmp_path):
    generator = generators.load(files.write_rosinality(tmp_path / "own.pt", files.random_weights((2,) * 9, w_dim=16)))
    encoder = Encoder(EncoderSettings(channel_max=16, hidden=8, passes=1), generator)
    assert encoder.stem.out_channels == 8 and encoder(torch.zeros(1, 3, 1024, 1024)).shape == (1, 18, 16)


@pytest.mark.skipif(not REFERENCE, reason="DYNODE_STYLEGAN2_REFERENCE names no folder of reference checkpoints")
@pytest.mark.parametrize("name", ["rosinality_64.pt", "nvidia_ada_64.pkl"])
@torch.no_grad()
def test_images_of_the_reference_implementations(name):
    """Checkpoints beside which `*_expected.npz` holds what the published programs make of the same codes."""
    path = Path(REFERENCE) / name
    generator, wanted = generators.load(str(path)), np.load(path.with_name(f"{path.stem}_expected.npz"))
    wanted = {key: torch.from_numpy(value) for key, value in wanted.items()}
    mixed = wanted["ws_mixed"] if "ws_mixed" in wanted else wanted["ws"]
    ws = generator.mapping(wanted["z"])
    assert torch.allclose(ws[:, 0], wanted["w"] if "w" in wanted else wanted["ws"][:, 0], atol=1e-4)
    assert (generator.synthesis(ws) - wanted["image"]).abs().max() < 1e-4
    assert (generator.synthesis(mixed) - wanted["image_mixed"]).abs().max() < 1e-4
    if "ws_psi_05" in wanted:
        assert torch.allclose(generator.mapping(wanted["z"], 0.5), wanted["ws_psi_05"], atol=1e-4)
