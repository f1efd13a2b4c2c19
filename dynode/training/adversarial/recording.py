"""A step of a training as one CUDA graph: its kernels are recorded once and replayed, so that a GPU never waits for Python."""

import warnings
from collections.abc import Callable

import torch

from dynode.errors import Remark

EAGER = 4  # calls before a recording: optimisers make their states, cuDNN chooses algorithms


class Recorded:
    """A function of a whole number to a loss, such as `step(resolution)`, that trains networks in place on a GPU.

    The first calls for a number run as they are, one is recorded, all later ones replay it.  What changes between calls must
    lie in tensors that are changed in place, learning rates too.  rng: draws within the function.  Where recording fails the
    function runs as it is.
    """

    def __init__(self, function: Callable[[int], torch.Tensor], rng: torch.Generator):
        self.function, self.rng = function, rng
        self.key, self.calls, self.failed = -1, 0, False
        self.graph: torch.cuda.CUDAGraph | None = None
        self.loss = torch.zeros(())

    def __call__(self, key: int) -> torch.Tensor:
        if key != self.key:
            self.key, self.calls, self.graph = key, 0, None
        self.calls += 1
        if self.failed:
            return self.function(key)
        if self.calls <= EAGER:
            return self.aside()
        if self.graph is None and not self.record():
            return self.function(key)
        assert self.graph is not None
        self.graph.replay()
        return self.loss.clone()  # the next replay writes over it

    def aside(self) -> torch.Tensor:
        """The function on a stream of its own, as recordings are: what gradients flow through belongs to no other stream."""
        here, stream = torch.cuda.current_stream(), torch.cuda.Stream()
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            loss = self.function(self.key)
        here.wait_stream(stream)
        return loss

    def record(self) -> bool:
        """Record the function, which runs nothing; whether that worked."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.rng)
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph):
                self.loss = self.function(self.key)
        except Exception as error:
            self.failed = True
            reason = str(error).strip().split("\n")[0][:200].rstrip(".")
            warnings.warn(f"No CUDA graph could be recorded ({reason}): the training is slower.", Remark, stacklevel=2)
            return False
        self.graph = graph
        return True
