"""The vocabulary of captions: phrases, each true for a band of levels of one attribute.

An attribute's level is its quantile among random images: the position within its range for a world's factor, which is
uniform, and the rank among random images for a measured score.
"""

import contextlib
import re
from dataclasses import dataclass

import torch

from dynode.errors import UserError
from dynode.settings import choose, listed, nearest


@dataclass(frozen=True)
class Band:
    """Levels in [low, high] of an attribute, and the phrases true there.  low > high: across the end of a circle."""

    low: float
    high: float
    phrases: tuple[str, ...]

    def holds(self, levels: torch.Tensor) -> torch.Tensor:
        """Whether levels (N,) lie in the band; an unknown level (NaN) lies in none."""
        above, below = levels >= self.low, levels <= self.high
        return above & below if self.low <= self.high else above | (below & (levels == levels))


def less(*phrases: str, to: float = 0.3) -> Band:
    return Band(0.0, to, phrases)


def more(*phrases: str, above: float = 0.7) -> Band:
    return Band(above, 1.0, phrases)


def about(middle: float, *phrases: str, width: float) -> Band:
    return Band((middle - width) % 1, (middle + width) % 1, phrases)


def one_per_value(count: int, *values: str) -> tuple[Band, ...]:
    """One phrase for each value of a factor with a grid of `count` values."""
    return tuple(Band((k - 0.5) / (count - 1), (k + 0.5) / (count - 1), (phrase,)) for k, phrase in enumerate(values))


FACE = {  # attributes as in `perception.attributes`: yaw rises to the right, pitch upwards, gender to male
    "smile": (
        less("serious", "not smiling", "unsmiling", "closed lips"),
        more("smiling", "smile", "broad smile", "cheerful"),
    ),
    "mouth_open": (less("closed mouth", "mouth closed"), more("open mouth", "mouth open", "showing teeth")),
    "yaw": (less("facing left", "turned left", to=0.2), more("facing right", "turned right", above=0.8)),
    "pitch": (less("looking down", "chin down", to=0.2), more("looking up", "chin up", above=0.8)),
    "eyes_open": (less("narrow eyes", "squinting", to=0.2), more("wide eyes", "eyes wide open", above=0.8)),
    "lipstick": (
        less("pale lips", "without lipstick", "no lipstick", "bare lips"),
        more("lipstick", "red lips", "wearing lipstick", "red lipstick"),
    ),
    "hair_brightness": (less("dark hair", "black hair"), more("blond hair", "bright hair", "grey hair")),
    "skin_brightness": (less("dark skin"), more("pale skin", "bright skin")),
    "age": (less("young", "a child", to=0.25), more("old", "elderly", "aged", above=0.75)),
    "gender": (less("woman", "female"), more("man", "male")),
    "angry": (more("angry", "frowning", above=0.85),),
    "sad": (more("sad", "unhappy", above=0.85),),
    "surprised": (more("surprised", "astonished", above=0.85),),
}
SCENE = {
    "hour": (
        about(0.0, "night", "at night", "dark", "moonlight", width=0.17),
        about(0.25, "dawn", "sunrise", "morning", width=0.05),
        about(0.5, "day", "by day", "noon", "bright", "daylight", width=0.17),
        about(0.75, "dusk", "sunset", "evening", width=0.05),
    ),
    "clouds": (less("clear sky", "cloudless", "blue sky"), more("cloudy", "clouds", "overcast", "under clouds")),
    "fog": (less("clear air", "without fog", "no fog", to=0.4), more("fog", "foggy", "in fog", "mist", above=0.75)),
    "snow": (less("without snow", "no snow", "green"), more("snow", "snowy", "winter", "under snow")),
    "season": (less("summer"), more("autumn", "fall", "red leaves")),
    "mountain": (
        less("low hill", "hills", "flat land", "low"),
        more("mountain", "mountains", "high mountains", "tall peaks"),
    ),
}
ISAAC3D = {
    "object_shape": one_per_value(3, "cube", "ball", "can"),
    "robot_x": (less("arm to the left", "left"), more("arm to the right", "right")),
    "robot_y": (less("lowered arm", "arm down"), more("raised arm", "arm up")),
    "camera_height": (less("seen from the side", "low camera"), more("seen from above", "high camera")),
    "object_scale": (less("small"), more("large", "big")),
    "lighting_intensity": (less("dim", "dark"), more("bright", "lit")),
    "object_color": one_per_value(4, "red object", "amber object", "green object", "blue object"),
    "wall_color": one_per_value(4, "sand wall", "green wall", "blue wall", "rose wall"),
}
VOCABULARIES = {"face": FACE, "scene": SCENE, "isaac3d": ISAAC3D}


def vocabulary(category: str) -> dict[str, tuple[Band, ...]]:
    """The bands of each attribute.  Raises UserError for a category that has none."""
    return choose("caption vocabulary of", category, VOCABULARIES)


def phrases(category: str) -> tuple[str, ...]:
    """Every phrase of a category, in the order of the table."""
    return tuple(phrase for bands in vocabulary(category).values() for band in bands for phrase in band.phrases)


def attribute_of(category: str, phrase: str) -> str:
    """The attribute that a phrase describes."""
    return next(name for name, bands in vocabulary(category).items() if any(phrase in band.phrases for band in bands))


def attributes_in(category: str, text: str) -> list[str]:
    """The attributes that a text describes, in its order; none where the category has no vocabulary or no word is known."""
    if category not in VOCABULARIES:
        return []
    with contextlib.suppress(UserError):
        return [attribute_of(category, phrase) for phrase in known_phrases(text, phrases(category))]
    return []


def true_phrases(category: str, levels: dict[str, torch.Tensor]) -> torch.Tensor:
    """Which phrases (N, V) are true of N images; levels: (N,) of each attribute."""
    columns = [
        band.holds(levels[name]) for name, bands in vocabulary(category).items() for band in bands for _ in band.phrases
    ]
    return torch.stack(columns, 1)


def known_phrases(text: str, known: tuple[str, ...]) -> list[str]:
    """The known phrases of a text, the longest where several begin at the same word; other words are ignored.

    Raises UserError for a text without any.
    """
    words, result, k = re.findall(r"[a-z]+", text.lower()), [], 0
    longest = max(len(phrase.split()) for phrase in known)
    while k < len(words):
        tries = (" ".join(words[k : k + n]) for n in range(longest, 0, -1))
        phrase = next((phrase for phrase in tries if phrase in known), "")
        result += [phrase] if phrase else []
        k += len(phrase.split()) or 1
    if not result:
        raise UserError(f"No word of {text!r} is known{nearest(text.lower(), known)}; known are {listed(known)}.")
    return result


def unknown_words(text: str, known: tuple[str, ...]) -> list[str]:
    """The words of a text that belong to no known phrase, apart from articles, prepositions and the like."""
    covered = {word for phrase in known_phrases(text, known) for word in phrase.split()}
    small = {"a", "an", "the", "with", "and", "of", "in", "at", "under", "is", "who", "person", "face", "picture"}
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word not in covered | small]
