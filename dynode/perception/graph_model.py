"""A network stored as a graph of TensorFlow.js, in torch: as many operations as the networks that are read here have."""

import json
from dataclasses import dataclass
from graphlib import TopologicalSorter

import torch
import torch.nn.functional as F
from torch import nn

from dynode.io import assets
from dynode.perception.face_api import stored_tensors
from dynode.perception.face_api_layers import padded_same

SAME = "U0FNRQ=="  # "SAME", as the file encodes it
AXES = {"_FusedConv2D": (3, 2, 0, 1), "DepthwiseConv2dNative": (2, 3, 0, 1)}  # from TensorFlow's to torch's kernels


@dataclass(frozen=True)
class Step:
    """An operation on the results of other steps and on constants, by their names."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    stride: int
    same: bool  # padded so that a stride of 1 keeps the size


class GraphModel(nn.Module):
    """Images (B, C, H, W) -> the graph's output (B, K); frozen.  `name`: its assets are NAME-graph and NAME-weights.

    Raises ValueError for a graph with an operation that is not known here.
    """

    def __init__(self, name: str):
        super().__init__()
        graph = json.loads(assets.fetch(f"{name}-graph").read_text(encoding="utf-8"))
        (group,) = graph["weightsManifest"]
        constants = stored_tensors(name, group["weights"], assets.fetch(f"{name}-weights").read_bytes())
        self.steps = [step for step in in_order(graph["modelTopology"]["node"]) if step.operation != "Const"]
        if unknown := {step.operation for step in self.steps} - {"Placeholder", *OPERATIONS}:
            raise ValueError(f"the graph of {name} has operations that are not known here: {sorted(unknown)}")
        self.constants = nn.ParameterDict()
        for step in self.steps:
            for source in (each for each in step.inputs if each in constants):
                self.keep(source, step, constants[source])
        self.eval().requires_grad_(False)

    def keep(self, source: str, step: Step, constant: torch.Tensor) -> None:
        """Keep a constant with torch's axes; paddings are kept as numbers of channels, for `channels_added`."""
        if constant.dim() == 4:
            constant = constant.permute(AXES[step.operation]).contiguous()
        elif constant.dtype == torch.int32:
            constant = torch.empty(int(constant[-1].sum()) if constant.dim() == 2 else 0)
        else:
            constant = constant.flatten()
        self.constants[key_of(source)] = nn.Parameter(constant, requires_grad=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        known = {}
        for step in self.steps:
            if step.operation == "Placeholder":
                known[step.name] = images
                continue
            inputs = [known[name] if name in known else self.constants[key_of(name)] for name in step.inputs]
            known[step.name] = OPERATIONS[step.operation](step, *inputs)
        return known[self.steps[-1].name].flatten(1)


def in_order(nodes: list[dict]) -> list[Step]:
    """The steps of a graph's nodes, each after those that it needs."""
    steps = {node["name"]: step_of(node) for node in nodes}
    return [steps[name] for name in TopologicalSorter({name: s.inputs for name, s in steps.items()}).static_order()]


def step_of(node: dict) -> Step:
    attributes = node.get("attr", {})
    stride = int(attributes["strides"]["list"]["i"][1]) if "strides" in attributes else 1
    same = attributes.get("padding", {}).get("s") == SAME
    return Step(node["name"], node["op"], tuple(node.get("input", ())), stride, same)


def key_of(name: str) -> str:
    """A constant's name as torch allows it."""
    return name.replace(".", "_")


def padded(step: Step, x: torch.Tensor, kernel: int) -> torch.Tensor:
    return padded_same(x, kernel, step.stride) if step.same else x


def convolved(
    step: Step, x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor, slope: torch.Tensor | None = None
) -> torch.Tensor:
    out = F.conv2d(padded(step, x, kernel.shape[-1]), kernel, bias, step.stride)
    return out if slope is None else F.prelu(out, slope)


def convolved_by_channel(step: Step, x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    return F.conv2d(padded(step, x, kernel.shape[-1]), kernel, None, step.stride, groups=len(kernel))


def channels_added(step: Step, x: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
    return F.pad(x, [0, 0, 0, 0, 0, len(added)])


OPERATIONS = {
    "_FusedConv2D": convolved,
    "DepthwiseConv2dNative": convolved_by_channel,
    "AddV2": lambda step, x, y: x + y,
    "Prelu": lambda step, x, slope: F.prelu(x, slope),
    "MaxPool": lambda step, x: F.max_pool2d(x, 2, step.stride),
    "Pad": channels_added,
    "ConcatV2": lambda step, *parts: torch.cat(parts[:-1], 1),  # the last input is the axis: channels
    "Identity": lambda step, x: x,
}
