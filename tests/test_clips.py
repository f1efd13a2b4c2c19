"""Clips: validation, sampling, files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynode import runtime
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


WS, TS = torch.randn(12, 2, 3, generator=torch.Generator().manual_seed(0)), torch.arange(12) / 8


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "ws, ts",
    [
        (WS.clone().requires_grad_(), TS.double().requires_grad_()),
        (torch.nn.Parameter(WS.clone()), TS.bfloat16()),
        (WS.double(), TS.half()),
        (WS[:, None], TS.tolist()),
        (WS.numpy().astype(">f8"), TS.numpy().astype(">f4")),
        (WS.numpy().repeat(2, 0)[::2], TS.numpy()[::-1][::-1]),
        (read_only(WS.numpy().copy()), read_only(TS.numpy().copy())),
        (WS.tolist(), tuple(TS.tolist())),
        (list(WS.clone().requires_grad_()), list(TS)),
        (list(WS.numpy()), list(TS.numpy())),
        (np.asfortranarray(WS.numpy()), TS.numpy().astype(np.longdouble)),
        (WS.to_sparse(), TS),
    ],
)
def test_codes_and_times_come_in_any_type_of_numbers(ws, ts):
    clip = Clip(ws, ts)
    assert torch.equal(clip.ws, WS) and clip.ws.dtype == torch.float32 and not clip.ws.requires_grad
    assert torch.equal(clip.ts, TS.double()) and clip.ts.dtype == torch.float64


def test_codes_that_are_still_optimised_do_not_change_the_clip():
    leaf, array = WS.clone().requires_grad_(), WS.numpy().copy()
    clips = [Clip(leaf, TS), Clip(array, TS)]
    with torch.no_grad():
        leaf.zero_()
    array[:] = 0
    assert all(torch.equal(clip.ws, WS) for clip in clips)


@pytest.mark.parametrize(
    "mask", [[True] * 11 + [False], np.arange(12) < 11, [1] * 11 + [0], (torch.arange(12) < 11).float()]
)
def test_masks_come_in_any_type_of_numbers(mask):
    clip = Clip(WS, TS, observed=mask, detected=mask, shots=[0] * 6 + [1] * 6, quads=np.zeros((12, 4, 2), np.float16))
    for held in (clip.observed, clip.detected):
        assert held.dtype == torch.bool and held.tolist() == [True] * 11 + [False]
    assert clip.shots.dtype == torch.int64 and clip.quads.dtype == torch.float64
    assert clip.where(mask).ws.shape[0] == 11


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"observed": [0, 3, 5]}, r"no indices, got \(3,\)"),
        ({"observed": list(range(12))}, "no indices, got 2"),
        ({"observed": "all"}, "real numbers"),
        ({"detected": torch.ones(11)}, r"got \(11,\)"),
        ({"shots": np.linspace(0, 1, 12)}, "whole numbers"),
        ({"quads": torch.zeros(12, 8)}, r"\(12, 4, 2\)"),
        ({"ws": "codes"}, "real numbers"),
        ({"ws": None}, "real numbers"),
        ({"ws": WS.to(torch.complex64)}, "real numbers.*complex64"),
        ({"ws": WS.to("meta")}, "real numbers"),
        ({"ws": [[[1.0]], [[1.0, 2.0]]]}, "one shape"),
        ({"ws": np.array([None] * 12)}, "real numbers.*object"),
        ({"ts": ["0", "1"]}, "real numbers"),
        ({"ts": 3}, "times"),
        ({"meta": None}, "a dictionary"),
    ],
)
def test_what_holds_no_numbers_of_that_kind_is_one_sentence(changes, told):
    with pytest.raises(UserError, match=told):
        Clip(**{"ws": WS, "ts": TS} | changes)


def test_metadata_of_other_libraries_are_written_as_json(tmp_path):
    meta = {"score": np.float32(0.5), "path": Path("talk.mp4"), "scores": torch.ones(2)}
    saved = Clip(WS, TS, meta=meta).save(tmp_path / "clip.safetensors")
    assert Clip.load(saved).meta == {"score": 0.5, "path": "talk.mp4", "scores": [1.0, 1.0]}
    with pytest.raises(UserError, match="JSON"):
        Clip(WS, TS, meta={"thing": object()}).save(tmp_path / "clip.safetensors")


@pytest.mark.parametrize(
    "ws, ts, told",
    [
        (torch.zeros(1, 2, 3), torch.zeros(1), "at least 2 frames"),
        (torch.zeros(3, 2), torch.arange(3), r"\(T, L, D\)"),
        (torch.zeros(3, 2, 3), torch.arange(4), r"\(4,\)"),
        (torch.zeros(3, 2, 3), torch.tensor([0.0, 2.0, 1.0]), "increase"),
        (torch.full((3, 2, 3), torch.nan), torch.arange(3), "frames 0, 1, 2 hold NaN"),
        (
            torch.full((6, 2, 3), torch.nan),
            torch.arange(6),
            r"0, 1, 2, 3, 4 and 1 more hold NaN .* make their codes again\.$",
        ),
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


DRAWS = {  # of 13 frames at stride 4: which frames tables hold out depends on them
    0: [0, 1, 11, 12],
    1: [0, 6, 10, 12],
    2: [0, 3, 7, 12],
    3: [0, 7, 11, 12],
    4: [0, 8, 9, 12],
}


@pytest.mark.parametrize("draw", DRAWS)
def test_draws_of_irregular_frames_are_fixed(draw):
    clip = Clip(torch.zeros(13, 1, 1), torch.arange(13))
    observed = clip.sampled("irregular", 4, draw=draw).observed
    assert observed.nonzero().flatten().tolist() == DRAWS[draw]
    assert torch.equal(observed, clip.sampled("irregular", 4, runtime.seed_of_draw(0, draw)).observed)
    assert torch.equal(clip.sampled("regular", 4, draw=draw).observed, clip.sampled("regular", 4).observed)


def test_draws_of_several_seeds_are_others():
    clip = Clip(torch.zeros(48, 1, 1), torch.arange(48))
    drawn = {tuple(clip.sampled("irregular", 4, seed, draw=k).observed.tolist()) for seed in range(3) for k in range(5)}
    assert len(drawn) == 15
    with pytest.raises(UserError, match="number of a draw must be 0 or more, got -1"):
        clip.sampled("irregular", draw=-1)
