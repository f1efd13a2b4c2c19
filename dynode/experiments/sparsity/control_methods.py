"""Methods beside `dynode[amortised]` that show what its errors are due to, and where what they learned lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynode.clips import Clip
from dynode.experiments.sparsity.conditions import Sampling
from dynode.experiments.sparsity.subjects import GENERATORS
from dynode.experiments.test_set import episode_sets
from dynode.io import assets

# Controls of dynode[amortised]: the context of another clip; fields trained alike that see the state by a matrix, or not at all;
# in place of the field, sequence models trained alike; and `prior`, its kernel learned from the same clips.
OTHER_CONTEXT, PRIOR = "dynode[amortised,other context]", "prior[amortised]"
TRAINED = {"dynode[amortised,linear]": "linear", "dynode[amortised,no z]": "none"}
TRAINED |= {"gru[amortised]": "gru", "latent_ode[amortised]": "latent_ode", PRIOR: "prior"}
CONTROLS = (OTHER_CONTEXT, *TRAINED)


@dataclass(frozen=True)
class Controls:
    """Methods that are measured under some conditions alone: at these strides, and at these horizons."""

    methods: Sequence[str] = ()
    strides: Sequence[int] = ()
    hidden_ends: Sequence[int] = ()

    def at(self, sampling: Sampling, clip: Clip) -> list[str]:
        """Those that are measured under a condition, on a clip."""
        chosen = sampling.hidden_end in self.hidden_ends if sampling.hidden_end else sampling.stride in self.strides
        return [name for name in self.methods if chosen and is_trained(name, clip.meta["generator"])]


NO_CONTROLS = Controls()


def trained(generator: str, kind: str) -> Path:
    """The file of what clips of a generator share, by `TRAINED`, where `make fields` leaves it."""
    return assets.own_dir() / "training" / "dynamics" / f"{generator}.{kind}.safetensors"


def say_untrained(controls: Sequence[str], sets: Sequence[str]) -> None:
    """Print which controls are left out, since what they share was not trained here."""
    worlds = dict.fromkeys(GENERATORS[episode_sets()[name].world] for name in sets)
    for generator in worlds:
        if lost := [name for name in controls if not is_trained(name, generator)]:
            print(f"Not trained here for {generator}, so left out: {', '.join(lost)}.  `make fields` trains them.")


def is_trained(control: str, generator: str) -> bool:
    """Whether a control can be measured on codes of a generator: of those with a file of their own it has to be there."""
    return control not in TRAINED or trained(generator, TRAINED[control]).is_file()
