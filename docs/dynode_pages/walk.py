"""The walk of a frame as a picture: drawn by code, in the colours of the page, so that it is light on dark and dark on light."""

from dynode_pages.answers import answers

STEPS = (
    ("footage", "frames and times", "io, worlds"),
    ("alignment", "one face, a square", "perception"),
    ("inversion", "a code for each frame", "inversion"),
    ("dynamics", "a path through codes", "dynamics"),
    ("editing", "a change of one code", "editing"),
    ("rendering", "images at any time", "generators"),
    ("judging", "errors, records, pages", "evaluation"),
)
WIDE, HIGH, GAP, ROW = 168, 76, 28, 4  # of a box, between two, and boxes in a row
ROOM = ' font-family="monospace" opacity="0.75"'
TEXT = "Footage, alignment, inversion, dynamics, editing, rendering and judging, one after the other."


@answers
def walk() -> str:
    """The picture as a part of a page."""
    width, height = ROW * (WIDE + GAP), 2 * (HIGH + 2 * GAP) - GAP
    shapes = "".join(box(k, *step) for k, step in enumerate(STEPS)) + "".join(map(arrow, range(len(STEPS) - 1)))
    head = f'<svg class="walk" viewBox="0 0 {width} {height}" role="img" aria-label="{TEXT}" fill="currentColor">'
    tip = '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    tip += '<path d="M0 0L8 4L0 8z"/></marker>'
    return f"```{{raw}} html\n{head}<defs>{tip}</defs>{shapes}</svg>\n```"


def corner(k: int) -> tuple[float, float]:
    """Where a box begins: the second row runs on below the first."""
    return (k % ROW) * (WIDE + GAP) + GAP / 2, (k // ROW) * (HIGH + 2 * GAP) + GAP / 2


def box(k: int, name: str, what: str, room: str) -> str:
    x, y = corner(k)
    lines = ((24, "600", 17, name, ""), (44, "400", 13, what, ""), (64, "400", 12, room, ROOM))
    texts = "".join(
        f'<text x="{x + WIDE / 2}" y="{y + dy}" font-size="{size}" font-weight="{weight}" text-anchor="middle"'
        f"{kind}>{text}</text>"
        for dy, weight, size, text, kind in lines
    )
    frame = f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="8" fill="none" stroke="currentColor" stroke-width="1.5"/>'
    return frame + texts


def arrow(k: int) -> str:
    """From a box to the next: to the right, or from the end of a row to the beginning of the one below."""
    (x, y), (u, v) = corner(k), corner(k + 1)
    if v == y:
        path = f"M{x + WIDE} {y + HIGH / 2}L{u - 2} {v + HIGH / 2}"
    else:
        middle = y + HIGH + GAP
        path = f"M{x + WIDE / 2} {y + HIGH}V{middle}H{u + WIDE / 2}V{v - 2}"
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.5" marker-end="url(#tip)"/>'
