"""Orientation: eight of them, by the display matrix of a film and by the EXIF tag of a picture, as players show them."""

import numpy as np
import pytest
from films import GREYS, corners_of, four_corners, noise, with_matrix, written
from PIL import Image

from dynode.io import orientation, video
from dynode.io.orientation import EXIF, EXIF_MATRICES

ORDERS = {  # EXIF orientation -> which stored corner lies upper left, upper right, lower left, lower right
    1: [0, 1, 2, 3],
    2: [1, 0, 3, 2],
    3: [3, 2, 1, 0],
    4: [2, 3, 0, 1],
    5: [0, 2, 1, 3],
    6: [2, 0, 3, 1],
    7: [3, 1, 2, 0],
    8: [1, 3, 0, 2],
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_film_is_read_as_its_display_matrix_says(tmp_path, name):
    plain = written(tmp_path / "plain.mp4", [four_corners()] * 3)
    images, _ = video.read(with_matrix(plain, tmp_path / "v.mp4", *EXIF_MATRICES[name]))
    assert images.shape == ((3, 96, 64, 3) if name >= 5 else (3, 64, 96, 3))
    assert corners_of(images[0]) == pytest.approx([GREYS[k] for k in ORDERS[name]], abs=2)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("name", ORDERS)
def test_a_picture_is_read_as_its_exif_tag_says(tmp_path, name, suffix):
    exif = Image.Exif()
    exif[EXIF] = name
    Image.fromarray(four_corners()).save(tmp_path / f"p.{suffix}", exif=exif, quality=95)
    images, times = video.read(tmp_path / f"p.{suffix}")
    assert times.tolist() == [0] and images.shape == ((1, 96, 64, 3) if name >= 5 else (1, 64, 96, 3))
    assert corners_of(images[0]) == pytest.approx([GREYS[k] for k in ORDERS[name]], abs=2)


def test_a_matrix_that_turns_by_an_odd_angle_is_taken_as_the_nearest_quarter(tmp_path):
    plain = written(tmp_path / "plain.mp4", [four_corners()] * 3)
    images, _ = video.read(with_matrix(plain, tmp_path / "v.mp4", 0.1, 0.99, -0.99, 0.1))
    assert corners_of(images[0]) == pytest.approx([GREYS[k] for k in ORDERS[6]], abs=2)


def test_to_turn_upright_moves_pixels_and_changes_none():
    picture = noise(1)[0]
    assert np.array_equal(orientation.upright(picture, EXIF_MATRICES[6]), np.rot90(picture, -1))
    assert np.array_equal(orientation.upright(picture, EXIF_MATRICES[8]), np.rot90(picture))
    assert np.array_equal(orientation.upright(picture, EXIF_MATRICES[5]), picture.swapaxes(0, 1))
    assert np.array_equal(orientation.upright(picture, EXIF_MATRICES[7]), np.rot90(picture, 2).swapaxes(0, 1))
