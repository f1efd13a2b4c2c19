"""A network stored as a graph of TensorFlow.js, in torch: as many operations as the networks that are read here have."""

import base64
import json
from dataclasses import dataclass
from graphlib import TopologicalSorter

import torch
import torch.nn.functional as F
from torch import nn

from dynode.io import assets
from dynode.perception.face_api import stored_tensors
from dynode.perception.face_api_layers import padded_same

AXES = {name: (3, 2, 0, 1) for name in ("_FusedConv2D", "Conv2D")} | {
    "DepthwiseConv2dNative": (2, 3, 0, 1)
}  # of kernels


@dataclass(frozen=True)
class Step:
    """An operation on the results of other steps and on constants, by their names."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    stride: int = 1
    same: bool = False  # padded so that a stride of 1 keeps the size
    window: int = 2  # pixels a side that are pooled
    fused: tuple[str, ...] = ()  # what follows in the same step, such as BiasAdd and Relu


class GraphModel(nn.Module):
    """Images (B, C, H, W) -> the graph's output (B, K), its last; frozen.  `name`: its assets are NAME-graph and NAME-weights.

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
        if step.operation in AXES and constant.dim() == 4:
            constant = constant.permute(AXES[step.operation]).contiguous()
        elif step.operation == "_FusedMatMul" and constant.dim() == 2:
            constant = constant.contiguous()
        elif constant.dtype == torch.int32:
            constant = torch.empty(int(constant[-1].sum()) if constant.dim() == 2 else 0)
        else:
            constant = constant.flatten()
        self.constants[key_of(source)] = nn.Parameter(constant, requires_grad=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.results(images)[self.steps[-1].name]

    def results(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """All outputs (B, K) of the graph, by the names of the steps that no other step reads."""
        known = {}
        for step in self.steps:
            if step.operation == "Placeholder":
                known[step.name] = images
                continue
            inputs = [known[name] if name in known else self.constants[key_of(name)] for name in step.inputs]
            known[step.name] = OPERATIONS[step.operation](step, *inputs)
        read = {name for step in self.steps for name in step.inputs}
        return {name: value.flatten(1) for name, value in known.items() if name not in read}


def in_order(nodes: list[dict]) -> list[Step]:
    """The steps of a graph's nodes, each after those that it needs."""
    steps = {node["name"]: step_of(node) for node in nodes}
    return [steps[name] for name in TopologicalSorter({name: s.inputs for name, s in steps.items()}).static_order()]


def step_of(node: dict) -> Step:
    attributes = node.get("attr", {})

    def number(name: str, usual: int) -> int:
        return int(attributes[name]["list"]["i"][1]) if name in attributes else usual

    same = text_of(attributes.get("padding", {}).get("s", "")) == "SAME"
    fused = tuple(map(text_of, attributes.get("fused_ops", {}).get("list", {}).get("s", ())))
    sizes = number("strides", 1), same, number("ksize", 2), fused
    return Step(node["name"], node["op"], tuple(node.get("input", ())), *sizes)


def text_of(encoded: str) -> str:
    """A text as the file encodes it."""
    return base64.b64decode(encoded).decode("ascii")


def key_of(name: str) -> str:
    """A constant's name as torch allows it."""
    return name.replace(".", "_")


def padded(step: Step, x: torch.Tensor, kernel: int, value: float = 0.0) -> torch.Tensor:
    return padded_same(x, kernel, step.stride, value) if step.same else x


def activated(step: Step, x: torch.Tensor) -> torch.Tensor:
    return x.relu() if "Relu" in step.fused else x


def convolved(
    step: Step,
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None = None,
    slope: torch.Tensor | None = None,
) -> torch.Tensor:
    out = F.conv2d(padded(step, x, kernel.shape[-1]), kernel, bias, step.stride)
    return activated(step, out) if slope is None else F.prelu(out, slope)


def convolved_by_channel(step: Step, x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    return F.conv2d(padded(step, x, kernel.shape[-1]), kernel, None, step.stride, groups=len(kernel))


def channels_added(step: Step, x: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
    return F.pad(x, [0, 0, 0, 0, 0, len(added)])


def pooled(step: Step, x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(padded(step, x, step.window, -torch.inf), step.window, step.stride)


def by_channel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Numbers (C,) of the channels of x (B, C, H, W), so that both can be combined; anything else as it is."""
    return y[:, None, None] if x.dim() == 4 and y.dim() == 1 else y


OPERATIONS = {
    "_FusedConv2D": convolved,
    "Conv2D": convolved,
    "DepthwiseConv2dNative": convolved_by_channel,
    "_FusedMatMul": lambda step, x, matrix, bias: activated(step, x @ matrix + bias),
    "AddV2": lambda step, x, y: x + by_channel(x, y),
    "Add": lambda step, x, y: x + by_channel(x, y),
    "Mul": lambda step, x, y: x * by_channel(x, y),
    "Minimum": lambda step, x, y: torch.minimum(x, by_channel(x, y)),
    "Maximum": lambda step, x, y: torch.maximum(x, by_channel(x, y)),
    "Relu": lambda step, x: x.relu(),
    "Prelu": lambda step, x, slope: F.prelu(x, slope),
    "MaxPool": pooled,
    "Mean": lambda step, x, axes: x.mean((2, 3)),  # the axes are those of the picture
    "Pad": channels_added,
    "ConcatV2": lambda step, *parts: torch.cat(parts[:-1], 1),  # the last input is the axis: channels
    "Sigmoid": lambda step, x: x.sigmoid(),
    "Softmax": lambda step, x: x.softmax(1),
    "Identity": lambda step, x: x,
}
