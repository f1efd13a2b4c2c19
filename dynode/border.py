"""The border of the package: numbers come in as they are, and are computed under the same modes whatever the caller has set."""

import contextlib
import functools
import inspect
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch

from dynode.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")
Times: TypeAlias = torch.Tensor | np.ndarray | Sequence[float]  # (T,), seconds
FLOAT_ERRORS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}  # numpy's own
DEFAULT_TYPE = threading.RLock()  # torch keeps it for the whole process; all other modes belong to the thread


def ordinary_modes(function: Callable[P, R]) -> Callable[P, R]:
    """The function computed under torch's and numpy's original modes; the caller's are set again behind it.

    These are: float32 by default, gradients recorded, no inference mode, no autocast, new tensors on the CPU, no float
    errors raised by numpy.  A generator function runs under them between its values, its reader does not.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        with modes():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def each(*args: P.args, **kwargs: P.kwargs) -> Any:
        values: Any = function(*args, **kwargs)
        while True:
            with modes():
                value = next(values, values)  # itself behind the last one
            if value is values:
                return
            yield value

    wrapped: Any = each if inspect.isgeneratorfunction(function) else run
    return wrapped


def ordinary_numbers(function: Callable[P, R]) -> Callable[P, R]:
    """As `ordinary_modes`, but whether gradients are recorded stays the caller's choice: for what is differentiable."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with modes(gradients=False):
            return function(*args, **kwargs)

    return run


@contextlib.contextmanager
def modes(gradients: bool = True) -> Iterator[None]:
    """A context under the modes that `ordinary_modes` names; only what differs is changed.

    gradients: recorded, and inference mode left.
    """
    with contextlib.ExitStack() as stack:
        if gradients and torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if gradients and not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(float32_by_default())
        if np.geterr() != FLOAT_ERRORS:
            stack.enter_context(np.errstate(**FLOAT_ERRORS))
        yield


@contextlib.contextmanager
def float32_by_default() -> Iterator[None]:
    """Within, tensors made of Python numbers are float32."""
    with DEFAULT_TYPE:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def own_random_numbers(function: Callable[P, R]) -> Callable[P, R]:
    """The function with the global random generators of Python, numpy and torch set back behind it as they were before."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        python, arrays = random.getstate(), np.random.get_state()
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
        try:
            with torch.random.fork_rng(devices=devices):
                return function(*args, **kwargs)
        finally:
            random.setstate(python)
            np.random.set_state(arrays)

    return run


def public(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is called from outside: its arguments have the types that it names, or a UserError says which has not.

    It runs as under `ordinary_modes` and `own_random_numbers`.
    """
    run = ordinary_modes(own_random_numbers(function))

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        given, kinds = inspect.signature(function).bind(*args, **kwargs), kinds_of(function)
        given.arguments |= {name: of_kind(each, kinds.get(name, Any), name) for name, each in given.arguments.items()}
        return run(*given.args, **given.kwargs)

    return checked


@functools.cache
def kinds_of(thing: Callable) -> dict[str, Any]:
    """The types that a function or class names, by parameter or field; arguments beyond those are checked elsewhere."""
    return get_type_hints(thing) | {"choices": Any}


def of_kind(value: Any, kind: Any, name: str) -> Any:
    """A value in the type that an annotation names: numpy's scalars as Python's, a text as a path, an array as a list.

    Raises UserError for a value of another type; in lists also for a member's.
    """
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray | torch.Tensor) and any(get_origin(each) is Sequence for each in kinds):
        value = value.tolist()
    if isinstance(value, str) and Path in kinds and str not in kinds:
        value = Path(value)
    if not any(is_of(value, each) for each in kinds):
        raise UserError(f"`{name}` wants {words_for(kind)}, got {described(value)}.")
    return value


def is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type; arrays and protocols, which have borders of their own, always are."""
    outer, members = get_origin(kind), get_args(kind)
    if outer in (Union, UnionType):
        return any(is_of(value, each) for each in members)
    if isinstance(outer, type):
        return is_container(value, outer, members)
    if kind is Any or kind in (torch.Tensor, np.ndarray) or getattr(kind, "_is_protocol", False):
        return True
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, PathLike if kind is Path else NoneType if kind is None else kind)


def is_container(value: Any, outer: type, members: tuple) -> bool:
    """Whether a value is a container of that type, and where it is a list of such members; a text is one of texts."""
    if isinstance(value, Mapping) or not isinstance(value, outer):
        return isinstance(value, Mapping) and issubclass(outer, Mapping)
    listed = members and isinstance(value, list | tuple | str)
    return not listed or all(is_of(each, members[0]) for each in value)


WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "str": "a text",
    "Path": "a path",
    "NoneType": "nothing",
    "device": "a device, such as cpu",
    "dict": "a dictionary",
    "Mapping": "a dictionary",
    "Clip": 'a clip, such as dynode.load_clip("single_face.1")',
    "Trajectory": "a trajectory, as dynode.fit returns it",
}


def words_for(kind: Any) -> str:
    """An annotated type in a message."""
    outer, members = get_origin(kind), get_args(kind)
    if outer in (Union, UnionType):
        *others, last = dict.fromkeys(words_for(each) for each in members)
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(outer, type) and not issubclass(outer, Mapping):
        return f"a list (each {words_for(members[0])})" if members else "a list"
    name = getattr(outer or kind, "__name__", str(kind))
    return WORDS.get(name, f"a {name}")


def require(value: Any, kinds: type | tuple[type, ...], wanted: str) -> None:
    """Raises UserError for a value of another kind.  wanted: a sentence up to "got", such as "A fit wants a clip"."""
    if not isinstance(value, kinds):
        raise UserError(f"{wanted}, got {described(value)}.")


def described(value: Any) -> str:
    """A value in a message: short ones as they are, others by their type."""
    text = repr(value) if isinstance(value, str | int | float | PathLike | None) else ""
    return text if text and len(text) <= 60 else f"a {type(value).__name__}"


def numbers(value: Any, what: str) -> torch.Tensor:
    """Real numbers as a tensor on the CPU without gradients, in the type that they have; lists and arrays are copied.

    value: a tensor, an array, a number, or a list of these, of one shape.  what: as the message calls it.
    Raises UserError for anything else.
    """
    try:
        with modes():
            tensor = of_tensor(value) if isinstance(value, torch.Tensor) else of_others(value)
    except (TypeError, ValueError, RuntimeError, NotImplementedError, OverflowError):
        raise UserError(
            f"{what} must be real numbers, as a tensor, an array or lists of one shape, got {kind(value)}."
        ) from None
    return tensor


def of_tensor(value: torch.Tensor) -> torch.Tensor:
    """A tensor off its graph and device.  Raises TypeError for one without real numbers."""
    if value.is_complex() or value.is_meta or value.is_nested:
        raise TypeError
    is_leaf = value.requires_grad or type(value) is not torch.Tensor
    value = value.dequantize() if value.is_quantized else value
    value = (value.detach().to_dense() if value.layout != torch.strided else value.detach()).cpu()
    # Whoever still optimises a leaf, or made it in inference mode, must not change or break what is made of it.
    return value.clone() if is_leaf or value.is_inference() else value


def of_others(value: Any) -> torch.Tensor:
    """Arrays and nested lists.  Raises TypeError, ValueError or OverflowError for what holds other things than real numbers."""
    if isinstance(value, Sequence) and len(value) and any(isinstance(each, torch.Tensor) for each in value):
        return torch.stack([numbers(each, "") for each in value])
    if np.ma.is_masked(value):
        raise TypeError
    array = np.array(value)  # a copy: native memory that can be written, in order
    if array.dtype.kind not in "fiub":
        raise TypeError
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    native = array.dtype.newbyteorder("=") if array.dtype.itemsize <= 8 else np.dtype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array, native).reshape(array.shape))


def kind(value: Any) -> str:
    """The kind of a value and of what is in it, for a message."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"{type(value).__name__} {value.dtype} {tuple(value.shape)}"
    return described(value)


def mask_of(given: Any, frames: int, what: str) -> torch.Tensor:
    """One true or false for each frame, (T,) bool.  Raises UserError for another shape, and for other numbers than 0 and 1."""
    values = numbers(given, f"{what.removesuffix(' are').removesuffix(' is')}")
    if values.shape != (frames,):
        raise UserError(
            f"{what} one true or false for each of the {frames} frames, no indices, got {tuple(values.shape)}."
        )
    if ((values != 0) & (values != 1)).any():
        wrong = values[(values != 0) & (values != 1)][:3].tolist()
        raise UserError(f"{what} true or false for each frame, no indices, got {', '.join(map(str, wrong))}.")
    return values.bool()


def as_json(value: Any) -> Any:
    """Metadata of other libraries' types as JSON.  Raises UserError for what has no form there."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    raise UserError(f"Metadata hold a {type(value).__name__}, which JSON has not: give texts, numbers or lists.")
