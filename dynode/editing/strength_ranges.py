"""How far the editors that ship are meant to go: the strength that is used, and between which strengths they hold.

"Hold" means that the editor's own attribute goes one way from `low` to `high`, on the mean of random codes.  The ranges
were chosen on some codes; notebook 07 measures all of them on others.  Beyond them an editor works, and `dynode edit`
says that nobody looked.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reach:
    """Strengths in the editor's own unit.  measures: the attribute that is looked at, where the editor's name tells none."""

    used: float
    low: float
    high: float
    measures: str = ""

    def ladder(self, rungs: int = 1) -> list[float]:
        """Strengths from `low` to `high`, rising, with 0 and the one used among them; between these `rungs` steps each."""
        fixed = sorted({self.low, 0.0, self.used, self.high})
        steps = [np.linspace(a, b, rungs + 1)[1:] for a, b in zip(fixed[:-1], fixed[1:], strict=True)]
        return [fixed[0], *map(float, np.concatenate(steps))]


def both_ways(used: float, most: float, measures: str = "") -> Reach:
    return Reach(used, -most, most, measures)


PLAIN = ("smile", "mouth_open", "pitch", "roll", "eyes_open", "lipstick", "hair_brightness", "skin_brightness")
PLAIN += ("happy", "surprised", "angry", "sad", "neutral")
WHO = ("yaw", "age", "gender")  # at 2 and more it is hardly the same person
SHIPPED: dict[str, dict[str, Reach]] = {  # category of the generator -> METHOD:ATTRIBUTE -> how far
    "face": {
        **{f"interfacegan:{attribute}": both_ways(2.0, 3.0) for attribute in PLAIN},
        **{f"interfacegan:{attribute}": both_ways(1.5, 3.0) for attribute in WHO},
        "interfacegan:eyeglasses": both_ways(3.0, 4.0),  # below it most faces have none yet
        "latent-transformer:smile": Reach(1.5, -1.0, 2.0),
        "latent-transformer:age": Reach(1.0, -1.0, 1.5),
        "latent-transformer:gender": Reach(1.0, -1.0, 1.5),
        "latent-transformer:lipstick": Reach(1.0, -1.0, 1.5),
        "latent-transformer:mouth_open": Reach(1.0, -1.0, 1.5),
        "styleclip:smile": Reach(0.75, -1.0, 1.5),
        "styleclip:lipstick": Reach(1.0, -1.0, 2.0),
        "ganspace:1": both_ways(1.0, 2.0, "gender"),
        "ganspace:2": both_ways(1.0, 2.0, "yaw"),
    },
    "scene": {
        "styleclip:mountain": both_ways(0.75, 1.0),  # more spoils the picture: there are no higher mountains
        "flow:fog": both_ways(4.0, 4.0),  # from here on all is fog
        "flow:hour": Reach(8.0, 0.0, 8.0),
        "flow:mountain": both_ways(4.0, 4.0),
        "ganspace:1": both_ways(2.0, 3.0, "mountain"),
        "ganspace:2": both_ways(2.0, 3.0, "fog"),
    },
    "isaac3d": {
        "latent-transformer:wall_color": both_ways(1.0, 1.0),
        "flow:wall_color": Reach(4.0, 0.0, 8.0),
        "flow:sand_wall": Reach(4.0, 0.0, 4.0, "wall_color"),
        "flow:lighting_intensity": both_ways(4.0, 6.0),
        "ganspace:1": both_ways(2.0, 3.0, "camera_height"),
        "ganspace:2": both_ways(2.0, 3.0, "camera_height"),
    },
}
UNNAMED = "ganspace"  # its components have no attribute of their own: looked at is one that each moves much


def reach_of(name: str, category: str) -> Reach | None:
    """That of an editor METHOD:ATTRIBUTE, also of "interfacegan:smile|age"; None of one that does not ship."""
    return SHIPPED.get(category, {}).get(name.partition("|")[0])


def beyond(name: str, strength: float, category: str) -> str:
    """A sentence where a strength lies outside of what an editor was measured to hold in, else nothing."""
    reach = reach_of(name, category)
    if reach is None or reach.low <= strength <= reach.high:
        return ""
    return (
        f"{name} {strength:g} is beyond {reach.low:g} to {reach.high:g}, between which its attribute goes one way: "
        "look whether it still does what was asked."
    )
