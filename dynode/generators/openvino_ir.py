"""MobileStyleGAN from an OpenVINO IR file (xml + bin): only its constants are read, nothing of it is executed."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dynode.errors import UserError
from dynode.generators.mobile_stylegan import MappingNetwork, MobileStyleGAN
from dynode.generators.registry import SOURCES, Source


@dataclass(frozen=True)
class Constant:
    """A float32 constant of the graph, in graph order."""

    name: str
    value: torch.Tensor


def read_constants(xml: Path, weights: Path) -> list[Constant]:
    """All float32 constants of an IR v10 graph, in the order of their layer ids."""
    blob = np.memmap(weights, np.uint8, mode="r")
    constants = []
    for layer in ElementTree.parse(xml).getroot().iterfind("layers/layer[@type='Const']"):
        entry = layer.find("data[@element_type='f32']")
        if entry is None:
            continue
        start, size = int(entry.attrib["offset"]), int(entry.attrib["size"])
        shape = [int(n) for n in entry.attrib["shape"].split(",") if n.strip()]
        value = np.frombuffer(blob[start : start + size].tobytes(), np.float32).reshape(shape)
        constants.append(Constant(layer.attrib["name"], torch.from_numpy(value.copy())))
    return constants


def load_mapping(network: MappingNetwork, constants: list[Constant]) -> None:
    """Fill the linear layers, which follow each other in graph order: weight (512, 512), bias (512,).

    Raises UserError for another number of layers.
    """
    weights = [c.value for c in constants if c.value.shape == (512, 512)]
    biases = [c.value for c in constants if c.value.shape == (512,)]
    if not len(weights) == len(biases) == len(network.layers):
        raise UserError(f"The mapping network has {len(weights)} layers, {len(network.layers)} were expected.")
    for layer, weight, bias in zip(network.layers, weights, biases, strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})


def synthesis_state(constants: list[Constant]) -> dict[str, torch.Tensor]:
    """Map graph constants to this package's parameter names.

    Most constants are named after the original module; the folded pointwise weights and the noise maps are not,
    and are assigned in network order.
    """
    named = {c.name.removeprefix("m."): c.value for c in constants}
    convs = ["conv1"] + [f"layers.{k}.conv{i}" for k in range(7) for i in (1, 2)]
    pointwise = [c.value for c in constants if c.name.startswith("Mul_") and c.name.endswith("_copy")]
    noises = [c.value for c in constants if c.value.dim() == 4 and c.value.shape[:2] == (1, 1) and c.value.shape[2] > 1]
    state = {"const": named["input.input"]}
    for conv, weight, noise in zip(convs, pointwise, noises, strict=True):
        ours = conv.replace("layers.", "blocks.")
        state[f"{ours}.conv.weight"], state[f"{ours}.conv.bias"] = weight, named[f"{conv}.bias"].flatten()
        state[f"{ours}.noise"] = noise
        state |= modulation_state(named, f"{conv}.conv.modulation", f"{ours}.modulation")
        if f"{conv}.conv.weight_dw" in named:
            state[f"{ours}.depthwise.weight"] = named[f"{conv}.conv.weight_dw"].flatten(1, 2)
    for k in range(7):
        state |= modulation_state(named, f"layers.{k}.up.modulation", f"blocks.{k}.up")
    state |= modulation_state(named, "layers.6.to_img.conv.modulation", "to_img.modulation")
    state["to_img.conv.weight"] = named["layers.6.to_img.conv.weight"]
    state["to_img.conv.bias"] = named["layers.6.to_img.bias"].flatten()
    return state


def modulation_state(named: dict[str, torch.Tensor], source: str, ours: str) -> dict[str, torch.Tensor]:
    return {f"{ours}.weight": named[f"{source}.weight"], f"{ours}.bias": named[f"{source}.bias"].flatten()}


def load_mobile_stylegan(
    mapping_xml: Path, mapping_bin: Path, synthesis_xml: Path, synthesis_bin: Path
) -> MobileStyleGAN:
    """Build the generator from the four IR files, frozen, with `w_avg` and `w_std` measured (10,000 samples).

    Raises UserError for files of another network.
    """
    generator = MobileStyleGAN().eval().requires_grad_(False)
    load_mapping(generator.mapping_network, read_constants(mapping_xml, mapping_bin))
    state = synthesis_state(read_constants(synthesis_xml, synthesis_bin))
    missing, unexpected = generator.load_state_dict(state, strict=False)
    if unexpected or any(not name.startswith(("mapping_network.", "w_")) for name in missing):
        raise UserError(f"The generator's weights do not fit: missing {missing}, unexpected {unexpected}.")
    generator.measure_w()
    return generator


SOURCES.add(
    MobileStyleGAN.name,
    Source(
        load_mobile_stylegan,
        category="face",
        resolution=MobileStyleGAN.resolution,
        assets=tuple(
            f"mobilestylegan-{network}-{kind}" for network in ("mapping", "synthesis") for kind in ("xml", "bin")
        ),
        identity="mobilestylegan-synthesis-bin",
        code_shape=(MobileStyleGAN.num_ws, MobileStyleGAN.w_dim),
    ),
)
