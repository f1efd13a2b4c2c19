"""The look of a method's curve on a page: two colours, a dash and a mark, so that no two differ by colour alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from dynode.reporting.plots import looks

# Okabe and Ito's colours as they are in figures -> with 3:1 and more on a white page, and on a dark one.
ON_WHITE = {looks.ORANGE: "#a86400", looks.SKY: "#1f78b4", looks.YELLOW: "#7d7400", looks.GREY: "#666666"}
ON_WHITE |= {looks.PINK: "#a8487f", looks.GREEN: "#00805d", looks.VERMILION: "#c24f00"}
ON_DARK = {looks.BLUE: "#5aaee8", looks.BLACK: "#f2f2f2", looks.GREEN: "#2fc79b", looks.VERMILION: "#ff8a4c"}
DASHES = ("", "9 5", "2 5", "11 4 2 4", "5 3", "14 4")  # of SVG, in pixels
MARKS = ("circle", "square", "triangle", "diamond", "cross", "star")
REFERENCE = ("#000000", "#ffffff")


@dataclass(frozen=True)
class CurveLook:
    """light, dark: colours on a white and on a dark page.  dash: of SVG, "" is solid.  mark: a name of MARKS."""

    light: str
    dark: str
    dash: str
    mark: str


def curve_looks(methods: Sequence[str]) -> list[CurveLook]:
    """A look for each method; the colours are those of the figures, dashes and marks go by the position."""
    return [
        CurveLook(*page_colours(looks.colour(name)), DASHES[k % len(DASHES)], MARKS[k % len(MARKS)])
        for k, name in enumerate(methods)
    ]


def page_colours(colour: str) -> tuple[str, str]:
    """A figure's colour on a white and on a dark page."""
    return ON_WHITE.get(colour, colour), ON_DARK.get(colour, colour)
