"""Videos of a report, by the item whose run wrote them: each with its first frame as a picture, its clip, its edit and its stand-ins."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
from PIL import Image

from dynode.experiments.engine import targets
from dynode.experiments.report.runs_page import stand_in
from dynode.experiments.report.sources import Source
from dynode.io import files
from dynode.reporting import paths

ROOM = 12_000_000  # bytes of all videos together, the smallest first
POSTER, QUALITY = 640, 80  # pixels of width of a first frame, and its quality as WebP
NAME = re.compile(r"(?:edit_|system_)?(?P<clip>[^.]+\.[^_]+)_(?P<edit>.+)")
TITLE = re.compile(r"; stand-ins: (?P<names>.*)")


def videos_page(all_sources: Sequence[Source], profile: str, folder: Path) -> dict[str, Any]:
    """The values of the template `videos`; copies them into a folder, the smallest first while there is room."""
    found_videos = [*(paths.root() / "figures").glob("*.mp4"), *(paths.root() / "reports" / "demo").glob("*.mp4")]
    writers = {path: source for source in all_sources for path in targets.written(source.item, profile)}
    shown, left_out, room = [], [], ROOM
    for path in sorted(of_profile(found_videos, profile), key=lambda each: each.stat().st_size):
        room -= path.stat().st_size
        if room < 0:
            left_out.append(path.name)
            continue
        shown.append(copied(path, profile, folder) | {"source": writers.get(f"figures/{path.name}")})
    return {"groups": grouped(shown, all_sources), "left_out": left_out}


def of_profile(videos: Iterable[Path], profile: str) -> list[Path]:
    """Those whose name says this profile, which that of `embedded` does not."""
    others = tuple(f".{each}.mp4" for each in ("smoke", "paper", "recorded"))
    ending = f".{profile}.mp4"
    return [
        each
        for each in videos
        if each.name.endswith(ending) or (profile == "embedded" and not each.name.endswith(others))
    ]


def copied(path: Path, profile: str, folder: Path) -> dict[str, Any]:
    """One video on the page; copies it and writes its first frame."""
    name = path.name.replace(" ", "_")
    files.write(folder / name, lambda part: part.write_bytes(path.read_bytes()))
    described, poster = read(path)
    files.write((folder / name).with_suffix(".webp"), lambda part: part.write_bytes(poster))
    addresses = {"file": f"videos/{name}", "poster": f"videos/{Path(name).with_suffix('.webp')}"}
    return addresses | {"name": path.stem} | named(path.stem.removesuffix(f".{profile}")) | described


def named(stem: str) -> dict[str, str]:
    """What the name of a video says: the clip, and system and edit; all of it as the clip where it is of another shape."""
    match = NAME.fullmatch(stem)
    if not match:
        return {"clip": stem, "edit": ""}
    edit = re.sub(r"_(?=-?[\d.]+$)", " ", match["edit"])
    return {"clip": match["clip"], "edit": edit.replace("_", ", ")}


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """The title of a video, its stand-ins, its size in pixels and its seconds; and its first frame as WebP."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        title, seconds = container.metadata.get("title", ""), float(container.duration or 0) / av.time_base
        picture = next(container.decode(stream)).to_image()
    stand_ins = TITLE.search(title)
    names = stand_ins["names"].split(", ") if stand_ins else []
    described = {
        "title": TITLE.sub("", title),
        "stand_ins": [stand_in(name) for name in names],
        "width": picture.width,
        "height": picture.height,
        "seconds": f"{seconds:.1f}",
    }
    content = io.BytesIO()
    picture.thumbnail((POSTER, POSTER), Image.Resampling.LANCZOS)
    picture.save(content, "WEBP", quality=QUALITY, method=4)
    return described, content.getvalue()


def grouped(videos: Sequence[Mapping[str, Any]], all_sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Videos by the item that wrote them, in the order of items, and at the end those of no item."""
    groups = [
        {"source": source, "videos": sorted((each for each in videos if each["source"] is source), key=by_name)}
        for source in (*all_sources, None)
    ]
    return [each for each in groups if each["videos"]]


def by_name(video: Mapping[str, Any]) -> str:
    return video["name"]
