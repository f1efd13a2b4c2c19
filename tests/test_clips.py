"""Clips: validation, sampling, files."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynode.clips import Clip, load
from dynode.errors import UserError


@given(frames=st.integers(2, 60), stride=st.integers(1, 70), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_samplings_keep_both_ends_and_agree_in_number(frames, stride, seed):
    clip = Clip(torch.randn(frames, 2, 3), torch.arange(frames) / 30)
    regular, irregular = clip.sampled("regular", stride, seed), clip.sampled("irregular", stride, seed)
    for shown in (regular, irregular):
        assert shown.observed[0] and shown.observed[-1]
    assert regular.observed.sum() == irregular.observed.sum() >= 2
    assert torch.equal(irregular.observed, clip.sampled("irregular", stride, seed).observed)


def test_sampling_chooses_among_the_observed_frames_only():
    observed = torch.tensor([False, True, True, False, True, True, True])
    clip = Clip(torch.randn(7, 2, 3), torch.arange(7), observed)
    for sampling in ("regular", "irregular"):
        shown = clip.sampled(sampling, 2).observed
        assert not (shown & ~observed).any() and shown[1] and shown[6]


def test_a_clip_survives_its_file(tmp_path, circle):
    shown = circle.sampled("regular", 4)
    back = Clip.load(shown.save(tmp_path / "c.safetensors"))
    assert torch.equal(back.ws, shown.ws) and torch.equal(back.ts, shown.ts)
    assert torch.equal(back.observed, shown.observed) and back.meta == shown.meta


def test_codes_of_half_precision_take_half_the_space(tmp_path, circle):
    halved = circle.halved()
    small, large = halved.save(tmp_path / "small.safetensors"), circle.save(tmp_path / "large.safetensors")
    assert torch.equal(Clip.load(small).ws, halved.ws) and Clip.load(small).ws.dtype == torch.float32
    assert (halved.ws - circle.ws).abs().max() <= 2**-11 * circle.ws.abs().max()
    assert large.stat().st_size - small.stat().st_size == 2 * circle.ws.numel()
    with pytest.raises(UserError, match="infinite"):
        Clip(1e5 * torch.ones(2, 1, 1), torch.arange(2)).halved()


def test_the_authors_singleton_axis_is_squeezed():
    assert Clip(torch.zeros(4, 1, 18, 512), torch.arange(4)).ws.shape == (4, 18, 512)


@pytest.mark.parametrize(
    "ws, ts, told",
    [
        (torch.zeros(1, 2, 3), torch.zeros(1), "at least 2 frames"),
        (torch.zeros(3, 2), torch.arange(3), r"\(T, L, D\)"),
        (torch.zeros(3, 2, 3), torch.arange(4), r"\(4,\)"),
        (torch.zeros(3, 2, 3), torch.tensor([0.0, 2.0, 1.0]), "increase"),
        (torch.full((3, 2, 3), torch.nan), torch.arange(3), "NaN"),
    ],
)
def test_what_is_no_clip_is_refused_with_the_reason(ws, ts, told):
    with pytest.raises(UserError, match=told):
        Clip(ws, ts)


def test_files_that_are_no_clips_are_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("no tensors here")
    for name in ("missing.safetensors", "text.safetensors"):
        with pytest.raises(UserError, match="clip"):
            load(tmp_path / name)


def test_the_shipped_clip_is_what_it_says():
    clip = load("single_face.warm")
    assert len(clip) >= 36 and clip.ws.shape[1:] == (23, 512)
    assert clip.quads.shape == (len(clip), 4, 2)
    assert clip.meta["settings"]["start"] == "previous"
