"""The look of a method, the same in every figure: a colour of Okabe and Ito's, a mark and a line; no two methods share all."""

import zlib
from typing import Any, NamedTuple

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW, BLACK, GREY = "#56B4E9", "#D55E00", "#F0E442", "#000000", "#999999"
DASHED, DOTTED, MIXED = (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2))


class Look(NamedTuple):
    """A colour, a mark, and a line: what matplotlib takes for them."""

    colour: str
    mark: str = "o"
    line: Any = "-"

    @property
    def dots(self) -> dict[str, Any]:
        """Of marks without a line."""
        return {"color": self.colour, "marker": self.mark, "linestyle": ""}

    @property
    def curve(self) -> dict[str, Any]:
        """Of a line with small marks."""
        return {"color": self.colour, "marker": self.mark, "linestyle": self.line, "markersize": 2}


LOOKS = {
    "dynode": Look(BLUE),
    "linear": Look(ORANGE),
    "auto": Look(BLACK, "^", DOTTED),
    "hold": Look(GREY),
    "cubic": Look(VERMILION),
    "pchip": Look(SKY),
    "slerp": Look(YELLOW),
    "gp": Look(GREEN),
    "demo": Look(BLACK),
    "paper": Look(PINK),
    "paper_scaled": Look(PINK, "^", DOTTED),
    "catmull_rom": Look(GREY, "s", DASHED),
    "gp_periodic": Look(GREEN, "s", DASHED),
    "calm": Look(BLACK, "s", DASHED),
    "exact": Look(VERMILION, "D", DOTTED),
    "dynode[no z]": Look(BLUE, "s", DOTTED),
    "dynode[amortised]": Look(BLUE, "D", MIXED),
    "dynode[amortised,other context]": Look(GREY, "D", MIXED),
    "dynode[amortised,linear]": Look(ORANGE, "D", MIXED),
    "dynode[amortised,no z]": Look(BLUE, "v", DOTTED),
    "gru[amortised]": Look(VERMILION, "v", MIXED),
    "latent_ode[amortised]": Look(SKY, "s", MIXED),
    "prior[amortised]": Look(BLACK, "v", MIXED),
    "trend+mlp": Look(SKY, "v", MIXED),
    "trend": Look(SKY, "D", DASHED),
    "robust": Look(GREEN, "^", DOTTED),
    "subspace": Look(SKY, "^", DOTTED),
    "visible": Look(GREEN, "D", MIXED),
    "prior": Look(BLACK, "D", MIXED),
    "gru": Look(VERMILION, "s", DASHED),
    "ode_rnn": Look(ORANGE, "s", DASHED),
    "latent_ode": Look(SKY, "s", DASHED),
    "cde": Look(PINK, "s", DASHED),
    "sde": Look(PINK, "D", MIXED),
    "pixel_ode[own]": Look(PINK, "v", DASHED),
    "pixel_ode[own_warp]": Look(YELLOW, "v", DASHED),
    "pixel_ode[taught]": Look(SKY, "v", DASHED),
    "pixel_ode[taught_warp]": Look(GREEN, "v", DASHED),
    "own codes": Look(BLACK, "v", DOTTED),
    "edited": Look(PINK, "o", DASHED),
    "all motion": Look(SKY, "D", DOTTED),
}
OTHERS = [Look(c, mark, MIXED) for mark in "PXph" for c in (SKY, GREEN, PINK, ORANGE, VERMILION, BLACK, BLUE)]


def look(method: str) -> Look:
    """The look of a method; a shortened run such as demo[1000/20000], or the same on pixels, keeps its preset's.

    One of somebody else's has one of its own, which depends on its name alone.
    """
    known = LOOKS.get(method.replace(",changed]", "]")) or LOOKS.get(method.split("[")[0])
    return known or OTHERS[zlib.crc32(method.encode()) % len(OTHERS)]


def colour(method: str) -> str:
    """The colour of its look."""
    return look(method).colour
