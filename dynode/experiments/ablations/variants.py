"""The ablations: variants of the settings, the conditions that they are evaluated under, and their baseline."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from dynode.dynamics import methods
from dynode.dynamics.presets import DynamicsSettings
from dynode.experiments.ablations.conditions import Condition
from dynode.settings import changed


@dataclass(frozen=True)
class Variant:
    """One choice: the preset `base` with some settings changed, or the interpolation of that name.

    solve_with: settings that are changed after the fit, such as the solver or the path.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    base: str = "trend+mlp"
    solve_with: dict[str, Any] = field(default_factory=dict)

    def settings(self, max_iterations: int = 0) -> DynamicsSettings | None:
        """The settings to fit with, limited to `max_iterations` where that is not 0; None for an interpolation."""
        preset = methods.settings_of(self.base)
        if preset is None:
            return None
        settings = changed(preset, self.changes)
        keys = ("iterations", "segment_iterations")
        limited = {key: min(max_iterations, getattr(settings.training, key)) for key in keys}
        return replace(settings, training=replace(settings.training, **limited)) if max_iterations else settings

    @property
    def random(self) -> bool:
        """Whether another seed gives another path: a field of zero that learns nothing is the trend alone."""
        settings = self.settings()
        return settings is not None and bool(settings.training.total or settings.training.newton_steps)

    @property
    def label(self) -> str:
        """The method's name in records."""
        settings = self.settings()
        return self.base if settings is None else settings.label


@dataclass(frozen=True)
class Ablation:
    """Variants by name, evaluated under conditions by name.

    description: one sentence for the reader of its table.  baseline: the method that skill is measured against.
    worlds: evaluated on the first `worlds` clips of worlds only, because its fits are expensive; 0: on all clips.
    """

    description: str
    variants: dict[str, Variant]
    conditions: dict[str, Condition] = field(default_factory=lambda: {"": Condition()})
    baseline: str = "linear"
    worlds: int = 0

    def row_variants(self, name: str) -> dict[str, str]:
        """Label -> the `variant` of its rows, for each condition and variant; `name` is the ablation's own."""
        pairs = [(variant, condition) for condition in self.conditions for variant in self.variants]
        return {row_variant(name, *pair).partition(": ")[2]: row_variant(name, *pair) for pair in pairs}

    def series(self, name: str) -> dict[str, dict[str, str]]:
        """Variant -> condition -> the `variant` of their rows."""
        return {
            variant: {condition: row_variant(name, variant, condition) for condition in self.conditions}
            for variant in self.variants
        }


def row_variant(ablation: str, variant: str, condition: str = "") -> str:
    """The field `variant` of a row of an ablation."""
    return f"{ablation}: {variant}" + (f", {condition}" if condition else "")


ALONE = {  # without a trend the MLP has more to learn: more iterations, with the paper's learning rate
    "field.drift": "none",
    "field.hidden": 64,
    "training.segment_iterations": 200,
    "training.batch": 16,
    "training.lr": 1e-2,
}
TREND = {"training.segment_iterations": 0}
AUTONOMOUS = {"field.time_features": "none"}
NEAR = {"training.newton_error": 1e-8}  # less exact than `exact`, in half of its time
ROLLED = {"path": "rollout"}


def sweep(key: str, values: Iterable, base: dict | None = None) -> dict[str, Variant]:
    """A variant for each value of one setting."""
    return {str(value): Variant((base or {}) | {key: value}) for value in values}


def time_features(base: dict | None = None) -> dict[str, Variant]:
    """Time input of the field: none, raw t, or Fourier features."""
    base = base or {}
    plain = {"none": Variant(base | AUTONOMOUS), "raw": Variant(base | {"field.time_features": "raw"})}
    return plain | {f"{k} waves": Variant(base | {"field.frequencies": k}) for k in (10, 20)}


SPACES = ("wplus", "standardised", "subspace")
OBSERVERS = {
    "dynode": Variant(base="dynode"),
    "trend+mlp": Variant(),
    "cubic": Variant(base="cubic"),
    "catmull_rom": Variant(base="catmull_rom"),
}
NOISY = OBSERVERS | {"calm": Variant(base="calm"), "all motion": Variant({"field.trend_noise": False})}
UNIT_SPEED = ALONE | {"field.normalise": "global"}

FIELD = {
    "DEPTH": Ablation("Number of repetitions of the block, with the trend.", sweep("field.depth", range(1, 6))),
    "DEPTH, alone": Ablation(
        "The same for an MLP without a trend.", sweep("field.depth", range(1, 6), ALONE), worlds=3
    ),
    "time": Ablation("Time input of the field, with the trend.", time_features()),
    "time, alone": Ablation(
        "The same without a trend: without time input the field is autonomous.", time_features(ALONE), worlds=3
    ),
    "autonomy": Ablation(
        "One roll-out through all observations by Gauss-Newton steps, with and without time input.",
        {"time": Variant(NEAR, base="exact"), "autonomous": Variant(NEAR | AUTONOMOUS, base="exact")},
        worlds=2,
    ),
    "speed": Ablation(
        "The field's norm as it is, or fixed (over all numbers, or for each as the demo does in its layers), without a "
        "trend.",
        {
            "free": Variant(UNIT_SPEED | {"field.normalise": "none"}),
            "unit": Variant(UNIT_SPEED),
            "learned unit": Variant(UNIT_SPEED | {"field.learned_speed": True}),
            "per number": Variant(UNIT_SPEED | {"field.normalise": "layer"}),
        },
        worlds=3,
    ),
}

STATE = {
    "state": Ablation(
        "Codes as they are, standardised, or in their subspace, with the trend.", sweep("space", SPACES), worlds=2
    ),
    "state, alone": Ablation(
        "The same without a trend.", sweep("space", SPACES, ALONE | {"training.segment_iterations": 100}), worlds=1
    ),
}

TRAINING = {
    "trend": Ablation(
        "The MLP alone, the trend alone (also without a noise term), both, and interpolations that need no fit.",
        {
            "MLP alone": Variant(ALONE),
            "trend alone": Variant(TREND),
            "both": Variant(),
            "all motion": Variant(TREND | {"field.trend_noise": False}),
            "catmull_rom": Variant(base="catmull_rom"),
            "cubic": Variant(base="cubic"),
        },
    ),
    "iterations": Ablation(
        "Training iterations of the MLP beside the trend.", sweep("training.segment_iterations", (0, 25, 100, 300))
    ),
    "path": Ablation(
        "Solved from both neighbouring observations and blended, or rolled out from the first.",
        {
            "blended": Variant(),
            "rolled out": Variant(solve_with=ROLLED),
            "trend rolled out": Variant(TREND, solve_with=ROLLED),
            "exact": Variant(NEAR, base="exact"),
        },
        worlds=2,
    ),
}

OBSERVATIONS = {
    "sparsity": Ablation(
        "One frame in N is observed.",
        OBSERVERS,
        {f"1/{stride}": Condition(stride=stride) for stride in (2, 4, 8)},
    ),
    "regularity": Ablation(
        "The same number of frames at regular times, or at random ones.",
        NOISY,
        {sampling: Condition(sampling) for sampling in ("regular", "irregular")},
    ),
    "gap": Ablation(
        "N neighbouring frames are held out and evaluated.",
        OBSERVERS,
        {str(gap): Condition(gap=gap) for gap in (3, 7, 15)},
    ),
    "jitter": Ablation(
        "Noise on the observed codes, as a fraction of their standard deviation; evaluated on the clean codes.",
        NOISY,
        {str(noise): Condition(noise=noise) for noise in (0.0, 0.1, 0.2, 0.4)},
    ),
    "extrapolation": Ablation(
        "N frames after the last observed one, against holding it.",
        OBSERVERS,
        {str(horizon): Condition(hidden_end=12, horizon=horizon) for horizon in (1, 2, 4, 8, 12)},
        baseline="hold",
    ),
}

IN_IMAGES = Ablation(
    "Errors in images: the MLP alone, the trend alone, both, one roll-out, and curves that need no fit.",
    {
        "MLP alone": Variant(ALONE),
        "trend alone": Variant(TREND),
        "all motion": Variant(TREND | {"field.trend_noise": False}),
        "both": Variant(),
        "exact": Variant(NEAR, base="exact"),
        "catmull_rom": Variant(base="catmull_rom"),
        "cubic": Variant(base="cubic"),
    },
)

IN_SPACES = Ablation(
    "The same frames in W+, in W and in Z.",
    {
        "linear": Variant(base="linear"),
        "dynode": Variant(base="dynode"),
        "trend+mlp": Variant(),
        "cubic": Variant(base="cubic"),
    },
)

LONG = ALONE | {"field.frequencies": 4, "training.segment_iterations": 400, "training.both_ways": False}
KNOWN_PATHS = Ablation(
    "One roll-out with and without time input, trained alike; by Gauss-Newton steps; the default; curves that need no "
    "fit.",
    {
        "time": Variant(LONG, solve_with=ROLLED),
        "autonomous": Variant(LONG | AUTONOMOUS, solve_with=ROLLED),
        "exact": Variant(base="exact"),
        "dynode": Variant(base="dynode"),
        "never recurring": Variant({"field.recurring": False}, base="dynode"),
        "trend+mlp": Variant(),
        "cubic": Variant(base="cubic"),
        "linear": Variant(base="linear"),
    },
)

QUICK_INTERVALS = {"training.batch": 4, "training.both_ways": False, "training.lr": 1e-2, "losses.resolution": 64}


def losses(iterations: int) -> Ablation:
    """The same few iterations under each loss: iterations with images are expensive."""
    few = QUICK_INTERVALS | {"training.segment_iterations": iterations}
    return Ablation(
        "Loss of a few iterations: codes, also images, also LPIPS-VGG (64 px).",
        {
            "latent": Variant(few),
            "with image": Variant(few | {"losses.image": 1.0}),
            "with LPIPS": Variant(few | {"losses.image": 1.0, "losses.lpips": 0.8}),
        },
    )
