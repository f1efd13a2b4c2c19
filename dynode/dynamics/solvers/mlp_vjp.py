"""An MLP field evaluated and pulled back without autograd, whose bookkeeping costs as much as the field's small products."""

import contextlib
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from dynode.dynamics.fields import MLPField, time_features

aten = torch.ops.aten
# name -> (in-place activation, gradient of its input from that of its output and the output itself)
ACTIVATIONS = {
    "leaky_relu": (lambda x: functional.leaky_relu_(x, 0.2), lambda g, y: aten.leaky_relu_backward(g, y, 0.2, True)),
    "tanh": (torch.tanh_, aten.tanh_backward),
}


def can(module) -> bool:
    """Whether a field is a plain MLP: no norm, no trend, no learned embedding, an activation that knows its gradient."""
    s = getattr(module, "settings", None)
    return (
        isinstance(module, MLPField)
        and (s.normalise, s.drift, s.learned_speed) == ("none", "none", False)
        and s.layout in ("shared", "joint")
        and s.activation in ACTIVATIONS
    )


@dataclass
class ByHand:
    """The linear layers of a field, with the inputs and gradients that their weights' gradients are made of.

    kept: layer -> [(input (R, in), gradient (R, out)), ...], filled by `pulled`.
    """

    module: MLPField
    kept: dict[nn.Linear, list] = field(default_factory=dict)
    found: dict[int, torch.Tensor] = field(default_factory=dict)  # of other parameters: there are none

    def __post_init__(self):
        self.activate, self.gradient = ACTIVATIONS[self.module.settings.activation]
        self.kept = {layer: [] for layer in self.module.net if isinstance(layer, nn.Linear)}
        # products with few rows read a transposed copy faster; making it costs as much as one or two of them
        turned = {layer: layer.weight.detach().T.contiguous() for layer in self.kept}
        self.layers = [(layer, layer.weight.detach(), turned[layer], layer.bias.detach()) for layer in self.kept]

    def recording(self):
        return contextlib.nullcontext()

    def evaluated(self, t: float, u: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The velocity of states u (..., R, K), flat, and the inputs of all layers."""
        x = u.flatten(-2) if self.module.settings.layout == "joint" else u
        x = x.reshape(-1, x.shape[-1])
        times = time_features(x.new_tensor(t), self.module.settings)
        inputs = [torch.cat([x, times.expand(len(x), -1)], 1) if len(times) else x]
        for k, (_, _, turned, bias) in enumerate(self.layers):
            y = torch.addmm(bias, inputs[-1], turned)
            if k < len(self.layers) - 1:
                inputs.append(self.activate(y))
        return y.flatten(), inputs

    def pulled(self, inputs: list[torch.Tensor], toward: torch.Tensor) -> torch.Tensor:
        """The gradient at the states, flat, from that at the velocity (n,)."""
        gradient = toward.reshape(len(inputs[0]), -1)
        for k in range(len(self.layers) - 1, -1, -1):
            layer, weight, *_ = self.layers[k]
            self.kept[layer].append((inputs[k], gradient))
            gradient = gradient @ weight
            if k:
                gradient = self.gradient(gradient, inputs[k])
        extra = self.layers[0][1].shape[1] - toward.numel() // len(inputs[0])
        return (gradient[:, :-extra] if extra else gradient).flatten()
