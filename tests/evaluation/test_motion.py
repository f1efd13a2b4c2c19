"""Measures from frames that stream through: the numbers of whole videos, and memory that does not grow."""

import weakref

import numpy as np
import pytest
import torch
from test_edited_videos import QUICK, Means, judge, moving, quads  # noqa: F401, a fixture

from dynode.evaluation import edited_videos, matched_frames, motion
from dynode.evaluation.edited_videos import VideoEvaluator
from dynode.io import video
from dynode.metrics import consistency, frechet_video, warping
from dynode.perception import optical_flow


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A source and another video, images (8, 3, 48, 64)."""
    source = torch.from_numpy(moving()).movedim(-1, 1).float() / 127.5 - 1
    return source, (0.8 * source.roll(1, -1) + 0.1).contiguous()


def test_sums_over_steps_are_the_measures_of_whole_videos(pair):
    source, edited = pair
    flows, other = optical_flow.flows(source), optical_flow.flows(edited, both=False)
    own, beside = motion.compared(motion.steps(source, True), motion.steps(edited, False))
    wanted = {
        "flow_ratio": consistency.flow_ratio(flows.backward, other.backward),
        "flow_agreement": consistency.flow_agreement(flows.backward, other.backward),
        "motion_ratio": consistency.motion_ratio(source, edited),
    }
    assert motion.measures(own, beside) == pytest.approx(wanted, rel=1e-9)
    for images, one in ((source, own), (edited, beside)):
        error = warping.warping_error(images, flows.backward, flows.unoccluded)
        assert one["error"] == pytest.approx(error, rel=1e-9)


def test_a_still_source_has_no_ratio(pair):
    still = pair[0][:1].expand_as(pair[0])
    values = motion.measures(*motion.compared(motion.steps(still, True), motion.steps(pair[1], False)))
    assert all(np.isnan(value) for value in values.values())


def test_clips_of_images_one_after_another_are_those_of_the_whole(pair):
    network = Means()
    for clip_len, stride in ((3, 1), (3, 2), (4, 3), (9, 1)):
        whole = [pair[0][k : k + clip_len] for k in range(0, len(pair[0]) - clip_len + 1, stride)]
        streamed = list(frechet_video.clips_of(iter(pair[0]), clip_len, stride))
        assert len(whole) == len(streamed) and all(map(torch.equal, whole, streamed))
        features, short = frechet_video.windows([iter(pair[0])], network, clip_len, stride)
        assert len(features) == len(whole) and short == (not whole)


def test_pairs_in_parts_make_the_same_means(monkeypatch):
    source, edited = torch.randn(2, 30, 5, generator=torch.Generator().manual_seed(0)).double()
    whole = [consistency.tg_id(source, edited), consistency.acd(source)]
    monkeypatch.setattr(consistency, "MOST_PAIRS", 40)
    parts = [consistency.tg_id(source, edited), consistency.acd(source)]
    assert parts == pytest.approx(whole, rel=1e-12) and [part.n for part in parts] == [one.n for one in whole]


def test_videos_in_files_have_the_numbers_of_videos_in_memory(tmp_path, judge):  # noqa: F811
    paths = [video.write(tmp_path / f"{k}.mp4", frames, 25) for k, frames in enumerate((moving(), moving()[:, ::-1]))]
    stored = matched_frames.read_pair(*map(str, paths))
    arrays = [video.read(path)[0] for path in paths]
    results = [
        edited_videos.edit_rows(*(judge.features_of(each, quads=quads()) for each in two), method="flipped")
        for two in ((stored.source, stored.edited), arrays)
    ]
    (streamed, warnings), (whole, same_warnings) = results
    assert warnings == same_warnings and len(streamed) == len(whole) > 12
    for one, other in zip(streamed, whole, strict=True):
        assert (one.metric, one.method, one.reference, one.n) == (other.metric, other.method, other.reference, other.n)
        assert one.value == pytest.approx(other.value, rel=1e-9, abs=1e-12)


class Watched:
    """Frames that are made one at a time; `most`: how many of them lived at once."""

    def __init__(self, frames):
        self.frames, self.shape, self.made, self.most = frames, frames.shape, [], 0

    def __len__(self):
        return len(self.frames)

    def __iter__(self):
        for k in range(len(self)):
            frame = self.frames[k].copy()
            self.made.append(weakref.ref(frame))
            self.most = max(self.most, sum(each() is not None for each in self.made))
            yield frame
            del frame


def test_no_more_than_a_few_frames_are_in_memory():
    evaluator, videos = VideoEvaluator(QUICK, (), Means()), [Watched(np.tile(moving(), (2, 1, 1, 1))) for _ in range(2)]
    edited_videos.edit_rows(*map(evaluator.features_of, videos), method="same")
    assert [1 <= each.most <= QUICK.clip_len + 1 for each in videos] == [True, True]
    assert len(videos[0].made) >= 3 * 16  # colours, motion, clips: each reads the film anew
