"""The published layouts of datasets: which files a folder has, what their names and lists say of them, and their terms."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PICTURES, VIDEOS = "pictures", "videos"
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
RAVDESS_PARTS = {
    "modality": ("full", "video", "audio"),
    "channel": ("speech", "song"),
    "emotion": EMOTIONS,
    "intensity": ("normal", "strong"),
    "statement": ("kids", "dogs"),  # "... are talking by the door", "... are sitting by the door"
}
ISAAC3D_FACTORS = {  # the last one changes fastest; in this order their counts give the multipliers of its authors' index
    "object_shape": 3,
    "robot_x": 8,
    "robot_y": 5,
    "camera_height": 4,
    "object_scale": 4,
    "lighting_intensity": 4,
    "lighting_y_direction": 6,
    "object_color": 4,
    "wall_color": 4,
}
FFHQ_TRAINING = 60_000  # the first ones; the others are for validation


@dataclass(frozen=True)
class Entry:
    """One picture or video of a dataset.  labels: what the dataset says of it.  box: x, y, width, height of its subject, px."""

    path: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Layout:
    """A dataset as published.  kind: PICTURES or VIDEOS.  example: a file of it, under its folder.  entries: those of a folder."""

    title: str
    kind: str
    licence: str
    example: str
    entries: Callable[[Path], Iterator[Entry]]


def ravdess(folder: Path) -> Iterator[Entry]:
    """Actor_01/01-01-03-02-01-01-01.mp4: modality, channel, emotion, intensity, statement, repetition, actor (odd: male)."""
    for path in sorted(folder.rglob("*.mp4")):
        if re.fullmatch(r"(\d\d-){6}\d\d", path.stem):
            *codes, repetition, actor = path.stem.split("-")
            named = zip(RAVDESS_PARTS.items(), codes, strict=True)
            labels = {name: value_of(values, int(code)) for (name, values), code in named}
            sex = "male" if int(actor) % 2 else "female"
            yield Entry(path, labels | {"repetition": repetition, "actor": actor, "sex": sex})


def value_of(values: tuple[str, ...], number: int) -> str:
    """The value of a number from 1 on, or the number where the dataset has no such value."""
    return values[number - 1] if 0 < number <= len(values) else str(number)


def talkinghead(folder: Path) -> Iterator[Entry]:
    """train/cropped_clips/VIDEO_0000_S10_E200_L1_T2_R300_B301.mp4: first and last frame, and the square that was cut out."""
    name = re.compile(r"(?P<video>.+)_S(?P<first>\d+)_E(?P<last>\d+)_L(-?\d+)_T(-?\d+)_R(-?\d+)_B(-?\d+)")
    for path in sorted(folder.rglob("*.mp4")):
        if match := name.fullmatch(path.stem):
            left, _, right, _ = map(int, match.groups()[3:])
            split = path.parent.parent.name if path.parent.name == "cropped_clips" else path.parent.name
            frames = int(match["last"]) - int(match["first"]) + 1
            yield Entry(
                path, {"split": split, "video": match["video"], "frames": str(frames), "width": str(right - left)}
            )


def ffhq(folder: Path) -> Iterator[Entry]:
    """images1024x1024/00000/00000.png, or thumbnails128x128."""
    for size in ("images1024x1024", "thumbnails128x128"):
        below = folder if folder.name == size else folder / size
        for path in sorted(below.rglob("*.png")):
            if re.fullmatch(r"\d{5}", path.stem):
                split = "training" if int(path.stem) < FFHQ_TRAINING else "validation"
                yield Entry(path, {"size": re.sub(r"\D+.*x", "", size), "split": split})


def cub(folder: Path) -> Iterator[Entry]:
    """images/001.Black_footed_Albatross/NAME.jpg, and lists by the number of a picture."""
    folder = folder if (folder / "images.txt").is_file() else folder / "CUB_200_2011"
    boxes, splits = listed(folder / "bounding_boxes.txt"), listed(folder / "train_test_split.txt")
    for number, (name,) in listed(folder / "images.txt").items():
        species = Path(name).parent.name.partition(".")[2]
        split = {"1": "train", "0": "test"}.get(next(iter(splits.get(number, [])), ""), "")
        box = tuple(map(float, boxes[number])) if len(boxes.get(number, [])) == 4 else None
        yield Entry(folder / "images" / name, {"species": species} | ({"split": split} if split else {}), box)  # pyright: ignore[reportArgumentType]


def listed(path: Path) -> dict[str, list[str]]:
    """The words of each line of a list by its first one; of a list that is not there none."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {words[0]: words[1:] for line in lines if (words := line.split())}


def places(folder: Path) -> Iterator[Entry]:
    """data_256/a/airfield/00000001.jpg, val_256 with its list, or train/airfield/ and val/airfield/."""
    scenes = {words[0]: name.split("/", 2)[2] for name, words in listed(folder / "categories_places365.txt").items()}
    scene_of = {name: scenes.get(words[0], words[0]) for name, words in listed(folder / "places365_val.txt").items()}
    for below, split in (("data_256", "train"), ("data_large", "train"), ("train", "train"), ("val", "val")):
        for path in sorted((folder / below).rglob("*.jpg")):
            parts = path.relative_to(folder / below).parent.parts
            scene = "/".join(parts[1:] if below.startswith("data") else parts)
            yield Entry(path, {"scene": scene, "split": split})
    for below in ("val_256", "val_large"):
        for path in sorted((folder / below).glob("*.jpg")):
            yield Entry(path, {"scene": scene_of.get(path.name, "unknown"), "split": "val"})


def isaac3d(folder: Path) -> Iterator[Entry]:
    """000000.png to 737279.png: all values of the nine factors.

    The index is that of the multipliers which its authors publish; their text has other names beside some of them, whose
    counts do not fit.
    """
    for path in sorted(folder.rglob("*.png")):
        if re.fullmatch(r"\d{6}", path.stem):
            index, labels = int(path.stem), {}
            for name, count in reversed(ISAAC3D_FACTORS.items()):
                index, value = divmod(index, count)
                labels[name] = str(value)
            if not index:
                yield Entry(path, {name: labels[name] for name in ISAAC3D_FACTORS})


LAYOUTS = {
    "ravdess": Layout(
        "RAVDESS",
        VIDEOS,
        "CC BY-NC-SA 4.0: non-commercial, name Livingstone and Russo (2018)",
        "Actor_01/01-01-03-02-01-01-01.mp4",
        ravdess,
    ),
    "talkinghead-1kh": Layout(
        "TalkingHead-1KH",
        VIDEOS,
        "each video CC BY 3.0 of its author on YouTube; lists and scripts MIT",
        "train/cropped_clips/VIDEO_0000_S10_E200_L1_T2_R300_B301.mp4",
        talkinghead,
    ),
    "ffhq": Layout(
        "FFHQ",
        PICTURES,
        "CC BY-NC-SA 4.0 by NVIDIA: non-commercial; each photograph has the licence that ffhq-dataset-v2.json names",
        "images1024x1024/00000/00000.png",
        ffhq,
    ),
    "cub": Layout(
        "CUB-200-2011",
        PICTURES,
        "non-commercial research and education; the photographs belong to their authors",
        "images.txt and images/001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg",
        cub,
    ),
    "places": Layout(
        "Places365",
        PICTURES,
        "non-commercial research and education; the photographs belong to their authors",
        "data_256/a/airfield/00000001.jpg, val_256/Places365_val_00000001.jpg or train/airfield/00000001.jpg",
        places,
    ),
    "isaac3d": Layout("Isaac3D", PICTURES, "CC BY 4.0 by NVIDIA", "000000.png", isaac3d),
}
