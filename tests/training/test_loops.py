"""Training loops: averages, schedules by the clock, pacing on a GPU, compiling that fails, files of another device."""

import time

import pytest
import torch
from stand_ins import Line
from torch import nn

from dynode.errors import Remark, UserError
from dynode.training import fusing
from dynode.training.loops import MOST_UNREAD, WARM_UP, follow, lay_out, read, running_average


def test_an_average_follows_its_network_with_a_growing_half_life():
    network = nn.Linear(2, 2)
    average = running_average(network)
    nn.init.ones_(network.weight)
    nn.init.zeros_(average.weight)
    follow(average, network, 100, batch=100, shown=10**6)
    assert torch.allclose(average.weight, torch.full((2, 2), 0.5)) and not average.weight.requires_grad
    follow(average, network, 100, batch=8, shown=8)
    assert (average.weight > 0.98).all()


def test_an_average_shares_what_it_is_to_share():
    network = nn.Linear(2, 2)
    shared = nn.Linear(3, 3)
    network.__dict__["generator"] = shared  # no submodule
    assert running_average(network, shared).generator is shared
    assert running_average(network).generator is not shared


def test_schedules_go_by_pictures_or_by_the_clock_whichever_is_further():
    line = Line(total=100)
    line.shown = 30
    assert line.position() == 30
    now = time.time()
    line.pace(now - 5, now + 5, 0.5)
    assert line.position() == pytest.approx(75, abs=1)
    line.shown = 90
    assert line.position() == 90
    line.pace(now - 9, now - 1)
    assert line.position() == 100


def test_the_rate_rises_where_adam_begins_anew():
    line = Line()
    assert line.warmth() == 1
    line.warming = True
    assert line.warmth() == 1 / WARM_UP
    line.batches = 2 * WARM_UP
    assert line.warmth() == 1


def test_a_gpu_is_waited_for_once_in_a_second_and_no_batch_begins_that_cannot_end():
    line = Line()
    line.device = torch.device("cuda")
    assert line.batches_before(time.time() + 9) == 1
    line.batch_seconds = 0.1
    assert line.batches_before(time.time() + 9) == 10
    assert line.batches_before(time.time() + 0.35) == 3
    assert line.batches_before(time.time() + 0.05) == 0
    line.batch_seconds = 1e-4
    assert line.batches_before(time.time() + 9) == MOST_UNREAD
    line.total = 6
    assert line.batches_before(time.time() + 9) == 2
    line.shown = 8
    assert line.batches_before(time.time() + 9) == 0


def test_losses_of_several_batches_are_read_at_once_and_nan_is_noticed():
    line = Line(nan_after=2)
    line.train_batches(2)
    assert len(line.losses) == 2 and all(isinstance(loss, float) for loss in line.losses)
    with pytest.raises(UserError, match="NaN"):
        line.train_batches(3)
    assert read([1.0, torch.tensor(2.0)]) == read([torch.tensor(1.0), torch.tensor(2.0)]) == [1.0, 2.0]


def test_where_compiling_fails_the_training_goes_on_and_says_so(monkeypatch):
    def broken(function, **_):
        def call(*_):
            raise RuntimeError("no C++ compiler.\nmore")

        return call

    monkeypatch.setattr(fusing.torch, "compile", broken)
    line = Line(total=8)
    line.function = line.fuse(line.network, compiled=True)
    with pytest.warns(Remark, match=r"torch.compile failed \(RuntimeError: no C\+\+ compiler\)"):
        line.loop()
    assert line.shown == 8 and line.fused[0].gave_up


def test_compiling_that_takes_too_long_is_given_up(monkeypatch):
    def slow(function, **_):
        return lambda *_: time.sleep(20)

    monkeypatch.setattr(fusing.torch, "compile", slow)
    line = Line(total=8)
    line.function, line.compile_seconds = line.fuse(line.network, compiled=True), 0.2
    began = time.time()
    with pytest.warns(Remark, match="TooSlow: it took more than 0 seconds"):
        line.loop()
    assert line.shown == 8 and time.time() - began < 10


def test_another_error_of_a_batch_is_raised_as_it_is(monkeypatch):
    monkeypatch.setattr(Line, "train_batch", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Line().loop()


def test_the_draws_of_another_kind_of_device_begin_anew(tmp_path):
    line, other = Line(total=40), Line(total=40)
    line.loop(tmp_path / "c")
    other.restore_draws(torch.zeros(16, dtype=torch.uint8))  # as a generator on a GPU has
    assert not torch.equal(other.rng.get_state(), line.rng.get_state())
    other.resume(tmp_path / "c")
    assert torch.equal(other.rng.get_state(), line.rng.get_state()) and other.shown == 40


def test_a_restored_state_has_the_memory_format_of_its_parameters():
    conv = nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    adam = torch.optim.Adam(conv.parameters())
    conv(torch.randn(1, 4, 5, 5)).sum().backward()
    adam.step()
    state = adam.state[conv.weight]
    before = state["exp_avg"].clone()
    state["exp_avg"] = state["exp_avg"].contiguous()
    lay_out(adam)
    assert state["exp_avg"].stride() == conv.weight.stride() and torch.equal(state["exp_avg"], before)
