"""`dynode[amortised]`: a roll-out from the first code of a field learned across clips, and what it leaves, learned from the clip.

dz/dt is the sum of two fields.  The first is shared by all clips of a category; it sees the state that it has made so far, the
time, and a context that an encoder infers from the observed codes.  The second is that of `dynode`, fitted to what the first
leaves of the observed codes.  Both are solved from the first observed code: nothing else anchors the path.  As controls, a sequence
model that clips share may stand in place of the first field; all else is alike.
"""

import dataclasses
import json
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from dynode.clips import Clip
from dynode.dynamics.amortised import field_files
from dynode.dynamics.amortised.axes import VisibleAxes
from dynode.dynamics.amortised.field_files import Shared, SharedField
from dynode.dynamics.amortised.network import AmortisedField, AmortisedNetworkSettings, FieldOfClip
from dynode.dynamics.amortised.sequence_network import MODELS, SequenceOfClip
from dynode.dynamics.fitting import single
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.presets import DynamicsSettings, preset
from dynode.dynamics.registry import METHODS, How, Method
from dynode.dynamics.solvers.rollout import SolverSettings, rollout
from dynode.dynamics.trajectory import Times, Trajectory, described, double, joined, numeric_derivative
from dynode.errors import UserError
from dynode.io.training_state import part
from dynode.settings import from_json, to_json

NAME = "dynode[amortised]"
LONGER = 1.001  # than the clips it learned from a clip may be, for rounding


@dataclass(frozen=True)
class AmortisedSettings:
    """Everything a fit depends on, apart from the clip and the seed.

    file: of the shared field, "" for the one that comes with the package.  own: settings of the field fitted to what is left.
    fits_rest: whether there is one.
    """

    preset: str = NAME
    file: str = ""
    fits_rest: bool = True
    own: DynamicsSettings = dataclasses.field(default_factory=lambda: preset("dynode"))
    solver: SolverSettings = SolverSettings(rtol=1e-5, atol=1e-6)

    @property
    def label(self) -> str:
        """The method's name in records, which marks changed settings."""
        if self == AmortisedSettings():
            return self.preset
        return NAME[:-1] + (",shared alone]" if self == AmortisedSettings(fits_rest=False) else ",changed]")


@dataclass(repr=False)
class AmortisedPath(Trajectory):
    """A fitted path.  start (L, D): the first observed code, at the time `span[0]`.  rest: the path of what the shared field leaves.

    field: the shared one with the clip's context, or a sequence model with its observed states.
    """

    kind: ClassVar[str] = "amortised"

    settings: AmortisedSettings
    network: AmortisedNetworkSettings
    field: FieldOfClip | SequenceOfClip
    axes: VisibleAxes
    start: torch.Tensor
    rest: NeuralODE | None
    span: tuple[float, float]
    log: dict[str, Any] = dataclasses.field(default_factory=dict)
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.settings.label

    @torch.no_grad()
    def __call__(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        codes = self.shared(ts)
        return (codes if self.rest is None else codes + self.rest(ts)).float()

    @torch.no_grad()
    def derivative(self, ts: Times) -> torch.Tensor:
        ts = double(ts)
        velocity = self.axes.change(self.velocities(ts))
        return (velocity if self.rest is None else velocity + self.rest.derivative(ts)).float()

    def shared(self, ts: torch.Tensor) -> torch.Tensor:
        """Codes (T, L, D) of the shared field's roll-out alone."""
        return self.start + self.axes.change(self.states(ts) - self.axes.encode(self.start))

    def velocities(self, ts: torch.Tensor) -> torch.Tensor:
        """Velocities (T, K) per second of the shared field, or of a sequence model by differences."""
        if isinstance(self.field, SequenceOfClip):
            return numeric_derivative(self.states, self.span, ts)
        return self.field((ts - self.span[0]).float(), self.states(ts))

    def states(self, ts: Times) -> torch.Tensor:
        """States (T, K) of the shared field at times ts (T,) in seconds: one solve forward, one backward for times before the first."""
        times, inverse = torch.unique((double(ts) - self.span[0]).float(), return_inverse=True)
        if isinstance(self.field, SequenceOfClip):
            return self.field.states(times)[inverse]
        first = self.axes.encode(self.start)
        states = first.expand(len(times), -1).clone()
        for sign in (1, -1):
            side = times * sign > 0
            ordered = times[side] if sign > 0 else times[side].flip(0)
            if len(ordered):
                at = torch.cat([ordered.new_zeros(1), ordered])
                solved = rollout(self.field, first, at, self.settings.solver).states[1:]
                states[side] = solved if sign > 0 else solved.flip(0)
        return states[inverse]

    def packed(self) -> tuple[dict[str, torch.Tensor], str]:
        tensors = {f"field.{k}": v for k, v in self.field.state_dict().items()}
        tensors |= {f"axes.{k}": v for k, v in self.axes.tensors().items()} | {"seen": self.start[None]}
        rest: dict[str, Any] = {"kind": self.kind, "settings": to_json(self.settings), "network": to_json(self.network)}
        rest |= {"span": self.span, "log": self.log, "meta": self.meta, "rest": None}
        if self.rest is not None:
            own, rest["rest"] = self.rest.packed()
            tensors |= {f"rest.{k}": v for k, v in own.items()}
        return tensors, json.dumps(rest)

    @classmethod
    def unpacked(cls, tensors: dict[str, torch.Tensor], rest: dict) -> "AmortisedPath":
        network = from_json(AmortisedNetworkSettings, rest["network"])
        values = part(tensors, "field.")
        field = part_of_clip(network, values)
        field.load_state_dict(values)
        own = rest["rest"] and NeuralODE.unpacked(part(tensors, "rest."), json.loads(rest["rest"]))
        axes, (first, last) = VisibleAxes(**part(tensors, "axes.")), rest["span"]
        settings, start = from_json(AmortisedSettings, rest["settings"]), tensors["seen"][0]
        field.requires_grad_(False)
        return cls(settings, network, field, axes, start, own, (first, last), rest["log"], rest["meta"])


def part_of_clip(network: AmortisedNetworkSettings, values: dict[str, torch.Tensor]) -> FieldOfClip | SequenceOfClip:
    """The module whose state these values are, without them."""
    if network.model in MODELS:
        return SequenceOfClip(MODELS[network.model](network), values["u"].clone(), values["ts"].clone())
    return FieldOfClip(AmortisedField(network), torch.zeros(network.context))


def fit(clip: Clip, settings: AmortisedSettings, seed: int, how: How) -> Trajectory:
    """Infer the context of a clip from its observed frames, and fit what the shared field leaves; each shot by itself.

    Raises UserError where there is no field for the clip's generator, and for shots longer than it learned from.
    """
    shared = field_files.load(field_files.path_for(clip, settings.file))
    return joined([fit_shot(shot, shared, settings, seed, how) for shot in clip.split()])


def fit_told(clip: Clip, other: Clip, settings: AmortisedSettings = AmortisedSettings(), seed: int = 0) -> Trajectory:
    """The same for a clip of one shot with the context of another clip's observed frames: a control, which has no file.

    Raises UserError as `fit` does.
    """
    shared = field_files.load(field_files.path_for(clip, settings.file))
    return fit_shot(clip, shared, settings, seed, How(), other)


@torch.no_grad()
def fit_shot(
    clip: Clip, shared: Shared, settings: AmortisedSettings, seed: int, how: How, other: Clip | None = None
) -> AmortisedPath:
    """The path of a clip of one shot.  other: a clip whose observed codes the context is inferred from instead, as a control."""
    observed, began = clip.observations(), time.time()
    first, last = float(observed.ts[0]), float(observed.ts[-1])
    require_short(clip, last - first, shared.settings.seconds)
    field = of_clip((other or clip).observations(), shared)
    meta, start = described(clip, seed), observed.ws[0]
    path = AmortisedPath(settings, shared.settings, field, shared.axes, start, None, (first, last), {}, meta)
    left, variance = observed.ws - path(observed.ts), observed.ws.var(0, unbiased=False).mean().clamp(min=1e-12)
    log = {"shared_error": float(left.square().mean() / variance), "context": shared.settings.context}
    if settings.fits_rest:
        with torch.enable_grad():
            rest = single.fit(dataclasses.replace(observed, ws=left), settings.own, seed, device=how.device)
        assert isinstance(rest, NeuralODE), "a clip of one shot has one path"
        path.rest = rest
        log["parameters"] = rest.log["parameters"]
    error = (path(observed.ts) - observed.ws).square().mean() / variance
    path.log = {"observed_error": float(error), "seconds": round(time.time() - began, 3), "parameters": 0, **log}
    return path


def of_clip(observed: Clip, shared: Shared) -> FieldOfClip | SequenceOfClip:
    """The shared field with the context that the encoder infers from observed codes, or a shared model with their states."""
    states, ts = shared.axes.encode(observed.ws), (observed.ts - observed.ts[0]).float()
    if isinstance(shared, SharedField):
        return FieldOfClip(shared.field, shared.encoder(states[None], ts[None])[0])
    return SequenceOfClip(shared.model, states, ts)


def require_short(clip: Clip, seconds: float, at_most: float) -> None:
    """Raises UserError for a shot that is longer than those the field learned from."""
    if seconds > at_most * LONGER:
        raise UserError(
            f"{clip.name} is observed over {seconds:g} s, {NAME} learned from clips of {at_most:g} s: "
            "fit a part of it, or fit dynode."
        )


def inputs_of(clip: Clip, settings: AmortisedSettings) -> str:
    """A hash of the shared field that a fit reads."""
    return field_files.hash_of(field_files.path_for(clip, settings.file))


METHODS.add(NAME, Method(NAME, AmortisedSettings(), fit, AmortisedPath, inputs=inputs_of))
