"""Networks that NVIDIA's programs have pickled, read without running anything of the file.

Such a pickle holds of each network its class's name, its source code and its state.  Python would compile that source and
call whatever else the file names.  Here a short list of names stands for functions of this module, which build plain
dictionaries, numbers and tensors; any other name is refused, and source code is skipped.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import _utils as torch_pickling

from dynode.errors import UserError
from dynode.io.inputs import require_file

NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
TENSORFLOW = "dnnlib.tflib"


@dataclass(frozen=True)
class PickledNetwork:
    """The name of a network's class, and its attributes by name; those of its parts are PickledNetwork as well."""

    class_name: str
    state: dict[str, Any]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers by the names that torch's `state_dict` gives them."""
        own = {**self.state.get("_parameters", {}), **self.state.get("_buffers", {})}
        held = {name: value for name, value in own.items() if isinstance(value, torch.Tensor)}
        for name, part in self.state.get("_modules", {}).items():
            held |= {f"{name}.{inner}": value for inner, value in part.tensors().items()}
        return held

    def part(self, *names: str) -> "PickledNetwork":
        """The part of a part, by their names."""
        network = self
        for name in names:
            network = network.state["_modules"][name]
        return network


class Refused(pickle.UnpicklingError):
    """A name in a pickle that is not on the list."""


class Numbers:
    """A dtype of numpy in a pickle: numbers alone, no objects."""

    __slots__ = ("dtype",)

    def __init__(self, name: str, *_: Any):
        if name not in NUMBERS:
            raise Refused(f"numpy.dtype({name!r})")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder("=" if state[1] == "|" else state[1])


class Allowed:
    """A function that a pickle may call and not change."""

    __slots__ = ("function",)

    def __init__(self, function: Callable):
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a function was given a state")


def network(meta: dict) -> PickledNetwork:
    """A network without its source code, `meta["module_src"]`."""
    return PickledNetwork(str(meta["class_name"]), dict(meta["state"]))


def storage(content: bytes) -> Any:
    """The numbers of a tensor, in torch's own format."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def tensor(numbers: torch.TypedStorage, offset: int, size: tuple, stride: tuple, *_: Any) -> torch.Tensor:
    if not isinstance(numbers, torch.TypedStorage):
        raise pickle.UnpicklingError("a tensor without numbers")
    return torch_pickling._rebuild_tensor_v2(numbers, offset, size, stride, False, OrderedDict())


def scalar(kind: Numbers, content: bytes) -> Any:
    return np.frombuffer(content, kind.dtype)[0].item()


def allowed() -> dict[tuple[str, str], Any]:
    """What a pickle may name, and what it gets instead; made anew for each file."""
    plain = type("EasyDict", (dict,), {})
    numpy_scalar, a_set, parameter = Allowed(scalar), Allowed(set), Allowed(lambda value, *_: value)
    return {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): Allowed(network),
        ("dnnlib.util", "EasyDict"): plain,
        ("collections", "OrderedDict"): OrderedDict,
        ("builtins", "set"): a_set,
        ("__builtin__", "set"): a_set,
        ("torch._utils", "_rebuild_parameter"): parameter,
        ("torch._utils", "_rebuild_tensor_v2"): Allowed(tensor),
        ("torch.storage", "_load_from_bytes"): Allowed(storage),
        ("numpy", "dtype"): Numbers,
        ("numpy.core.multiarray", "scalar"): numpy_scalar,
        ("numpy._core.multiarray", "scalar"): numpy_scalar,
    }


class Reader(pickle.Unpickler):
    """An unpickler that knows the names of `allowed` alone."""

    def __init__(self, file: Any):
        super().__init__(file)
        self.allowed = allowed()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self.allowed[module_name, global_name]
        except KeyError:
            raise Refused(f"{module_name}.{global_name}") from None


def read_networks(path: Path | str) -> dict[str, Any]:
    """What a pickle of networks holds by name, such as "G_ema"; nothing of the file is run.

    Raises UserError for a pickle that names anything else than such networks are made of, and for what is no such pickle.
    """
    path = require_file(path, "a pickle of NVIDIA's StyleGAN2 was wanted", (".pkl",))
    try:
        with path.open("rb") as file:
            held = Reader(file).load()
    except Refused as refused:
        raise UserError(refusal(path, str(refused))) from None
    except Exception:  # whatever a damaged or foreign pickle leads to: nothing of it has been run
        held = None
    if not isinstance(held, dict) or not any(isinstance(each, PickledNetwork) for each in held.values()):
        raise UserError(
            f"{path} is no pickle of networks, or is cut off: one of NVIDIA's StyleGAN2 in PyTorch was wanted."
        )
    return held


def refusal(path: Path, name: str) -> str:
    if name.startswith(TENSORFLOW):
        return (
            f"{path} holds networks of TensorFlow: turn them into PyTorch's by legacy.py of NVIDIA's stylegan2-ada-pytorch, "
            "and give the file that it writes."
        )
    return (
        f"{path} wants to run {name}, which is not on the short list of what a pickle of networks is made of, so nothing of "
        "it was loaded: take the file from where its authors publish it."
    )
