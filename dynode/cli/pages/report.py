"""The command that writes what was reproduced as pages."""

from typing import Annotated

from tyro.conf import arg

from dynode.cli.options import Device
from dynode.settings import choose

NONE = "none"


def report(
    *,
    profile: str = "embedded",
    views: Annotated[tuple[str, ...], arg(metavar="CLIP")] = ("bird.flight", "scene.day", "isaac3d.robot_x"),
    device: Device = "auto",
) -> None:
    """Write reports/index.html: claims, figures, tables, notebooks, videos and run times as pages, opened by a double click.

    Made from the records, figures and notebooks that are there; where an item was not run, from the record that ships.

    Args:
        profile: Whose runs are shown: smoke, embedded, paper or recorded.
        views: Shipped clips for the viewer, each fitted in some seconds, once; none: no viewer.
    """
    from dynode import clips, runtime
    from dynode.cli.pages.demo import near
    from dynode.experiments import items
    from dynode.experiments.report import write_report

    choose("profile", profile, list(items.PROFILES))
    chosen = [] if views == (NONE,) else [choose("clip", name, clips.shipped_names()) for name in views]
    written = write_report(profile, chosen, device=runtime.device(device), progress=runtime.bars())
    print("\n".join(filter(None, [written.summary, *(f"Note: {each}" for each in written.lacks)])))
    print(f"{near(written.page)}: {written.size / 1e6:.1f} MB with its folder site; open it by a double click.")
