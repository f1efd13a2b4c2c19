"""Quality of an inversion as its clip records it: mean and worst frame, and frames whose codes have not arrived."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from dynode.clips import Clip

# No frame of the shipped clips has more than 3.1 times the median MSE of the others, or more than 0.028.  Of the four people
# in the assets, frames of one have an identity cosine of 0.66 and more, frames of two at most 0.24.
UNUSUAL = 3.5  # times the median MSE of the other frames
FAR = 0.05  # MSE of a frame in [-1, 1]
ALIKE = 0.9  # identity cosine of a face and its image
SAME_PERSON = 0.5  # mean identity cosine
SAME_TIME = 1e-4  # seconds
METRICS = {"mse": "MSE", "lpips_vgg": "LPIPS-VGG", "lpips_alex": "LPIPS-Alex", "identity": "identity cosine"}
FEWEST = 2  # frames among which one can be unusual


@dataclass(frozen=True, repr=False)
class InversionQuality:
    """Numbers of the inverted frames, at times (n,) in seconds: lists by the metric's name in a clip's metadata.

    settings: those of the projection.  Empty where a clip records nothing, or other frames than it holds.
    """

    ts: tuple[float, ...] = ()
    values: dict[str, tuple[float, ...]] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)

    def __repr__(self):
        return f"<InversionQuality of {len(self.ts)} frames: {self.text or 'nothing recorded'}>"

    def __bool__(self):
        return "mse" in self.values

    def at(self, ts: Iterable[float]) -> "InversionQuality":
        """The frames of these times alone."""
        wanted = np.asarray(list(ts))
        kept = [k for k, t in enumerate(self.ts) if len(wanted) and np.abs(wanted - t).min() < SAME_TIME]
        values = {name: tuple(each[k] for k in kept) for name, each in self.values.items()}
        return InversionQuality(tuple(self.ts[k] for k in kept), values if kept else {}, self.settings)

    @property
    def not_arrived(self) -> list[int]:
        """Frames that are far from their code's image: far more than the others, or far by any measure.

        Not where a face is alike and what is off is behind it, which a generator of faces may not have.
        """
        mse = np.array(self.values.get("mse", ()))
        unlike = np.array(self.values.get("identity") or [0.0] * len(mse)) < ALIKE
        usual = [np.median(np.delete(mse, k)) if len(mse) >= FEWEST else np.inf for k in range(len(mse))]
        return np.flatnonzero(((mse > FAR) & (unlike | (mse > 2 * FAR))) | (mse > UNUSUAL * np.array(usual))).tolist()

    @property
    def text(self) -> str:
        """Mean and worst of every metric, in one line; "" where nothing is known."""
        parts = []
        for name, label in METRICS.items():
            if values := self.values.get(name):
                worst = (min if name == "identity" else max)(range(len(values)), key=values.__getitem__)
                parts.append(
                    f"mean {label} {np.mean(values):.4f} (worst {values[worst]:.4f} at {self.ts[worst]:.2f} s)"
                )
        return ", ".join(parts)

    @property
    def remarks(self) -> list[str]:
        """A sentence for frames that have not arrived, and one for a face that hardly looks like its source."""
        return [line for line in (self.arrival_remark, self.identity_remark) if line]

    def remarks_before(self, faces: bool) -> list[str]:
        """The same; without that on identity where a comparison of faces follows, which has a sentence on it."""
        return [line for line in self.remarks if not (faces and line == self.identity_remark)]

    @property
    def arrival_remark(self) -> str:
        late = self.not_arrived
        if not late:
            return ""
        named = ", ".join(f"{self.ts[k]:.2f}" for k in late[:8]) + (", ..." if len(late) > 8 else "")
        worst, one = max(self.values["mse"][k] for k in late), len(late) == 1
        return (
            f"{len(late)} of {len(self.ts)} inverted frames {'has' if one else 'have'} not arrived, at {named} s (MSE up to {worst:.4f}): "
            f"what {'it shows' if one else 'they show'} is not in the footage; invert {'it' if one else 'them'} with {self.remedy}."
        )

    @property
    def identity_remark(self) -> str:
        values = self.values.get("identity", ())
        if not values or np.mean(values) >= SAME_PERSON:
            return ""
        return (
            f"The mean identity cosine {np.mean(values):.2f} is low: two frames of one person have 0.66 or more, two "
            "people 0.24 or less; more steps may help, a larger face more."
        )

    @property
    def remedy(self) -> str:
        """Settings that give a frame more steps, or a start of its own."""
        first, steps = (
            2 * max(self.settings.get(name, 0), least) for name, least in (("first_steps", 200), ("steps", 40))
        )
        if "window" in self.settings:  # of frames that are inverted together
            return f"more steps, such as steps={2 * self.settings['steps']} and first_steps={2 * self.settings['first_steps']}"
        if self.settings.get("start", "previous") != "previous":
            return f"-p first_steps={first}"
        return f"-p steps={steps} -p first_steps={first}, or each by itself with --protocol independent"


def inversion_quality(clip: Clip) -> InversionQuality:
    """What a clip's metadata record of its frames."""
    detected = np.ones(len(clip), dtype=bool) if clip.detected is None else clip.detected.numpy()
    ts = clip.ts.numpy()[detected]
    values = {name: tuple(clip.meta[name]) for name in METRICS if len(clip.meta.get(name, ())) == len(ts)}
    return InversionQuality(tuple(ts.tolist()) if values else (), values, clip.meta.get("settings", {}))
