"""Commands whose result is a page: a demonstration, and fits to show to others."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from dynode.cli.options import Device, Output, Tuning, output_path, require_different, require_likely, stem
from dynode.errors import UserError

if TYPE_CHECKING:
    import torch

    from dynode.clips import Clip
    from dynode.inversion.projection_settings import ProjectionSettings
    from dynode.io.video import Stretch

FRAMES = 48  # of a video, unless it is said


def demo(
    video: Positional[Annotated[str, arg(metavar="VIDEO")]] = "",
    *,
    frames: int = 0,
    generator: str = "mobilestylegan-ffhq",
    device: Device = "auto",
) -> None:
    """See it work: every fourth frame of a clip is shown to four methods. Writes a page and a video into reports/demo.

    Without a video a rendered bird, under a minute and without a network; of a video its minutes are printed first.

    Args:
        video: A video file, or the name of a video asset or of a shipped clip; by default the clip bird.flight.
        frames: How many frames are taken, 0: all of a clip, 48 of a video.
        generator: Of the codes of a video, as of `dynode invert`.
    """
    from dynode import runtime
    from dynode.reporting import paths
    from dynode.reporting.pages import demonstration

    if frames and frames < 6:
        raise UserError(f"A demonstration wants at least 6 frames, got {frames}: every fourth is shown.")
    started, chosen = time.time(), runtime.device(device)
    folder = paths.root() / "reports" / "demo"
    clip = named_clip(video or demonstration.CLIP, frames, generator, chosen, folder)
    with contextlib.nullcontext() if video else one_thread():
        shown = demonstration.demonstrate(clip, folder, device=chosen, progress=runtime.bars())
    print(demonstration.numbers(shown))
    print(f"  path and frames: {near(shown.page)}   video: {near(shown.video)}   {time.time() - started:.0f} s")
    print("  next: dynode list | dynode verify --recorded | dynode run table1")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Small images gain nothing by more, which wait for each other wherever another process holds a core."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def near(path: Path) -> str:
    """A path as seen from the working folder, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def named_clip(name: str, frames: int, generator: str, device: "torch.device", folder: Path) -> "Clip":
    """A clip; of a video its codes, which are made now, after the minutes that takes are printed, or lie in the folder already."""
    from dynode import clips
    from dynode.cli.options import Excerpt
    from dynode.cli.windows import video_file
    from dynode.inversion.invert_frames import invert, usual_settings

    if name in clips.shipped_names() or name.endswith(".safetensors"):
        clip = clips.load(name)
        return clip.head(frames) if frames else clip
    require_likely(name, clips.shipped_names())
    footage, excerpt = video_file(name, Excerpt(frames=frames or FRAMES))
    settings = usual_settings("independent", generator)
    output = output_path(None, str(folder / f"{stem(name)}.safetensors"), name, generator)
    if clip := codes_there(output, footage, excerpt.stretch, settings, generator):
        return clip
    choices = {"protocol": "independent", "settings": settings, "stretch": excerpt.stretch, "face": excerpt.face}
    return invert(footage, output, generator=generator, device=device, **choices)


def codes_there(
    path: Path, footage: Path, stretch: "Stretch", settings: "ProjectionSettings", generator: str
) -> "Clip | None":
    """The clip of an earlier demonstration, where it is of these frames, this generator and these settings; else None."""
    import dataclasses
    from contextlib import suppress

    from dynode import generators
    from dynode.clips import Clip
    from dynode.generators import registry, tuned
    from dynode.io import assets

    wanted = {"stretch": dataclasses.asdict(stretch), "settings": dataclasses.asdict(settings)}
    wanted |= {"generator": registry.base_of(generator), "generator_hash": generators.hash_of(generator)}
    wanted |= {"source_sha256": assets.sha256_of(footage)} | tuned.marked(registry.tuning_of(generator))
    with suppress(UserError):  # there is none, or one that is damaged
        clip = Clip.load(path)
        if all(clip.meta.get(key) == value for key, value in wanted.items()):
            print(f"{near(path)} has the codes of these frames already; delete it to have them made anew.")
            return clip
    return None


def share(
    fits: Positional[tuple[Path, ...]],
    output: Output = None,
    *,
    clip: str = "",
    tuning: Tuning = "",
    device: Device = "auto",
) -> None:
    """Write fits as one page to show to others: frames, paths, errors, beside holding a frame and linear interpolation.

    The page is one file of at most 3 MB that needs nothing else, says that it is synthetic or edited, and names no path.

    Args:
        fits: Fits, as `dynode fit` writes them, of one clip and the same observed frames.
        output: The page to write, by default FIT.html.
        clip: The clip file; not needed for shipped clips, and for one that lies beside the fit.
    """
    from dynode import runtime
    from dynode.reporting.pages.shared_page import write_page

    if not fits:
        raise UserError("Name at least one fit, as `dynode fit` writes it.")
    require_different("fit", fits)
    output = output_path(output, f"{stem(fits[0])}.html", *fits, clip, tuning)
    print(write_page(output, fits, clip, tuning=tuning, device=runtime.device(device), progress=runtime.bars()))
