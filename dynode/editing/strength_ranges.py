"""Default strength and valid range of each shipped editor.

Within its range the editor's own attribute changes monotonically with the strength, on the mean of random codes.  The
ranges were chosen on some codes; notebook 07 measures all of them on others.  Outside the range an editor still works,
with a warning of `dynode edit`.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StrengthRange:
    """Strengths in the editor's own unit.  measures: the attribute to measure, where the editor's name is not one."""

    default: float
    low: float
    high: float
    measures: str = ""

    def ladder(self, rungs: int = 1) -> list[float]:
        """Rising strengths from `low` to `high`, 0 and the default among them, with `rungs` steps between these four."""
        fixed = sorted({self.low, 0.0, self.default, self.high})
        steps = [np.linspace(a, b, rungs + 1)[1:] for a, b in zip(fixed[:-1], fixed[1:], strict=True)]
        return [fixed[0], *map(float, np.concatenate(steps))]


def symmetric(default: float, most: float, measures: str = "") -> StrengthRange:
    return StrengthRange(default, -most, most, measures)


PLAIN = ("smile", "mouth_open", "pitch", "roll", "eyes_open", "lipstick", "hair_brightness", "skin_brightness")
PLAIN += ("happy", "surprised", "angry", "sad", "neutral")
IDENTITY_CHANGING = ("yaw", "age", "gender")  # from a strength of 2 on it is hardly the same person
SHIPPED: dict[str, dict[str, StrengthRange]] = {  # category of the generator -> METHOD:ATTRIBUTE -> range
    "face": {
        **{f"interfacegan:{attribute}": symmetric(2.0, 3.0) for attribute in PLAIN},
        **{f"interfacegan:{attribute}": symmetric(1.5, 3.0) for attribute in IDENTITY_CHANGING},
        "interfacegan:eyeglasses": symmetric(3.0, 4.0),  # at lower strengths most faces have none yet
        "latent-transformer:smile": StrengthRange(1.5, -1.0, 2.0),
        "latent-transformer:age": StrengthRange(1.0, -1.0, 1.5),
        "latent-transformer:gender": StrengthRange(1.0, -1.0, 1.5),
        "latent-transformer:lipstick": StrengthRange(1.0, -1.0, 1.5),
        "latent-transformer:mouth_open": StrengthRange(1.0, -1.0, 1.5),
        "styleclip:smile": StrengthRange(0.75, -1.0, 1.5),
        "styleclip:lipstick": StrengthRange(1.0, -1.0, 2.0),
        "ganspace:1": symmetric(1.0, 2.0, "gender"),
        "ganspace:2": symmetric(1.0, 2.0, "yaw"),
    },
    "scene": {
        "styleclip:mountain": symmetric(0.75, 1.0),  # more spoils the image: there are no higher mountains
        "flow:fog": symmetric(4.0, 4.0),  # more changes nothing: all is fog
        "flow:hour": StrengthRange(8.0, 0.0, 8.0),
        "flow:mountain": symmetric(4.0, 4.0),
        "ganspace:1": symmetric(2.0, 3.0, "mountain"),
        "ganspace:2": symmetric(2.0, 3.0, "fog"),
    },
    "isaac3d": {
        "latent-transformer:wall_color": symmetric(1.0, 1.0),
        "flow:wall_color": StrengthRange(4.0, 0.0, 8.0),
        "flow:sand_wall": StrengthRange(4.0, 0.0, 4.0, "wall_color"),
        "flow:lighting_intensity": symmetric(4.0, 6.0),
        "ganspace:1": symmetric(2.0, 3.0, "camera_height"),
        "ganspace:2": symmetric(2.0, 3.0, "camera_height"),
    },
}
MEASURED_ON = ("mobilestylegan-ffhq", "stylegan2-scene-factors", "stylegan2-isaac3d-factors")  # by their generators
UNITS = {  # of a strength, by method
    "flow": "length of the path in W",
    "ganspace": "standard deviations of random codes",
    "interfacegan": "standard deviations of random codes",
    "latent-transformer": "1: to the opposite class",
    "styleclip": "1: as trained",
}
UNNAMED = "ganspace"  # its components have no attribute of their own: `measures` is one that they change strongly


def range_of(name: str, category: str) -> StrengthRange | None:
    """The range of an editor METHOD:ATTRIBUTE, also of "interfacegan:smile|age"; None for one that does not ship."""
    return SHIPPED.get(category, {}).get(name.partition("|")[0])


def range_warning(name: str, strength: float, category: str) -> str:
    """A sentence for a strength outside the editor's range, else nothing."""
    valid = range_of(name, category)
    if valid is None or valid.low <= strength <= valid.high:
        return ""
    return (
        f"{name} {strength:g} is outside its range, {valid.low:g} to {valid.high:g}, where its attribute changes "
        "monotonically: check the result."
    )
