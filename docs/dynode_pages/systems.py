"""Systems that edit videos: the list of them, their deviations, and the settings of one at both scales."""

from dynode.video_editing.registry import SCALES, SYSTEMS, scaled
from dynode.video_editing.systems.fidelity import KEPT, Part
from dynode_pages.answers import answers, numbered, page_of, table
from dynode_pages.methods import flat

OWN = "It follows no other system's publication."


@answers
def systems() -> str:
    rows = [[f"[`{name}`](systems/{page_of(name)}.md)", first_line(each.__doc__)] for name, each in SYSTEMS.items()]
    return table(["`--method`", "what it does"], rows)


def first_line(text: str | None) -> str:
    return (text or "").partition("\n\n")[0]


@answers
def changed_parts(name: str) -> str:
    """The numbered deviations of a system from its publication, then what is kept."""
    parts: tuple[Part, ...] = getattr(SYSTEMS[name], "fidelity", ())
    if not parts:
        return OWN
    deviations = [
        f"**{p.name}**, {p.state}: published, {p.published}. Here, {p.here}." for p in parts if p.state != KEPT
    ]
    kept = [[part.name, part.published, part.here] for part in parts if part.state == KEPT]
    return f"{numbered(deviations)}\n\nKept:\n\n{table(['part', 'published', 'beside'], kept)}"


@answers
def scales(name: str) -> str:
    """The settings of its own that a system has, at each scale."""
    held = [scaled(SYSTEMS[name], scale) for scale in SCALES]
    if held[0] is None:
        return "It has no settings of its own."
    flattened = [flat(each) for each in held]
    rows = [[f"`system.{key}`", *(f"`{each[key]}`" for each in flattened)] for key in flattened[0]]
    return table(["setting", *(f"`--scale {scale}`" for scale in SCALES)], rows)
