"""Optimiser states as flat dicts of tensors, for safetensors files."""

import torch


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def of_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of an optimiser as tensors "<parameter>.<quantity>"."""
    state = optimiser.state_dict()["state"]
    return {
        f"{k}.{key}": value.clone(memory_format=torch.contiguous_format)
        for k, entry in state.items()
        for key, value in entry.items()
    }


def restore(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Restore an optimiser's state from the tensors of `of_optimiser`."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        k, key = name.split(".")
        state.setdefault(int(k), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
