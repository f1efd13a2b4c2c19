"""The questions: what is chosen, under which conditions it is judged, and against whom."""

from dataclasses import dataclass, field, replace

from dynode.dynamics import methods
from dynode.dynamics.presets import DynamicsSettings
from dynode.experiments.ablations.conditions import Condition
from dynode.settings import changed


@dataclass(frozen=True)
class Way:
    """One choice: the preset `base` with some settings changed, or the interpolation of that name.

    reading: settings that are changed after the fit, such as the solver or the path.
    """

    changes: dict = field(default_factory=dict)
    base: str = "dynode"
    reading: dict = field(default_factory=dict)

    @property
    def learned(self) -> bool:
        return self.base in methods.LEARNED

    def settings(self, most: int = 0) -> DynamicsSettings | None:
        """The settings to fit with, of at most so many iterations where `most` is not 0."""
        if not self.learned:
            return None
        settings = changed(methods.LEARNED[self.base], self.changes)
        keys = ("iterations", "segment_iterations")
        lengths = {key: min(most, getattr(settings.training, key)) for key in keys}
        return replace(settings, training=replace(settings.training, **lengths)) if most else settings

    @property
    def drawn(self) -> bool:
        """Whether another seed fits another path: a field of zero that learns nothing is the trend alone."""
        training = self.settings().training if self.learned else None
        return bool(training and (training.total or training.newton_steps))

    @property
    def label(self) -> str:
        """The method's name in records."""
        return self.settings().label if self.learned else self.base


@dataclass(frozen=True)
class Question:
    """What is asked; the ways to choose, by their names; the conditions that each is judged under.

    over: whom skill is measured against.  worlds: asked of the first so many clips of worlds alone, because its
    fits are dear; 0: of all clips.
    """

    asks: str
    ways: dict[str, Way]
    conditions: dict[str, Condition] = field(default_factory=lambda: {"": Condition()})
    over: str = "linear"
    worlds: int = 0

    def variants(self, name: str) -> dict[str, str]:
        """What its rows say for each way and condition; `name` is the question's own."""
        pairs = [(way, condition) for condition in self.conditions for way in self.ways]
        return {variant(name, *pair).partition(": ")[2]: variant(name, *pair) for pair in pairs}

    def series(self, name: str) -> dict[str, dict[str, str]]:
        """What its rows say: way -> condition -> variant."""
        return {way: {under: variant(name, way, under) for under in self.conditions} for way in self.ways}


def variant(question: str, way: str, condition: str = "") -> str:
    return f"{question}: {way}" + (f", {condition}" if condition else "")


ALONE = {  # an MLP has more to learn where no trend helps: more of it, with the paper's learning rate
    "field.drift": "none",
    "field.hidden": 64,
    "training.segment_iterations": 200,
    "training.batch": 16,
    "training.lr": 1e-2,
}
TREND = {"training.segment_iterations": 0}
AUTONOMOUS = {"field.time_features": "none"}
NEAR = {"training.newton_error": 1e-8}  # less exact than `exact`, and in half of its time
ROLLED = {"path": "rollout"}


def set_to(key: str, values, base: dict | None = None) -> dict[str, Way]:
    """A way for each value of one setting."""
    return {str(value): Way((base or {}) | {key: value}) for value in values}


def times(base: dict | None = None) -> dict[str, Way]:
    """The field is told no time, the time, or waves of it."""
    base = base or {}
    plain = {"none": Way(base | AUTONOMOUS), "raw": Way(base | {"field.time_features": "raw"})}
    return plain | {f"{k} waves": Way(base | {"field.frequencies": k}) for k in (10, 20)}


SPACES = ("wplus", "standardised", "subspace")
OBSERVERS = {"dynode": Way(), "cubic": Way(base="cubic"), "catmull_rom": Way(base="catmull_rom")}
NOISY = OBSERVERS | {"calm": Way(base="calm"), "all motion": Way({"field.trend_noise": False})}
UNIT_SPEED = ALONE | {"field.normalise": "global"}

FIELD = {
    "DEPTH": Question("How often the block repeats, with the trend.", set_to("field.depth", range(1, 6))),
    "DEPTH, alone": Question(
        "The same for an MLP without a trend.", set_to("field.depth", range(1, 6), ALONE), worlds=3
    ),
    "time": Question("What the field is told of time, with the trend.", times()),
    "time, alone": Question(
        "The same without a trend: with no time at all the field is autonomous.", times(ALONE), worlds=3
    ),
    "autonomy": Question(
        "One roll-out through all observations by Gauss-Newton steps, with and without time.",
        {"time": Way(NEAR, base="exact"), "autonomous": Way(NEAR | AUTONOMOUS, base="exact")},
        worlds=2,
    ),
    "speed": Question(
        "The field's norm as it is, or fixed (over all, or for each number as the demo does in its layers), without a trend.",
        {
            "free": Way(UNIT_SPEED | {"field.normalise": "none"}),
            "unit": Way(UNIT_SPEED),
            "learned unit": Way(UNIT_SPEED | {"field.learned_speed": True}),
            "per number": Way(UNIT_SPEED | {"field.normalise": "layer"}),
        },
        worlds=3,
    ),
}

STATE = {
    "state": Question(
        "Codes as they are, standardised, or in their subspace, with the trend.", set_to("space", SPACES), worlds=2
    ),
    "state, alone": Question(
        "The same without a trend.", set_to("space", SPACES, ALONE | {"training.segment_iterations": 100}), worlds=1
    ),
}

TRAINING = {
    "trend": Question(
        "The MLP alone, the trend alone (also when it takes all for motion), both, and what needs no fit.",
        {
            "MLP alone": Way(ALONE),
            "trend alone": Way(TREND),
            "both": Way(),
            "all motion": Way(TREND | {"field.trend_noise": False}),
            "catmull_rom": Way(base="catmull_rom"),
            "cubic": Way(base="cubic"),
        },
    ),
    "iterations": Question(
        "How long the MLP learns beside the trend.", set_to("training.segment_iterations", (0, 25, 100, 300))
    ),
    "path": Question(
        "Solved from both neighbouring observations and blended, or rolled out from the first.",
        {
            "blended": Way(),
            "rolled out": Way(reading=ROLLED),
            "trend rolled out": Way(TREND, reading=ROLLED),
            "exact": Way(NEAR, base="exact"),
        },
        worlds=2,
    ),
}

OBSERVATIONS = {
    "sparsity": Question(
        "One frame in so many is observed.",
        OBSERVERS,
        {f"1/{stride}": Condition(stride=stride) for stride in (2, 4, 8)},
    ),
    "regularity": Question(
        "As many frames at regular times, or drawn.",
        NOISY,
        {sampling: Condition(sampling) for sampling in ("regular", "irregular")},
    ),
    "gap": Question(
        "So many neighbouring frames are missing; they are judged.",
        OBSERVERS,
        {str(gap): Condition(gap=gap) for gap in (3, 7, 15)},
    ),
    "jitter": Question(
        "Noise on the observed codes, as a share of their standard deviation; judged by the clean ones.",
        NOISY,
        {str(noise): Condition(noise=noise) for noise in (0.0, 0.1, 0.2, 0.4)},
    ),
    "extrapolation": Question(
        "So many frames after the last observed one, against holding it.",
        OBSERVERS,
        {str(ahead): Condition(hidden_end=12, ahead=ahead) for ahead in (1, 2, 4, 8, 12)},
        over="hold",
    ),
}

IN_IMAGES = Question(
    "What the codes look like: of the MLP alone, the trend alone, both, one roll-out, and curves that need no fit.",
    {
        "MLP alone": Way(ALONE),
        "trend alone": Way(TREND),
        "all motion": Way(TREND | {"field.trend_noise": False}),
        "both": Way(),
        "exact": Way(NEAR, base="exact"),
        "catmull_rom": Way(base="catmull_rom"),
        "cubic": Way(base="cubic"),
    },
)

IN_SPACES = Question(
    "The same frames in W+, in W and in Z.",
    {"linear": Way(base="linear"), "dynode": Way(), "cubic": Way(base="cubic")},
)

LONG = ALONE | {"field.frequencies": 4, "training.segment_iterations": 400, "training.both_ways": False}
KNOWN_PATHS = Question(
    "One roll-out with and without time, learned alike; by Gauss-Newton steps; our default; curves that need no fit.",
    {
        "time": Way(LONG, reading=ROLLED),
        "autonomous": Way(LONG | AUTONOMOUS, reading=ROLLED),
        "exact": Way(base="exact"),
        "dynode": Way(),
        "never recurring": Way({"field.recurring": False}),
        "cubic": Way(base="cubic"),
        "linear": Way(base="linear"),
    },
)

QUICK_INTERVALS = {"training.batch": 4, "training.both_ways": False, "training.lr": 1e-2, "losses.resolution": 64}


def losses(iterations: int) -> Question:
    """What a few iterations do under each loss; images are dear, so that all get the same few."""
    few = QUICK_INTERVALS | {"training.segment_iterations": iterations}
    return Question(
        "What is compared in a few iterations: codes, also images, also LPIPS-VGG (64 px).",
        {
            "latent": Way(few),
            "with image": Way(few | {"losses.image": 1.0}),
            "with LPIPS": Way(few | {"losses.image": 1.0, "losses.lpips": 0.8}),
        },
    )
