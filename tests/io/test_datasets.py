"""Folders of published datasets in small: every layout is read as its authors publish it, and its pictures become a film."""

import json

import numpy as np
import pytest
from films import grey, written
from PIL import Image

from dynode.cli.dispatch import main
from dynode.errors import UserError
from dynode.io import datasets, video
from dynode.io.dataset_layouts import ISAAC3D_FACTORS, LAYOUTS


def drawn(path, level=128, size=(40, 30), box=None):
    """A grey picture, its subject a white rectangle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), level, np.uint8)
    if box:
        x, y, w, h = box
        pixels[y : y + h, x : x + w] = 255
    Image.fromarray(pixels).save(path)


def ravdess(folder):
    for name in ("01-01-03-02-01-01-01", "01-02-01-01-02-02-02", "02-01-05-01-01-01-24"):
        path = folder / f"Actor_{name[-2:]}" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        written(path, [grey(40), grey(90)])
    (folder / "Actor_01" / "03-01-03-02-01-01-01.wav").touch()
    (folder / "Actor_01" / "notes.mp4").touch()


def talkinghead(folder):
    for split, name in (
        ("train", "-7TMJtnhiPM_0000_S1202_E1607_L568_T52_R928_B412"),
        ("val", "a_b_0001_S0_E9_L0_T0_R512_B512"),
    ):
        path = folder / split / "cropped_clips" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        written(path, [grey(40), grey(90)])
    whole = folder / "train" / "1min_clips" / "-7TMJtnhiPM_0000.mp4"
    whole.parent.mkdir()
    whole.touch()


def ffhq(folder):
    for number in (0, 1, 59_999, 60_000):
        for size in ("images1024x1024", "thumbnails128x128"):
            drawn(folder / size / f"{number // 1000 * 1000:05}" / f"{number:05}.png")
    (folder / "ffhq-dataset-v2.json").write_text(json.dumps({}))
    drawn(folder / "in-the-wild-images" / "00000" / "00000.png")


def cub(folder):
    root, lines = folder / "CUB_200_2011", {"images": [], "bounding_boxes": [], "train_test_split": [], "classes": []}
    for number, (species, box) in enumerate(
        [("001.Black_footed_Albatross", (2, 4, 10, 6)), ("002.Laysan_Albatross", (30, 0, 8, 20))], 1
    ):
        name = f"{species}/{species[4:]}_0001_{number}.jpg"
        drawn(root / "images" / name, 0, box=box)
        lines["images"].append(f"{number} {name}")
        lines["bounding_boxes"].append(f"{number} {' '.join(f'{each:.1f}' for each in box)}")
        lines["train_test_split"].append(f"{number} {number % 2}")
        lines["classes"].append(f"{number} {species}")
    for name, each in lines.items():
        (root / f"{name}.txt").write_text("\n".join(each) + "\n")


def places(folder):
    drawn(folder / "data_256" / "a" / "airfield" / "00000001.jpg")
    drawn(folder / "data_256" / "a" / "apartment_building" / "outdoor" / "00000003.jpg")
    drawn(folder / "val_256" / "Places365_val_00000001.jpg")
    drawn(folder / "train" / "lagoon" / "00000007.jpg")
    (folder / "categories_places365.txt").write_text("/a/airfield 0\n/a/apartment_building/outdoor 8\n")
    (folder / "places365_val.txt").write_text("Places365_val_00000001.jpg 8\n")


def isaac3d(folder):
    """The two ends, and all values of robot_x with the others at 0."""
    step = 737_280 // 3 // 8
    for index in (*(k * step for k in range(8)), 1, 737_279):
        drawn(folder / f"{index:06}.png", 30 + index // step * 8 % 200, (32, 32))
    drawn(folder / "737280.png")  # beyond the last


MADE = {
    "ravdess": ravdess,
    "talkinghead-1kh": talkinghead,
    "ffhq": ffhq,
    "cub": cub,
    "places": places,
    "isaac3d": isaac3d,
}
HELD = {  # how many entries, and the labels of one by a part of its path
    "ravdess": (3, "01-02-01", {"modality": "full", "channel": "song", "emotion": "neutral", "intensity": "normal", "statement": "dogs", "repetition": "02", "actor": "02", "sex": "female"}),
    "talkinghead-1kh": (2, "S1202", {"split": "train", "video": "-7TMJtnhiPM_0000", "frames": "406", "width": "360"}),
    "ffhq": (8, "images1024x1024/60000/60000", {"size": "1024", "split": "validation"}),
    "cub": (2, "002.", {"species": "Laysan_Albatross", "split": "test"}),
    "places": (4, "Places365_val", {"scene": "apartment_building/outdoor", "split": "val"}),
    "isaac3d": (10, "737279", {name: str(count - 1) for name, count in ISAAC3D_FACTORS.items()}),
}  # fmt: skip


@pytest.fixture
def folder(request, tmp_path):
    MADE[request.param](tmp_path / "data")
    return request.param, tmp_path / "data"


def test_all_layouts_are_tried():
    assert set(MADE) == set(HELD) == set(LAYOUTS)


@pytest.mark.parametrize("folder", MADE, indirect=True)
def test_a_published_layout_is_read_and_its_licence_printed(folder, capsys):
    name, path = folder
    held, (count, part, labels) = datasets.load(name, path), HELD[name]
    assert len(held) == count and LAYOUTS[name].licence in capsys.readouterr().out
    (entry,) = [each for each in held.entries if part in each.path.as_posix()]
    assert entry.labels == labels
    assert datasets.load(name, path).entries == held.entries


@pytest.mark.parametrize("folder", MADE, indirect=True)
def test_no_dataset_is_taken_for_another(folder):
    name, path = folder
    for other in set(LAYOUTS) - {name}:
        with pytest.raises(UserError, match=f"laid out as {LAYOUTS[other].title}: files such as"):
            datasets.load(other, path)


def test_entries_are_chosen_by_their_labels(tmp_path):
    places(tmp_path)
    held = datasets.load("places", tmp_path)
    assert held.values["split"] == ["train", "val"] and len(held.chosen({"split": "train"})) == 3
    assert [entry.labels["scene"] for entry in held.chosen({"split": "train", "scene": "lagoon"}).entries] == ["lagoon"]
    with pytest.raises(UserError, match="no scene in Places365 'lagon', did you mean 'lagoon'"):
        held.chosen({"scene": "lagon"})
    with pytest.raises(UserError, match="no label of Places365 'sceen'"):
        held.chosen({"sceen": "lagoon"})
    with pytest.raises(UserError, match="scene=lagoon, split=val together"):
        held.chosen({"scene": "lagoon", "split": "val"})


def test_one_factor_is_varied_and_becomes_a_film(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    isaac3d(tmp_path / "data")
    assert (
        main(["dataset", "isaac3d", "data", "--vary", "robot_x", "-o", "robot.mp4", "--size", "32", "--fps", "8"]) == 0
    )
    printed = capsys.readouterr().out
    assert printed.startswith("Isaac3D: CC BY 4.0 by NVIDIA.\n8 pictures\n") and "robot.mp4: 8 frames" in printed
    assert "robot_x: 0, 1, 2, 3, 4, 5, 6, 7\n" in printed
    frames, ts = video.read("robot.mp4")
    assert np.allclose(ts, np.arange(8) / 8)
    assert np.allclose([frame.mean() for frame in frames], [30 + 8 * k for k in range(8)], atol=2)


def test_the_square_around_a_bird_shows_it_whole(tmp_path):
    cub(tmp_path)
    held = datasets.load("cub", tmp_path)
    for entry in held.entries:
        shown = datasets.square(entry, 64) > 128
        rows, columns = np.flatnonzero(shown.any((1, 2))), np.flatnonzero(shown.any((0, 2)))
        x, y, w, h = entry.box
        side = min(30, 1.2 * max(w, h))
        assert np.isclose(np.ptp(columns) / 64, w / side, atol=0.08) and np.isclose(
            np.ptp(rows) / 64, h / side, atol=0.08
        )


@pytest.mark.parametrize("name", ["ravdess", "talkinghead-1kh"])
def test_videos_go_to_invert_as_they_are(name, tmp_path, capsys):
    MADE[name](tmp_path)
    assert main(["dataset", name, str(tmp_path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"`dynode invert {tmp_path}") and last.endswith("inverts the first")
    assert main(["dataset", name, str(tmp_path), "-o", str(tmp_path / "film.mp4")]) == 2
    assert "need no film" in capsys.readouterr().err


@pytest.mark.parametrize(
    "typed, said",
    [
        (["ravdes", "."], "There is no dataset 'ravdes', did you mean 'ravdess'"),
        (["ravdess", "nowhere"], "There is no folder nowhere: the one that RAVDESS was unpacked to"),
        (["ffhq", "."], "holds nothing that is laid out as FFHQ"),
        (["places", "data", "--select", "scene"], "--select wants LABEL=VALUE"),
        (["places", "data", "--select", "scene=lagoon", "-o", "film.mp4"], "at least 2 pictures"),
        (["places", "data", "--size", "33", "-o", "film.mp4"], "even size from 16 up, got 4 and 33"),
        (["places", "data", "--vary", "colour"], "There is no label of Places365 'colour'"),
        (["places", "data", "--fps", "0", "-o", "film.mp4"], "rate"),
        (["places", "broken", "-o", "film.mp4"], "is no picture, or is cut off"),
    ],
)
def test_mistakes_are_one_sentence(typed, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places(tmp_path / "data")
    places(tmp_path / "broken")
    (tmp_path / "broken" / "train" / "lagoon" / "00000007.jpg").write_bytes(b"\xff\xd8cut")
    assert main(["dataset", *typed]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in last and last.startswith("dynode: ") and last.endswith(".")
    assert not (tmp_path / "film.mp4").exists()
