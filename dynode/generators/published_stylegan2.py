"""StyleGAN2 in the two layouts that generators are published in: rosinality's .pt and NVIDIA's .pkl.

The weights get the names of `StyleGAN2`, whose images they then make.  Two things of the published networks differ from those
trained here: the image of the blocks before is upsampled with zeros beyond its edges, and some clamp their activations.
Computed in float32 throughout, where NVIDIA's code may use float16 at high resolutions.
"""

import argparse
import math
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F

from dynode.errors import UserError
from dynode.generators.stylegan2 import StyledLayer, StyleGAN2, StyleGAN2Settings, ToRGB
from dynode.io.inputs import require_file
from dynode.io.pickled_networks import PickledNetwork, read_networks

SUFFIXES = (".pkl", ".pt", ".pth")
WANTED = "a StyleGAN2 as rosinality (.pt) or NVIDIA (.pkl, in PyTorch) publish it"
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0])
NOT_FACES = (
    "afhq", "bedroom", "bird", "brecahd", "car", "cars", "cat", "cats", "church", "cifar10", "cub", "dog", "dogs", "horse",
    "isaac3d", "landscape", "landscapes", "lhq", "places", "places365", "scene", "scenes", "wild",
)  # fmt: skip

Key = str | re.Pattern[str]


@dataclass(frozen=True)
class PublishedSettings(StyleGAN2Settings):
    """The shape of a published generator.  widths: channels at 4, 8, ... pixels.  clamp: of activations, 0 for none."""

    widths: tuple[int, ...] = ()
    clamp: float = 0.0

    def channels(self, resolution: int) -> int:
        return self.widths[int(math.log2(resolution)) - 2]


class PublishedLayer(StyledLayer):
    """A layer whose activations are clamped."""

    clamp = 0.0

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return clamped(super().forward(x, style), self.clamp)


class PublishedToRGB(ToRGB):
    """Features -> RGB, added to the image of the blocks before, which is upsampled with zeros beyond its edges."""

    clamp = 0.0

    def forward(self, x: torch.Tensor, style: torch.Tensor, image: torch.Tensor | None) -> torch.Tensor:
        colours = clamped(super().forward(x, style, None), self.clamp)
        return colours if image is None else colours + upsampled(image)


def clamped(x: torch.Tensor, bound: float) -> torch.Tensor:
    return x.clamp(-bound, bound) if bound else x


def upsampled(image: torch.Tensor) -> torch.Tensor:
    """An image (B, 3, R, R) at twice its size, by the filter [1, 3, 3, 1], zero beyond its edges."""
    ramp = (FILTER / 4).to(image)
    kernel = torch.outer(ramp, ramp).expand(image.shape[1], 1, 4, 4)
    return F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=image.shape[1])


class PublishedStyleGAN2(StyleGAN2):
    """The generator of a published file."""

    layer_type, to_rgb_type = PublishedLayer, PublishedToRGB

    def __init__(self, settings: PublishedSettings):
        super().__init__(settings)
        for each in (*self.layers, *self.to_rgb):
            cast(PublishedLayer, each).clamp = settings.clamp


def part_of_layer(layer: Callable[[re.Match], str], ours: Mapping[str, str]) -> Callable[[re.Match], str]:
    """The name here of a part of a layer.  ours: names by those of the file, which end the match."""
    return lambda match: f"{layer(match)}.{ours[match['part']]}"


def numbered(name: str, offset: int = 0) -> Callable[[re.Match], str]:
    return lambda match: f"{name}.{int(match['k']) + offset}"


def of_block(match: re.Match) -> str:
    """NVIDIA's layers, counted: conv1 of b4 is the first, conv0 and conv1 of b8 the two after it."""
    level = int(math.log2(int(match["size"]))) - 2
    return f"layers.{2 * level - 1 + int(match['k'])}"


def rgb_of_block(match: re.Match) -> str:
    return f"to_rgb.{int(math.log2(int(match['size']))) - 2}"


DENSE = {"weight": "weight", "bias": "bias"}
ROSINALITY = {"conv.weight": "conv.weight", "conv.modulation.weight": "conv.style.weight"}
ROSINALITY |= {"conv.modulation.bias": "conv.style.bias", "noise.weight": "strength", "activate.bias": "bias"}
ROSINALITY_RGB = {name: ours for name, ours in ROSINALITY.items() if name.startswith("conv.")} | {"bias": "bias"}
NVIDIA = {"weight": "conv.weight", "affine.weight": "conv.style.weight", "affine.bias": "conv.style.bias"}
NVIDIA |= {"bias": "bias", "noise_strength": "strength", "noise_const": "noise"}
FILTERS = re.compile(r".*\.(resample_filter|kernel)|resample_filter")


def names(pattern: str, table: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile(f"{pattern}\\.(?P<part>{'|'.join(map(re.escape, table))})")


RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match], str]], ...] = (
    (names(r"style\.(?P<k>\d+)", DENSE), part_of_layer(numbered("mapping_network.layers", -1), DENSE)),
    (re.compile(r"input\.input"), lambda _: "constant"),
    (names(r"conv1", ROSINALITY), part_of_layer(lambda _: "layers.0", ROSINALITY)),
    (names(r"convs\.(?P<k>\d+)", ROSINALITY), part_of_layer(numbered("layers", 1), ROSINALITY)),
    (names(r"to_rgb1", ROSINALITY_RGB), part_of_layer(lambda _: "to_rgb.0", ROSINALITY_RGB)),
    (names(r"to_rgbs\.(?P<k>\d+)", ROSINALITY_RGB), part_of_layer(numbered("to_rgb", 1), ROSINALITY_RGB)),
    (re.compile(r"noises\.noise_(?P<k>\d+)"), lambda match: f"layers.{match['k']}.noise"),
    (re.compile(r"latent_avg|mapping\.w_avg"), lambda _: "w_avg"),
    (names(r"mapping\.fc(?P<k>\d+)", DENSE), part_of_layer(numbered("mapping_network.layers"), DENSE)),
    (re.compile(r"synthesis\.b4\.const"), lambda _: "constant"),
    (names(r"synthesis\.b(?P<size>\d+)\.conv(?P<k>[01])", NVIDIA), part_of_layer(of_block, NVIDIA)),
    (names(r"synthesis\.b(?P<size>\d+)\.torgb", NVIDIA), part_of_layer(rgb_of_block, NVIDIA)),
)


def renamed(name: str) -> str:
    """The name here of a tensor of a published file, "" for one that is none of a StyleGAN2's."""
    for pattern, ours in RULES:
        if match := pattern.fullmatch(name):
            return ours(match)
    return ""


@dataclass(frozen=True)
class Published:
    """What a file holds: tensors by their names here, those that no StyleGAN2 has, and what else its networks depend on."""

    tensors: dict[str, torch.Tensor]
    unknown: tuple[str, ...]
    mapping_lr: float = 0.01
    clamp: float = 0.0
    pictures: str = ""

    def settings(self) -> PublishedSettings:
        """The shape of the generator.  Raises LookupError where tensors are missing."""
        held, count = (
            self.tensors,
            sum(re.fullmatch(r"layers\.\d+\.conv\.weight", name) is not None for name in self.tensors),
        )
        widths = [held["constant"].shape[-3]]
        widths += [held[f"layers.{k}.conv.weight"].shape[-4] for k in range(1, count, 2)]
        dense = [held[name] for name in held if re.fullmatch(r"mapping_network\.layers\.\d+\.weight", name)]
        return PublishedSettings(
            resolution=2 ** (count // 2 + 2),
            z_dim=held["mapping_network.layers.0.weight"].shape[1],
            w_dim=dense[-1].shape[0],
            depth=len(dense),
            mapping_lr=self.mapping_lr,
            widths=tuple(widths),
            clamp=self.clamp,
        )


def read(path: Path | str) -> Published:
    """The weights of a published file.  Raises UserError for another file, of which nothing is run."""
    path = require_file(path, f"{WANTED} was wanted", SUFFIXES)
    return of_pickle(path) if path.suffix.lower() == ".pkl" else of_checkpoint(path)


def of_checkpoint(path: Path) -> Published:
    """rosinality's dictionary: the averaged generator `g_ema`, beside it the mean code `latent_avg`."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # the options of the training: plain attributes
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        unknown = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise UserError(
            f"{path} wants to run {unknown[1] if unknown else 'what weights are not made of'}, so nothing of it was loaded: "
            f"{WANTED} was wanted."
        ) from None
    except Exception:  # torch's errors of a file that is none of its own, or is cut off
        raise UserError(f"{path} cannot be read, or is cut off: {WANTED} was wanted.") from None
    if not isinstance(held, Mapping) or not isinstance(state := held.get("g_ema", held), Mapping):
        raise unlike(path, "no weights by name")
    average = {"latent_avg": held["latent_avg"]} if isinstance(held.get("latent_avg"), torch.Tensor) else {}
    return published(path, {**state, **average})


def of_pickle(path: Path) -> Published:
    """NVIDIA's dictionary: the averaged generator `G_ema`, beside it what it was trained on."""
    held = read_networks(path)
    network = held.get("G_ema")
    if not isinstance(network, PickledNetwork):
        raise unlike(path, f"{', '.join(map(str, held))} and no G_ema")
    if network.state.get("c_dim"):
        raise unlike(path, "a generator of classes, whose images depend on a label")
    try:
        first, block = network.part("mapping", "fc0"), network.part("synthesis", "b4")
        architecture, clamp = block.state.get("architecture", "skip"), block.part("conv1").state.get("conv_clamp")
    except LookupError:
        raise unlike(path, f"a network {network.class_name} without the layers of a StyleGAN2") from None
    if architecture != "skip":
        raise unlike(path, f"a StyleGAN2 with the architecture {architecture}, and only skip is known")
    more = {"mapping_lr": float(first.state["bias_gain"]), "clamp": float(clamp or 0)}
    pictures = (held.get("training_set_kwargs") or {}).get("path") or ""
    return published(path, network.tensors(), pictures=str(pictures), **more)


def published(path: Path, state: Mapping[str, Any], **more: Any) -> Published:
    """The tensors of a file by their names here.  Raises UserError for filters that StyleGAN2's published networks have not."""
    for name in filter(FILTERS.fullmatch, state):
        kernel = state[name].float()
        if kernel.shape != (4, 4) or not torch.allclose(
            kernel / kernel.sum(), torch.outer(FILTER, FILTER) / 64, atol=1e-4
        ):
            raise unlike(path, f"a StyleGAN2 with another filter than [1, 3, 3, 1] ({name})")
    ours = {str(name): renamed(str(name)) for name in state if not FILTERS.fullmatch(str(name))}
    tensors = {here: state[name].float() for name, here in ours.items() if here}
    return Published(tensors, tuple(name for name, here in ours.items() if not here), **more)


def unlike(path: Path, held: str) -> UserError:
    return UserError(f"{path} holds {held}: {WANTED} was wanted.")


def network_of(path: Path, known: Published) -> PublishedStyleGAN2:
    """The generator with its weights; noise that a file leaves out is drawn by seed 0, a mean code is measured.

    Raises UserError where tensors are missing, of another shape, or unknown.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = PublishedStyleGAN2(settings_of(path, known))
    wanted, held = network.state_dict(), known.tensors
    optional = {"w_avg", "w_std", *(name for name in wanted if name.endswith(".noise"))}
    missing = [name for name in wanted if name not in held and name not in optional]
    wrong = [name for name in held if name not in wanted or held[name].numel() != wanted[name].numel()]
    if strange := [*missing, *wrong, *known.unknown]:
        raise unlike(path, f"no StyleGAN2 of a known layout ({strange[0]} and {len(strange) - 1} more differ)")
    network.load_state_dict(
        {name: held[name].reshape(wanted[name].shape) if name in held else wanted[name] for name in wanted}
    )
    network.measure()
    if "w_avg" in held:
        network.w_avg.copy_(held["w_avg"].flatten())
    return network


def settings_of(path: Path, known: Published) -> PublishedSettings:
    """The shape of a published generator.  Raises UserError for weights that are none of a StyleGAN2's."""
    try:
        return known.settings()
    except (LookupError, UserError):
        raise unlike(path, f"{', '.join(known.unknown[:3]) or 'weights'}, which are no StyleGAN2's") from None


def load(path: Path, name: str) -> PublishedStyleGAN2:
    """The generator of a published file in float32, frozen.  Raises UserError for another file."""
    network = network_of(path, read(path))
    network.name = name
    return network.eval().requires_grad_(False)


@lru_cache
def described(path: Path, changed: int, size: int) -> tuple[PublishedSettings, str]:
    """The shape of a published generator, and the path of the pictures it was trained on; read once as long as the file stays."""
    known = read(path)
    return settings_of(path, known), known.pictures


def description(path: Path) -> tuple[PublishedSettings, str]:
    status = require_file(path, f"{WANTED} was wanted", SUFFIXES).stat()
    return described(path, status.st_mtime_ns, status.st_size)


def resolution(path: Path) -> int:
    """Pixels a side."""
    return description(path)[0].resolution


def code_shape(path: Path) -> tuple[int, int]:
    """(num_ws, w_dim)."""
    settings = description(path)[0]
    return 2 * len(settings.resolutions), settings.w_dim


def category(path: Path) -> str:
    """What a published generator shows, which no such file says: "face", unless a word of its name or of the path of its
    training set is one of NOT_FACES; then "pictures"."""
    words = set(re.findall(r"[a-z]+[0-9]*", f"{path.stem} {description(path)[1]}".lower()))
    return "pictures" if words & set(NOT_FACES) else "face"
