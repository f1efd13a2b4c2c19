"""Frames of an edited video beside the source's of the same times, read from their files one at a time."""

import numpy as np
import pytest
from films import grey, noise, written
from test_edited_videos import Means

from dynode import cli
from dynode.errors import UserError
from dynode.evaluation import edited_videos, matched_frames
from dynode.evaluation.matched_frames import partners, read_pair
from dynode.io import video

TS = np.arange(12) / 25
IRREGULAR = np.array([0.0, 0.04, 0.05, 0.13, 0.171, 0.4])


def source(tmp_path, frames=None):
    frames = [grey(40 + 10 * k) for k in range(12)] if frames is None else frames
    return video.write(tmp_path / "source.mp4", frames, 25)


def edited(tmp_path, taken, times=TS, level=0):
    """The frames of those numbers at their times, brighter by a level."""
    shown = [(float(times[k]), grey(40 + 10 * k + level)) for k in taken]
    return video.write_timed(tmp_path / "edited.mp4", shown, 25)


def levels(frames):
    return [round(float(frame.mean()), -1) for frame in frames]


@pytest.mark.parametrize("taken", [range(12), range(0, 12, 4), range(5), range(7, 12), [1, 2, 8, 11]])
def test_a_frame_is_compared_with_the_source_frame_of_its_time(tmp_path, taken):
    pair = read_pair(str(source(tmp_path)), str(edited(tmp_path, taken, level=5)))
    assert levels(pair.source) == [40 + 10 * k for k in taken] and pair.quads is None
    assert pair.source.shape == pair.edited.shape == (len(taken), 64, 64, 3)
    assert [np.mean(b) - np.mean(a) for a, b in zip(pair.source, pair.edited, strict=True)] == pytest.approx(
        [5] * len(taken), abs=1.5
    )


def test_a_number_of_frames_counts_pairs(tmp_path):
    pair = read_pair(str(source(tmp_path)), str(edited(tmp_path, range(0, 12, 4))), frames=2)
    assert levels(pair.source) == [40, 80] and len(pair.edited) == 2


def test_frames_at_other_times_are_refused_with_the_remedy(tmp_path):
    later = edited(tmp_path, range(8), times=TS + np.arange(12) * 0.013)
    with pytest.raises(UserError, match="of 8 frames of the edited video have no partner among the 12 .* --clip"):
        read_pair(str(source(tmp_path)), str(later))


def test_a_frame_count_below_0_and_a_single_frame_are_refused(tmp_path):
    files = str(source(tmp_path)), str(edited(tmp_path, range(12)))
    for frames, message in ((-1, "0 \\(all\\) or more, got -1"), (1, "at least 2 frames")):
        with pytest.raises(UserError, match=message):
            read_pair(*files, frames)


def test_what_h264_adds_to_odd_sizes_is_cut(tmp_path):
    frames = noise(4, 43, 55)
    odd = matched_frames.FramesOfFile(video.write(tmp_path / "odd.mp4", frames, 25), TS[:4], (43, 55))
    assert odd.shape == (4, 43, 55, 3) and {frame.shape for frame in odd} == {(43, 55, 3)}
    assert matched_frames.common_size((43, 55), (44, 56)) == (43, 55)
    for other in ((45, 55), (44, 55), (42, 54), (86, 110)):
        with pytest.raises(UserError, match="55 x 43 pixels, the edited video of"):
            matched_frames.common_size((43, 55), other)


def test_times_match_to_a_part_of_a_frame_and_in_order():
    rounded = np.round(IRREGULAR, 2) + 0.001
    assert partners(IRREGULAR, rounded, [0.0], False).tolist() == list(range(6))
    assert partners(TS, TS[3:7] - TS[3], [TS[3], 0.0], False).tolist() == [3, 4, 5, 6]
    assert partners(TS, np.arange(12) / 24, [0.0], in_order=True).tolist() == list(range(12))  # of a clip
    for other in (np.arange(12) / 24, np.arange(12) / 50, TS + 5):
        with pytest.raises(UserError, match="no partner"):
            partners(TS, other, [0.0], False)


def judged(monkeypatch, capsys, *files):
    """What `evaluate-edit` prints about two files, to the one and the other output."""
    monkeypatch.setattr(edited_videos.video_features, "load", lambda **_: Means())
    assert cli.main(["evaluate-edit", *map(str, files), "--no-face", "--device", "cpu", "-p", "flow_size=16"]) == 0
    return capsys.readouterr()


def test_the_command_judges_an_odd_film_beside_its_edit(tmp_path, monkeypatch, capsys):
    frames = noise(4, 43, 55)
    odd = written(tmp_path / "odd.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    out = video.write_timed(tmp_path / "out.mp4", zip(video.times(odd), frames, strict=True), 25)
    assert video.read(out)[0].shape == (4, 44, 56, 3)
    assert "warping error" in judged(monkeypatch, capsys, odd, out).out


def test_the_command_takes_a_film_whose_size_changes(tmp_path, monkeypatch, capsys):
    parts = [([grey(100)] * 3, "a.ts"), ([grey(200, 96, 128)] * 3, "b.ts")]
    path = tmp_path / "ab.ts"
    path.write_bytes(b"".join(written(tmp_path / name, frames, fmt="mpegts").read_bytes() for frames, name in parts))
    printed = judged(monkeypatch, capsys, path, path)
    assert "warping error" in printed.out and "are fitted into 64 x 64." in printed.err
    assert "dynode: The clock of" in printed.err and "Traceback" not in printed.err
