"""Colours: read as a player shows them, and written so that a player shows the same; the player is plain arithmetic."""

from itertools import product

import av
import numpy as np
import pytest
from films import COLOURS, film_of_patches, four_corners, patch_colours, patches, seen_in_player, stored, written
from PIL import Image

from dynode.errors import Remark
from dynode.io import assets, colours, video

BT601, BT709, BT2020 = 6, 1, 9
HD, SD = (90, 1282), (48, 224)
LEVELS = 2  # what may be off


def off(picture, wanted=COLOURS):
    return np.abs(patch_colours(picture) - np.array(wanted)).max()


@pytest.mark.parametrize("matrix, full", product((BT601, BT709, BT2020), (False, True)))
@pytest.mark.parametrize("size", [SD, HD])
def test_tags_are_honoured_at_any_size(tmp_path, matrix, full, size):
    path = film_of_patches(tmp_path / "v.mp4", matrix, full, picture=patches(*size))
    _, fast, exact = next(video.iterate_exact(path))
    assert off(exact) <= LEVELS and off(fast) <= 2 * LEVELS
    assert np.abs(patch_colours(exact) - seen_in_player(path)[0]).max() <= 1


@pytest.mark.parametrize("size, matrix", [(SD, BT601), (HD, BT709), ((720, 224), BT709), ((576, 720), BT601)])
def test_without_tags_the_matrix_is_guessed_as_players_do(tmp_path, size, matrix):
    path = film_of_patches(tmp_path / "v.mp4", matrix, tagged=False, picture=patches(*size), count=1)
    assert video.look(path).matrix == matrix
    assert off(next(video.iterate_exact(path))[2]) <= LEVELS


@pytest.mark.parametrize("layout", ["yuv444p", "yuv420p10le", "yuv422p", "yuvj420p"])
@pytest.mark.parametrize("matrix", [BT601, BT709])
def test_other_layouts_of_pixels_are_read_alike(tmp_path, layout, matrix):
    full = layout.startswith("yuvj")
    path = film_of_patches(tmp_path / "v.mp4", matrix, full, pixel_format=layout)
    assert off(next(video.iterate_exact(path))[2]) <= LEVELS


def test_a_frame_of_full_range_without_a_tag_but_in_its_layout_is_of_full_range():
    frame = stored(patches(), BT601, True, tagged=False, pixel_format="yuvj420p")
    assert off(colours.pixels(frame, exact=True)) <= LEVELS


@pytest.mark.parametrize("name, codec, layout", [("v.mkv", "ffv1", "bgr0"), ("v.mp4", "libx264rgb", "rgb24")])
def test_rgb_stays_as_it_is_whatever_its_size(tmp_path, name, codec, layout):
    path = written(tmp_path / name, [patches(*HD)] * 2, codec=codec, pix_fmt=layout)
    assert off(video.read(path)[0][0]) <= LEVELS


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "LA", "1"])
def test_pictures_of_every_kind_are_read(tmp_path, mode):
    picture = Image.fromarray(four_corners())
    if mode == "I;16":
        picture = Image.fromarray(four_corners()[..., 0].astype(np.uint16) * 257)
    elif mode != "RGB":
        picture = picture.convert(mode)
    path = tmp_path / ("p.jpg" if mode == "CMYK" else "p.png")
    picture.save(path)
    images, _ = video.read(path)
    assert images.shape == (1, 64, 96, 3)
    wanted = np.array(picture.convert("RGB")) if mode != "I;16" else four_corners()
    assert np.abs(images[0].astype(float) - wanted).max() <= 3


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_a_large_picture_is_no_hd_film(tmp_path, suffix):
    Image.fromarray(patches(*HD)).save(tmp_path / f"p.{suffix}", quality=95)
    assert off(video.read(tmp_path / f"p.{suffix}")[0][0]) <= 2 * LEVELS


@pytest.mark.parametrize("size", [SD, HD, (49, 223)])
def test_a_player_shows_what_is_written(tmp_path, size):
    path = video.write(tmp_path / "v.mp4", [patches(*size)] * 3, 25)
    assert np.abs(seen_in_player(path) - np.array(COLOURS)).max() <= LEVELS
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.colorspace, codec.color_range, codec.color_primaries, codec.color_trc) == (BT709, 1, BT709, BT709)


def test_the_look_of_a_video_is_that_of_its_tags(tmp_path):
    path = film_of_patches(tmp_path / "v.mp4", BT2020, color_primaries=9, color_trc=14)
    assert video.look(path) == colours.Look(BT2020, 9, 14)
    copy = video.write(tmp_path / "copy.mp4", [patches()] * 3, 25, look=video.look(path))
    assert video.look(copy) == video.look(path)
    assert np.abs(seen_in_player(copy) - np.array(COLOURS)).max() <= LEVELS


@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_remarked_and_its_tags_are_kept(tmp_path, transfer, name):
    tags = {"color_primaries": 9, "color_trc": transfer}
    path = film_of_patches(tmp_path / "v.mp4", BT2020, pixel_format="yuv420p10le", **tags)
    with pytest.warns(Remark, match=f"is HDR \\({name}\\)"):
        video.read(path)
    with pytest.warns(Remark):
        assert video.look(path).transfer == transfer


def test_a_matrix_that_is_not_known_is_remarked(tmp_path):
    with pytest.warns(Remark, match="matrix 14"):
        assert off(video.read(film_of_patches(tmp_path / "v.mp4", colorspace=14))[0][0]) <= 2 * LEVELS


def test_the_shipped_footage_reads_as_it_did_when_its_codes_were_made():
    """Its tags, where it has any, are those that the conversion took before: records rest on these levels."""
    path = assets.fetch("carphone-video")
    with av.open(str(path)) as container:
        before = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(next(video.iterate(path))[1], before)
