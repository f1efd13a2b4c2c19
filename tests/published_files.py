"""Small StyleGAN2 checkpoints in the layouts that others publish, and a slow forward pass of their own, by the papers' equations."""

import contextlib
import math
import pickle
import sys
import types

import numpy as np
import torch
import torch.nn.functional as F

KERNEL = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def random_weights(widths=(6, 5, 4, 3), z_dim=7, w_dim=8, depth=3):
    """Tensors of a generator of 4 * 2^(len(widths) - 1) pixels, under names of neither layout."""
    torch.manual_seed(0)
    w = {"z": [], "average": torch.randn(w_dim), "constant": torch.randn(widths[0], 4, 4), "layers": [], "rgb": []}
    for inputs in [z_dim] + [w_dim] * (depth - 1):
        w["z"].append((100 * torch.randn(w_dim, inputs), 10 * torch.randn(w_dim)))
    for level, width in enumerate(widths):
        before = widths[max(level - 1, 0)]
        for inputs, up in [(before, True), (width, False)][level == 0 :]:
            w["layers"].append(
                layer(inputs, width, 3, w_dim) | {"up": up, "noise": torch.randn(4 * 2**level, 4 * 2**level)}
            )
        w["rgb"].append(layer(width, 3, 1, w_dim))
    return w


def layer(inputs, outputs, kernel, w_dim):
    return {
        "weight": torch.randn(outputs, inputs, kernel, kernel),
        "style": torch.randn(inputs, w_dim),
        "style_bias": 1 + 0.2 * torch.randn(inputs),
        "strength": torch.randn(()),
        "bias": torch.randn(outputs),
    }


def mapped(w, z):
    """z (B, Z) -> w (B, D)."""
    z = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for weight, bias in w["z"]:
        z = math.sqrt(2) * F.leaky_relu(z @ (0.01 * weight / math.sqrt(weight.shape[1])).T + 0.01 * bias, 0.2)
    return z


def upfirdn(x, padding):
    """Zeros between the pixels, zeros around, then the filter, four times as strong."""
    batch, channels, size, _ = x.shape
    spread = torch.zeros(batch, channels, 2 * size, 2 * size)
    spread[:, :, ::2, ::2] = x
    return F.conv2d(F.pad(spread, padding), 4 * KERNEL.expand(channels, 1, 4, 4), groups=channels)


def convolved(one, x, code, demodulated=True):
    """Every sample by a weight of its own, as the paper's equations 1 and 3 have it."""
    style = code @ one["style"].T / math.sqrt(code.shape[1]) + one["style_bias"]
    weight = one["weight"] / math.sqrt(one["weight"][0].numel())
    images = []
    for k in range(len(x)):
        own = weight * style[k][None, :, None, None]
        if demodulated:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        each = x[k : k + 1]
        if one.get("up"):
            each = F.conv_transpose2d(each, own.transpose(0, 1), stride=2)
            each = F.conv2d(F.pad(each, (1, 1, 1, 1)), 4 * KERNEL.expand(len(own), 1, 4, 4), groups=len(own))
        else:
            each = F.conv2d(each, own, padding=own.shape[-1] // 2)
        images.append(each)
    return torch.cat(images)


def image(w, ws, clamp=math.inf):
    """Codes ws (B, L, D) -> images (B, 3, R, R)."""
    x, picture = w["constant"].expand(len(ws), -1, -1, -1), None
    for k, one in enumerate(w["layers"]):
        x = convolved(one, x, ws[:, k]) + one["strength"] * one["noise"] + one["bias"][:, None, None]
        x = (math.sqrt(2) * F.leaky_relu(x, 0.2)).clamp(-clamp, clamp)
        if k % 2 == 0:
            rgb = w["rgb"][k // 2]
            colours = convolved(rgb, x, ws[:, k + 1], demodulated=False) + rgb["bias"][:, None, None]
            colours = colours.clamp(-clamp, clamp)
            picture = colours if picture is None else upfirdn(picture, (2, 1, 2, 1)) + colours
    return picture


def rosinality(w):
    """The dictionary of rosinality's stylegan2-pytorch."""
    state = {"input.input": w["constant"][None]}
    for k, (weight, bias) in enumerate(w["z"]):
        state |= {f"style.{k + 1}.weight": weight, f"style.{k + 1}.bias": bias}
    for k, one in enumerate(w["layers"]):
        name = f"convs.{k - 1}" if k else "conv1"
        state |= convolution(name, one) | {
            f"{name}.noise.weight": one["strength"][None],
            f"{name}.activate.bias": one["bias"],
        }
        state |= {f"noises.noise_{k}": one["noise"][None, None]}
        state |= {f"{name}.conv.blur.kernel": 4 * KERNEL} if one["up"] else {}
    for k, one in enumerate(w["rgb"]):
        name = f"to_rgbs.{k - 1}" if k else "to_rgb1"
        state |= convolution(name, one) | {f"{name}.bias": one["bias"].view(1, 3, 1, 1)}
        state |= {f"{name}.upsample.kernel": 4 * KERNEL} if k else {}
    return {"g_ema": state, "latent_avg": w["average"]}


def convolution(name, one):
    return {
        f"{name}.conv.weight": one["weight"][None],
        f"{name}.conv.modulation.weight": one["style"],
        f"{name}.conv.modulation.bias": one["style_bias"],
    }


def nvidia(w, source="", clamp=None, **more):
    """The attributes of NVIDIA's generator as its pickles hold them, and beside it what it was trained on."""
    size = 4 * 2 ** (len(w["rgb"]) - 1)
    blocks = {}
    for level, rgb in enumerate(w["rgb"]):
        first = max(0, 2 * level - 1)
        layers = w["layers"][first : 2 * level + 1]
        names = ["conv1"] if level == 0 else ["conv0", "conv1"]
        parts = {name: nvidia_layer(one, clamp) for name, one in zip(names, layers, strict=True)}
        parts["torgb"] = part("ToRGBLayer", {"weight": rgb["weight"], "bias": rgb["bias"]}, affine=affine(rgb))
        const = {"const": w["constant"]} if level == 0 else {}
        blocks[f"b{4 * 2**level}"] = part("SynthesisBlock", const, {"resample_filter": KERNEL}, more, **parts)
    dense = {f"fc{k}": linear(weight, bias) for k, (weight, bias) in enumerate(w["z"])}
    mapping = part("MappingNetwork", {}, {"w_avg": w["average"]}, **dense)
    synthesis = part("SynthesisNetwork", {}, **blocks)
    network = part("Generator", {}, {}, {"c_dim": 0, **more}, source=source, mapping=mapping, synthesis=synthesis)
    trained_on = EasyDict(class_name="training.dataset.ImageFolderDataset", path="/data/ffhq.zip", resolution=size)
    return {"G": None, "D": None, "G_ema": network, "training_set_kwargs": trained_on, "augment_pipe": None}


def nvidia_layer(one, clamp):
    own = {"weight": one["weight"], "bias": one["bias"], "noise_strength": one["strength"]}
    buffers = {"resample_filter": KERNEL, "noise_const": one["noise"]}
    more = {"conv_clamp": clamp, "act_gain": np.float64(2**0.5), "use_noise": True}
    return part("SynthesisLayer", own, buffers, more, affine=affine(one))


def affine(one):
    return part("FullyConnectedLayer", {"weight": one["style"], "bias": one["style_bias"]})


def linear(weight, bias):
    more = {"weight_gain": np.float64(0.01 / math.sqrt(weight.shape[1])), "bias_gain": 0.01}
    return part("FullyConnectedLayer", {"weight": weight, "bias": bias}, {}, more)


class EasyDict(dict):
    """NVIDIA's dictionary."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Pickled:
    """A network as NVIDIA's persistence pickles it: its source, its class's name and its attributes."""

    def __init__(self, meta):
        self.meta = meta

    def __reduce__(self):
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,), None, None, None


def part(class_name, parameters, buffers=None, more=None, source="", **modules):
    state = {"training": False, "_parameters": {k: torch.nn.Parameter(v) for k, v in parameters.items()}}
    state |= {"_buffers": buffers or {}, "_non_persistent_buffers_set": set(), "_modules": modules, **(more or {})}
    return Pickled(
        {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": EasyDict(state)}
    )


@contextlib.contextmanager
def modules_of_nvidia():
    """The modules whose names the pickles hold, for as long as one is written."""

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("nothing of a pickle is run")

    made = {
        name: types.ModuleType(name) for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    }
    for thing, module in ((_reconstruct_persistent_obj, "torch_utils.persistence"), (EasyDict, "dnnlib.util")):
        before = thing.__module__
        thing.__module__, thing.__qualname__ = module, thing.__name__
        setattr(made[module], thing.__name__, thing)
    sys.modules.update(made)
    try:
        yield
    finally:
        EasyDict.__module__ = before
        for name in made:
            del sys.modules[name]


def write_nvidia(path, w, protocol=4, **more):
    with modules_of_nvidia():
        path.write_bytes(pickle.dumps(nvidia(w, **more), protocol))
    return str(path)


def write_rosinality(path, w):
    torch.save(rosinality(w), path)
    return str(path)
