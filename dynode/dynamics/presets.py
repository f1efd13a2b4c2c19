"""Named settings of the dynamics. `dynode` is what this package recommends; the others are frozen.

paper   the text's own choices: codes as they are, raw frame index as time, Adam 0.01 constant, sum of squares.
        Here with the latent loss only; its outputs are labelled `paper[latent]`.
robust  the same idea made trainable: standardised codes, Fourier time, zero start, cosine schedule, clipped gradients.
dynode  robust in the affine subspace of the observed codes, where a fit takes seconds, with the smooth bounded tanh;
        every interval between drawn observations is solved in parallel first, whole roll-outs finish the fit.
"""

import dataclasses
from dataclasses import dataclass

from dynode.dynamics.fields import FieldSettings
from dynode.dynamics.integrate import SolverSettings
from dynode.settings import choose


@dataclass(frozen=True)
class TrainingSettings:
    """Each iteration draws `batch` of the observed frames, sorted, and rolls out from the first one drawn."""

    iterations: int = 5000  # of whole roll-outs
    segment_iterations: int = 0  # before them: every interval from its true code (multiple shooting)
    batch: int = 5
    start: str = "subset"  # "subset": the earliest frame drawn | "first": always the first observed frame
    lr: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    schedule: str = "constant"  # or "cosine"
    grad_clip: float = 0.0  # 0: none
    reduction: str = "sum"  # "sum" over frames and entries (paper) | "mean"
    check_every: int = 50  # iterations between looks at the loss over all observed frames; the best state is kept
    tolerance: float = 0.0  # stop once that loss is below this share of the observed codes' variance

    @property
    def total(self) -> int:
        return self.segment_iterations + self.iterations


@dataclass(frozen=True)
class DynamicsSettings:
    """Everything a fit depends on, apart from the clip and the seed."""

    preset: str = "dynode"
    space: str = "subspace"
    clock: str = "unit"  # the field's time: "unit" maps the observed span to [0, 1] | "frame" counts frames
    field: FieldSettings = dataclasses.field(default_factory=FieldSettings)
    solver: SolverSettings = dataclasses.field(default_factory=SolverSettings)
    segment_solver: SolverSettings = SolverSettings("rk4", step=0.25)  # step: share of an interval
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)

    @property
    def label(self) -> str:
        """The method's name in records; says so when the preset is run in part, shortened or changed."""
        whole = PRESETS[self.preset]
        base = f"{self.preset}[latent]" if self.preset == "paper" else self.preset
        if self == whole:
            return base
        mine, full = self.training.total, whole.training.total
        shortened = dataclasses.replace(
            whole,
            training=dataclasses.replace(
                whole.training,
                iterations=self.training.iterations,
                segment_iterations=self.training.segment_iterations,
            ),
        )
        return f"{base}[{mine}/{full}]" if self == shortened else f"{base}[changed]"


ROBUST_TRAINING = TrainingSettings(
    iterations=5000, lr=1e-3, schedule="cosine", grad_clip=1.0, reduction="mean", start="first"
)

PRESETS = {
    "paper": DynamicsSettings("paper", space="wplus", clock="frame", field=FieldSettings(depth=5)),
    "robust": DynamicsSettings(
        "robust",
        space="standardised",
        field=FieldSettings(
            depth=3, activation="silu", time_features="fourier", layout="shared+row-embedding", zero_init=True
        ),
        training=ROBUST_TRAINING,
    ),
    "dynode": DynamicsSettings(
        "dynode",
        space="subspace",
        field=FieldSettings(
            depth=2, hidden=128, activation="tanh", time_features="fourier", layout="joint", zero_init=True
        ),
        training=TrainingSettings(
            iterations=10,
            segment_iterations=2000,
            batch=24,
            start="first",
            lr=3e-3,
            schedule="cosine",
            grad_clip=1.0,
            reduction="mean",
            check_every=100,
            tolerance=1e-4,
        ),
    ),
}


def preset(name: str) -> DynamicsSettings:
    """The settings of that name, or a UserError naming the nearest legal one."""
    return choose("preset", name, PRESETS)
