"""`dynode demo`: every fourth frame of a clip shown to four methods; a page, a side-by-side video and four lines of numbers."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from dynode.clips import Clip
from dynode.io import files, video
from dynode.io.images import to_uint8
from dynode.reporting.pages.clip_views import clip_view, fitted, notices_of
from dynode.reporting.pages.view_data import View, means
from dynode.reporting.pages.viewer import viewer_page
from dynode.reporting.tables.cells import significant

CLIP = "bird.flight"  # the first test episode of the bird, whoever is ahead there
METHODS = ("hold", "linear", "cubic", "dynode")
STRIDE = 4
PANEL = 256  # pixels a side of a picture of the video
CAPTION = 32  # pixels of the line above it
SMALL, QUALITY = 144, 50  # pixels a side of a picture of the animation, and its quality as WebP
ANIMATED = {"hold": "observed, held", "dynode": "dynode", "linear": "linear", "truth": "truth"}  # and their captions


@dataclass(frozen=True)
class Demonstration:
    """What a demonstration wrote, and its mean squared errors of held-out frames by method."""

    view: dict[str, Any]
    page: Path
    video: Path
    animation: Path

    @property
    def errors(self) -> dict[str, float]:
        return {name: unobserved for name, (unobserved, _) in means(self.view).items()}


def demonstrate(
    clip: Clip, folder: Path, *, device: torch.device | str = "cpu", progress: bool = False
) -> Demonstration:
    """Show every fourth frame of a clip to the methods, and write folder/index.html, demo.mp4 and demo.webp."""
    observed = clip if not clip.observed.all() else clip.sampled("regular", STRIDE)
    view = clip_view(observed, fitted(observed, METHODS, device), device=device, progress=progress)
    data = view.data()
    page = viewer_page(data, title=f"DynODE on {clip.name}", notices=notices_of(data, len(clip)))
    files.write(folder / "index.html", lambda part: part.write_text(page, encoding="utf-8"))
    write_side_by_side(folder / "demo.mp4", view)
    write_animation(folder / "demo.webp", view)
    return Demonstration(data, folder / "index.html", folder / "demo.mp4", folder / "demo.webp")


def numbers(shown: Demonstration) -> str:
    """Two lines: how many frames were shown, and the errors of the others, by method."""
    view, count = shown.view, sum(shown.view["observed"])
    held_out = len(view["observed"]) - count
    errors = "   ".join(f"{name} {significant(value, 1e3)}" for name, value in shown.errors.items())
    head = f"{view['clip']}: {count} of {len(view['observed'])} frames shown; error of the other {held_out}"
    return f"{head} (MSE x 1e3, lower is better)\n  {errors}{remark(shown.errors)}"


def remark(errors: Mapping[str, float]) -> str:
    """A word on which method is ahead, where it is another than ours."""
    if any(math.isnan(each) for each in errors.values()):
        return ""
    best = min(errors, key=lambda name: errors[name])
    return "" if best == "dynode" else f"   <- here {best} is ahead"


def write_side_by_side(path: Path, view: View) -> Path:
    """Write a video of the reference and every method side by side, each under its name, at the times of the clip."""
    names = ["truth", *(each["name"] for each in view.described["methods"])]
    reference = "truth" if view.described["truth"]["reference"] == "truth" else "own codes"
    title = f"dynode demo of {view.described['clip']}: synthetic pictures, from left to right {', '.join(names)}"
    captions = caption([reference, *names[1:]])
    rows = side_by_side((view.images[name] for name in names), captions)
    return video.write_timed(path, zip(view.described["times"], rows, strict=True), view.described["fps"], title=title)


def write_animation(path: Path, view: View) -> None:
    """Write what README shows: the observed frames, each held until the next, beside some methods and the truth, endlessly."""
    there = {name: text for name, text in ANIMATED.items() if name in view.images}
    rows = side_by_side((view.images[name] for name in there), caption([*there.values()], SMALL), SMALL)
    first, *others = map(Image.fromarray, rows)
    pace = {"duration": round(1000 / view.described["fps"]), "loop": 0, "quality": QUALITY, "method": 6}
    files.write(path, lambda part: first.save(part, "WEBP", save_all=True, append_images=others, **pace))


def side_by_side(parts: Iterable[torch.Tensor], captions: np.ndarray, panel: int = PANEL) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, 3): the captions above one picture of each part (T, 3, R, R)."""
    for frames in zip(*(to_uint8(each) for each in parts), strict=True):
        pictures = [
            np.asarray(Image.fromarray(frame).resize((panel, panel), Image.Resampling.BICUBIC)) for frame in frames
        ]
        yield np.concatenate([captions, np.concatenate(pictures, axis=1)])


def caption(names: list[str], panel: int = PANEL) -> np.ndarray:
    """A line uint8 (CAPTION, panel * n, 3) with a name above each picture."""
    line = Image.new("RGB", (panel * len(names), CAPTION), "white")
    pen, font = ImageDraw.Draw(line), ImageFont.load_default(size=18)
    for k, name in enumerate(names):
        pen.text((panel * k + 8, CAPTION // 2), name, fill="black", font=font, anchor="lm")
    return np.asarray(line)
