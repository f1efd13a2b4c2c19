"""Vector-Jacobian products of an MLP field without autograd, whose overhead equals the cost of the small matrix products."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import torch
from torch import nn
from torch.nn import functional

from dynode.dynamics.fields import MLPField, is_plain, time_features

aten = torch.ops.aten
# name -> (in-place activation, gradient of its input from that of its output and the output itself)
ACTIVATIONS: dict[str, tuple[Callable[..., torch.Tensor], Callable[..., torch.Tensor]]] = {
    "leaky_relu": (lambda x: functional.leaky_relu_(x, 0.2), lambda g, y: aten.leaky_relu_backward(g, y, 0.2, True)),
    "tanh": (torch.tanh_, aten.tanh_backward),
}


def is_plain_mlp(module: nn.Module) -> TypeGuard[MLPField]:
    """Whether `MLPVJP` has this field: plain, without norm, trend and learned embedding, with one of ACTIVATIONS."""
    if not isinstance(module, MLPField):
        return False
    s = module.settings
    return (
        (s.normalise, s.drift, s.learned_speed) == ("none", "none", False)
        and s.layout in ("shared", "joint")
        and s.activation in ACTIVATIONS
        and is_plain(s)
    )


@dataclass
class MLPVJP:
    """A field that `is_plain_mlp`, evaluated and pulled back layer by layer.

    kept: layer -> [(input (R, in), gradient (R, out)), ...], filled by `pulled_back`, for the gradients of the weights.
    """

    module: MLPField
    kept: dict[nn.Linear, list[tuple[torch.Tensor, torch.Tensor]]] = field(default_factory=dict)
    gradients: dict[int, torch.Tensor] = field(default_factory=dict)  # of other parameters: there are none

    def __post_init__(self):
        self.activate, self.gradient = ACTIVATIONS[self.module.settings.activation]
        self.kept = {layer: [] for layer in self.module.net if isinstance(layer, nn.Linear)}
        # products with few rows read a transposed copy faster; making it costs as much as one or two of them
        transposed = {layer: layer.weight.detach().T.contiguous() for layer in self.kept}
        self.layers = [(layer, layer.weight.detach(), transposed[layer], layer.bias.detach()) for layer in self.kept]

    def recording(self) -> contextlib.AbstractContextManager[Any]:
        """As in `dopri5.AutogradVJP`: nothing to set up."""
        return contextlib.nullcontext()

    def evaluated(self, t: float, u: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The velocity of states u (..., R, K), flat, and the inputs of all layers."""
        x = u.flatten(-2) if self.module.settings.layout == "joint" else u
        x = x.reshape(-1, x.shape[-1])
        times = time_features(x.new_tensor(t), self.module.settings)
        inputs = [torch.cat([x, times.expand(len(x), -1)], 1) if len(times) else x]
        y = x
        for k, (_, _, transposed, bias) in enumerate(self.layers):
            y = torch.addmm(bias, inputs[-1], transposed)
            if k < len(self.layers) - 1:
                inputs.append(self.activate(y))
        return y.flatten(), inputs

    def pulled_back(self, inputs: list[torch.Tensor], cotangent: torch.Tensor) -> torch.Tensor:
        """The gradient at the states, flat, from that at the velocity, `cotangent` (n,)."""
        gradient = cotangent.reshape(len(inputs[0]), -1)
        for k in range(len(self.layers) - 1, -1, -1):
            layer, weight, *_ = self.layers[k]
            self.kept[layer].append((inputs[k], gradient))
            gradient = gradient @ weight
            if k:
                gradient = self.gradient(gradient, inputs[k])
        extra = self.layers[0][1].shape[1] - cotangent.numel() // len(inputs[0])
        return (gradient[:, :-extra] if extra else gradient).flatten()
