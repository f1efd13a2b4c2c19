"""Named settings of the dynamics.  `dynode` is the neural ODE of this package and the default; the others are frozen.

paper     the paper's own choices: codes as they are, raw frame index as time, Adam 0.01 constant, sums of squares, with the
          latent, image, LPIPS and identity losses; `latent_only` keeps the first of them.
paper_scaled  as `paper` where its text speaks (losses, Adam 0.01 constant, 5,000 iterations, dopri5), and where it is silent
          so that it trains: time in [0, 1], codes about their mean over their RMS, last layer zero, DEPTH chosen by
          observed frames left out.
demo      the settings of the authors' published example: an autonomous field of constant speed (normalised over the style
          rows), latent loss only, Adam with StyleGAN's lazy-regularisation arithmetic, the code's index as time.
robust    the paper's method with stable training: standardised codes, Fourier time, zero start, cosine schedule, clipped
          gradients; intervals between observations are solved in parallel first, whole roll-outs finish the fit.
subspace  as `robust`, in the affine subspace of the observed codes, with tanh: a fit takes seconds.
exact     an MLP alone, in the same subspace, whose roll-out from the first observation interpolates all others, by a few
          Gauss-Newton steps on all intervals, from a field of zero.
dynode    an MLP alone, in the same subspace, whose roll-out from the first observation passes the others as nearly as their
          noise makes probable, which observations left out choose; by Picard iterations of the last layer, and Gauss-Newton
          steps of all layers where these pay.  The motion may have a period.
dynode[no z]  as `dynode`, but the MLP does not see the state: a curve in time alone.  Where it is level, a state adds nothing.
trend+mlp     an MLP beside a smooth trend (a Gaussian process) through the observations, in the same subspace; the path is
          solved from the observation before and the one after each time, and interpolates both.  No roll-out from the first code.
trend     as `trend+mlp` without training, its MLP left at zero.  Where it is level, the network adds nothing.
calm      as `trend+mlp`, but the path interpolates the denoised codes (the trend's posterior mean): for noisy inversions.
visible   as `trend+mlp`, in a subspace weighted by the visible change of the image: for codes whose noise is invisible, such
          as an encoder's.

`auto` is no preset of these, but chooses among `trend`, `dynode` and baselines: `dynode.dynamics.leave_one_out`.
"""

import dataclasses
from dataclasses import dataclass

from dynode.dynamics.fields import FieldSettings
from dynode.dynamics.fitting.losses import LossSettings
from dynode.dynamics.solvers.rollout import SolverSettings
from dynode.errors import UserError
from dynode.settings import choose, require_positive


@dataclass(frozen=True)
class TrainingSettings:
    """Each iteration draws `batch` of the observed frames at random, sorted, and rolls out from the first of them."""

    iterations: int = 5000  # of whole roll-outs
    segment_iterations: int = 0  # before them: every interval from its true code (multiple shooting)
    newton_steps: int = 0  # before both: Gauss-Newton steps on all intervals at once, at most
    newton_error: float = 1e-13  # at which these end, relative to the observed codes' variance
    probable_steps: int = 0  # instead: Gauss-Newton steps to the most probable weights under a prior, at most
    noise_at_most: float = 0.01  # their noise, in variance of the paths: more would be motion that images show
    batch: int = 5
    both_ways: bool = False  # intervals are also solved backward in time
    start: str = "subset"  # "subset": the earliest frame drawn | "first": always the first observed frame | "mixed"
    count_start: bool = False  # whether a mean includes the start frame, whose error is zero
    lr: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    schedule: str = "constant"  # or "cosine"
    grad_clip: float = 0.0  # 0: none
    reduction: str = "sum"  # "sum" over frames and entries (paper) | "mean"
    check_every: int = 50  # iterations between evaluations of the error at all observed frames
    keep: str = "best"  # the state with the lowest such error | "last"
    tube: float = 0.0  # scale of random offsets of starts and targets, see `dynode.dynamics.fitting.tube`; 0: none
    tolerance: float = 0.0  # of that error, relative to the observed codes' variance: training stops there

    def __post_init__(self):
        require_positive(self, "batch", "check_every")
        if max(self.betas) >= 1:
            raise UserError(f"The betas of Adam must be below 1, got {self.betas}.")

    @property
    def total(self) -> int:
        """Iterations of both kinds."""
        return self.segment_iterations + self.iterations


@dataclass(frozen=True)
class DynamicsSettings:
    """Everything a fit depends on, apart from the clip and the seed."""

    preset: str = "dynode"
    space: str = "subspace"
    clock: str = "unit"  # the field's time: "unit": observed span -> [0, 1] | "frame": frames | "index": code index
    path: str = "rollout"  # from the first code on | "blended": from the observations before and after each time
    meets: str = "codes"  # a blended path interpolates the observed codes | "trend": the trend's posterior mean there
    field: FieldSettings = dataclasses.field(default_factory=FieldSettings)
    solver: SolverSettings = dataclasses.field(default_factory=SolverSettings)
    segment_solver: SolverSettings = SolverSettings("rk4", step=0.25)  # of single intervals; step: fraction of one
    losses: LossSettings = dataclasses.field(default_factory=LossSettings)
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)

    def __post_init__(self):
        choose("path", self.path, ["rollout", "blended"])
        choose("kind of interpolated codes", self.meets, ["codes", "trend"])

    @property
    def label(self) -> str:
        """The method's name in records, which marks a preset that is run in part, shortened or changed."""
        whole = PRESETS[self.preset]
        changes = []
        if self.losses != whole.losses and self.losses == latent_only(whole).losses:
            whole = latent_only(whole)
            changes.append("latent")
        lengths = {key: getattr(self.training, key) for key in ("iterations", "segment_iterations")}
        training = dataclasses.replace(whole.training, **lengths)
        deeper = dataclasses.replace(whole.field, depth=self.field.depth)
        if self != dataclasses.replace(whole, field=deeper, training=training):
            changes.append("changed")
        else:
            changes += [f"{self.training.total}/{whole.training.total}"] * (training != whole.training)
            changes += [f"depth {self.field.depth}"] * (deeper != whole.field)
        return f"{self.preset}[{','.join(changes)}]" if changes else self.preset


def latent_only(settings: DynamicsSettings) -> DynamicsSettings:
    """The same settings with the latent loss alone, which needs no GPU."""
    return dataclasses.replace(settings, losses=LossSettings())


PAPER_LOSSES = LossSettings(latent=1.0, image=1.0, lpips=0.8, identity=0.1)

DEMO_TRAINING = TrainingSettings(
    iterations=20_000,
    count_start=True,
    lr=2e-4 * 0.8,  # StyleGAN's lazy regularisation: lr * c, betas ** c with c = 4/5
    betas=(0.0**0.8, 0.99**0.8),
    reduction="mean",
    check_every=500,
    keep="last",
)

ROBUST_TRAINING = TrainingSettings(
    iterations=1000,
    segment_iterations=4000,
    batch=8,
    start="first",
    lr=1e-3,
    schedule="cosine",
    grad_clip=1.0,
    reduction="mean",
    tolerance=5e-3,
)

PRESETS = {
    "paper": DynamicsSettings("paper", space="wplus", clock="frame", field=FieldSettings(depth=5), losses=PAPER_LOSSES),
    "paper_scaled": DynamicsSettings(
        "paper_scaled",
        space="standardised",
        field=FieldSettings(depth=0, hidden=64, zero_init=True),
        losses=PAPER_LOSSES,
    ),
    "demo": DynamicsSettings(
        "demo",
        space="wplus",
        clock="index",
        field=FieldSettings(depth=4, time_features="none", normalise="layer"),
        solver=SolverSettings(rtol=1e-7, atol=1e-9),
        training=DEMO_TRAINING,
    ),
    "robust": DynamicsSettings(
        "robust",
        space="standardised",
        field=FieldSettings(
            depth=3, activation="silu", time_features="fourier", layout="shared+row-embedding", zero_init=True
        ),
        training=ROBUST_TRAINING,
    ),
    "subspace": DynamicsSettings(
        "subspace",
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
    "exact": DynamicsSettings(
        "exact",
        space="subspace",
        field=FieldSettings(
            depth=2, hidden=64, activation="tanh", time_features="fourier", layout="joint", zero_init=True
        ),
        solver=SolverSettings(rtol=1e-6, atol=1e-7),
        segment_solver=SolverSettings("rk4", step=0.1),
        training=TrainingSettings(iterations=0, newton_steps=30, start="first", reduction="mean"),
    ),
    "dynode": DynamicsSettings(
        "dynode",
        space="subspace",
        field=FieldSettings(
            depth=1,
            hidden=768,
            activation="tanh",
            time_features="waves",
            layout="joint",
            zero_init=True,
            recurring=True,
            waves=1.0,
            spread=4.0,
            state_spread=0.1,
            scaled=True,
        ),
        solver=SolverSettings(rtol=1e-5, atol=1e-6),
        training=TrainingSettings(
            iterations=0, probable_steps=6, start="first", reduction="mean", check_every=1, keep="last"
        ),
    ),
    "trend+mlp": DynamicsSettings(
        "trend+mlp",
        space="subspace",
        path="blended",
        field=FieldSettings(
            depth=2,
            hidden=32,
            activation="tanh",
            time_features="fourier",
            frequencies=10,
            layout="joint",
            zero_init=True,
            drift="trend",
            recurring=True,
        ),
        training=TrainingSettings(
            iterations=0,
            segment_iterations=100,  # few: the residual of the trend is mostly jitter of the inversion
            batch=8,
            start="first",
            both_ways=True,
            lr=3e-3,
            schedule="cosine",
            grad_clip=1.0,
            reduction="mean",
            check_every=10,
            keep="last",
        ),
    ),
}
PRESETS["dynode[no z]"] = dataclasses.replace(
    PRESETS["dynode"], preset="dynode[no z]", field=dataclasses.replace(PRESETS["dynode"].field, sees_state=False)
)
PRESETS["trend"] = dataclasses.replace(
    PRESETS["trend+mlp"],
    preset="trend",
    training=dataclasses.replace(PRESETS["trend+mlp"].training, segment_iterations=0),
)
PRESETS["calm"] = dataclasses.replace(PRESETS["trend+mlp"], preset="calm", meets="trend")
PRESETS["visible"] = dataclasses.replace(PRESETS["trend+mlp"], preset="visible", space="visible")


def preset(name: str) -> DynamicsSettings:
    """The settings of that name, or a UserError naming the nearest legal one."""
    return choose("preset", name, PRESETS)
