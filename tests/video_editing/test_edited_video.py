"""An edited file beside its source in a player: the same colours, shape of pixels, times and sound outside the edit."""

from itertools import product

import av
import numpy as np
import pytest
from films import COLOURS, film_of_patches, patches, seen_in_player

from dynode.io import video
from dynode.perception.face_tracking import FaceTrack
from dynode.video_editing.edited_video import write_edited
from dynode.video_editing.footage import Footage

HD, SD = (90, 1282), (48, 224)


def edited(path, output, change=lambda frame: frame, taken=slice(None)):
    """The film written as an edit of all frames that `taken` takes, through `change`."""
    ts = video.times(path)[taken]
    frames = ((k, change(frame.copy())) for k, frame in enumerate(video.pick(path, ts)))
    still = np.tile([[2.0, 2], [2, 20], [20, 20], [20, 2]], (len(ts), 1, 1))
    track = FaceTrack(ts, still, np.ones(len(ts), bool), np.zeros(len(ts), int))
    assert write_edited(output, Footage(path, track, "any"), frames, title="edited with dynode") == len(ts)
    return output


@pytest.mark.parametrize(
    "matrix, full, tagged, size",
    [case for case in product((6, 1), (False, True), (True, False), (SD, HD)) if case[2] or not case[1]],
)
def test_outside_the_edit_a_player_shows_the_source(tmp_path, matrix, full, tagged, size):
    if not tagged and (matrix == 1) != (size == HD):
        pytest.skip("players do not guess so")
    path = film_of_patches(tmp_path / "v.mp4", matrix, full, tagged, picture=patches(*size))
    shown = seen_in_player(edited(path, tmp_path / "out.mp4"))
    before = seen_in_player(path, None if tagged else matrix, None if tagged else full)
    assert np.abs(shown - before).max() <= 2
    assert np.abs(shown - np.array(COLOURS)).max() <= 3


def test_what_is_edited_shows_in_the_same_colours(tmp_path):
    path = film_of_patches(tmp_path / "v.mp4")

    def brighter(frame):
        return np.clip(frame + 15.0, 0, 255).astype(np.uint8)

    shown, before = seen_in_player(edited(path, tmp_path / "out.mp4", brighter)), seen_in_player(path)
    assert shown == pytest.approx(np.clip(before + 15, 0, 255), abs=3)


def test_tags_of_primaries_and_transfer_are_carried_over(tmp_path):
    path = film_of_patches(tmp_path / "v.mp4", 9, pixel_format="yuv420p10le", color_primaries=9, color_trc=16)
    with pytest.warns(match="HDR"):
        out = edited(path, tmp_path / "out.mp4")
    with av.open(str(out)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_trc) == (9, 9, 16)
    assert np.abs(seen_in_player(out) - seen_in_player(path)).max() <= 2


def test_times_are_the_sources_and_begin_at_0(tmp_path):
    path = film_of_patches(tmp_path / "v.mp4", count=8)
    out = edited(path, tmp_path / "out.mp4", taken=slice(2, None, 2))
    assert video.read(out)[1] == pytest.approx([0, 0.08, 0.16], abs=1e-4)
    with av.open(str(out)) as container:
        assert container.metadata["comment"] == "edited with dynode; begins at 0.080000 s of its source"
