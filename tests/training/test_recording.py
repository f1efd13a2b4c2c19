"""Steps as CUDA graphs, without a GPU: what is called when, with stand-ins for streams and graphs."""

import contextlib

import pytest
import torch

from dynode.errors import Remark
from dynode.training.adversarial import recording
from dynode.training.adversarial.recording import EAGER, Recorded


class Graph:
    """Counts what is asked of a graph."""

    made: list["Graph"] = []

    def __init__(self):
        self.replays, self.draws = 0, []
        Graph.made.append(self)

    def register_generator_state(self, rng):
        self.draws.append(rng)

    def replay(self):
        self.replays += 1


class Stream:
    def wait_stream(self, _):
        return None


@pytest.fixture(autouse=True)
def cuda(monkeypatch):
    Graph.made = []
    monkeypatch.setattr(recording.torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(recording.torch.cuda, "graph", lambda graph: contextlib.nullcontext())
    monkeypatch.setattr(recording.torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(recording.torch.cuda, "Stream", Stream)
    monkeypatch.setattr(recording.torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(recording.torch.cuda, "stream", lambda stream: contextlib.nullcontext())


def counting(calls: list[int]):
    def step(key: int) -> torch.Tensor:
        calls.append(key)
        return torch.tensor(float(key))

    return step


def test_a_step_runs_a_few_times_is_recorded_once_and_then_replayed():
    calls, rng = [], torch.Generator()
    step = Recorded(counting(calls), rng)
    losses = [float(step(64)) for _ in range(EAGER + 3)]
    assert losses == [64.0] * (EAGER + 3) and len(calls) == EAGER + 1
    assert [graph.replays for graph in Graph.made] == [3] and Graph.made[0].draws == [rng]


def test_another_resolution_is_recorded_anew():
    calls: list[int] = []
    step = Recorded(counting(calls), torch.Generator())
    for key in (32, 64):
        for _ in range(EAGER + 2):
            step(key)
    assert calls == [32] * (EAGER + 1) + [64] * (EAGER + 1) and [graph.replays for graph in Graph.made] == [2, 2]


def test_a_loss_is_not_written_over_by_the_next_replay():
    step = Recorded(counting([]), torch.Generator())
    first = [step(1) for _ in range(EAGER + 1)][-1]
    step.loss.fill_(7.0)
    assert float(first) == 1.0


def test_where_recording_fails_the_step_goes_on_as_it_is(monkeypatch):
    def failing(graph):
        raise RuntimeError("operation not permitted when stream is capturing.")

    monkeypatch.setattr(recording.torch.cuda, "graph", failing)
    calls: list[int] = []
    step = Recorded(counting(calls), torch.Generator())
    with pytest.warns(Remark, match=r"No CUDA graph could be recorded \(operation not permitted"):
        for _ in range(EAGER + 3):
            step(64)
    assert len(calls) == EAGER + 3 and len(Graph.made) == 1
