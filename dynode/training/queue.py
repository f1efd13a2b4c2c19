"""A queue of trainings within a given time: one after the other, each for its share, each resumable at any second.

A folder of results has one file of averaged weights for each training, in half precision, and the log.  The full state, of
optimisers and random numbers too, stays in the machine's cache, and is gone on from there; on another machine a training
starts from the weights alone.
"""

import contextlib
import gc
import json
import math
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from dynode.errors import Remark, UserError
from dynode.io import locks
from dynode.io.tensor_files import decoded, read_metadata
from dynode.training.loops import Trainer, require_minutes
from dynode.training.training_log import TrainingLog

MOST_JOBS = 6  # with the log seven files
LARGEST_FILE = 16 * 10**6  # bytes
KEEP_SECONDS = 60  # between two writes of weights, state and log
AGAIN = 0.5  # where the schedules of a training begin that had come to their end
COMPILE_PAYS = 300  # seconds: a shorter training is over before compiled networks have paid for themselves
COMPILING = 0.3  # of a job's time; where it takes longer, networks are not compiled
WRITING, MEASURING = 1.0, 6.0  # seconds for weights, state and log, and for the quality at the end
MEASURED_ON = ("cuda",)  # on a CPU it would take as long as the training


@dataclass(frozen=True)
class Conditions:
    """What a training is made for.

    folder: of the results, where an encoder finds its generator.  seconds: that it has.  tiny: small networks, for trials.
    seed: the number of runs before, so that each draws other pictures.  progress: whether bars are shown.  resolution: of the
    worlds' generators.
    """

    folder: Path
    device: torch.device
    seconds: float = math.inf
    compiled: bool = False
    tiny: bool = False
    seed: int = 0
    progress: bool = False
    resolution: int = 128


@dataclass(frozen=True)
class Job:
    """One training of a queue.

    name: also of its file of weights.  purpose: a line for lists.  share: of the time, relative to the other jobs' shares.
    make: a trainer for the conditions; raises UserError where they do not suffice.
    save: writes the averaged weights of a trainer to a path, with a card.  measure: their quality, on pictures not trained on.
    assets: what it reads, by names in `assets.toml`.
    """

    name: str
    purpose: str
    share: float
    make: Callable[[Conditions], Trainer]
    save: Callable[[Trainer, Path, dict], object]
    measure: Callable[[Trainer], dict[str, float]] = lambda trainer: {}
    assets: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return f"{self.name}.safetensors"


class Turn:
    """One job's turn in a queue: made, resumed, trained until its time is over, and written all the while."""

    trainer: Trainer

    def __init__(self, job: Job, conditions: Conditions, log: TrainingLog, until: float):
        self.job, self.conditions, self.log, self.until = job, conditions, log, until
        self.entry = log.entry(job.name)
        self.state, self.weights = log.state_folder / f"{job.name}.state", conditions.folder / job.file
        self.measured = conditions.device.type in MEASURED_ON
        self.reserve = WRITING + MEASURING * self.measured
        self.before_this: dict = {}  # the card of the weights that this training started from

    def run(self) -> None:
        """Raises UserError where the job cannot be trained, or its loss is not finite."""
        if self.until - time.time() < self.reserve:
            raise UserError("No time is left for it.")
        self.trainer = self.job.make(self.conditions)
        resumed = self.resume()
        self.log.begin(self.job.name, resumed, len(self.trainer.losses))
        self.before = self.trainer.shown, self.trainer.seconds
        begun = min(float(self.entry.get("reached", AGAIN)), AGAIN) if resumed != "nothing" else 0.0
        until = self.until - self.reserve
        self.trainer.compile_seconds = COMPILING * max(until - time.time(), 1.0)
        self.trainer.pace(time.time(), until, begun)
        self.trainer.loop(until=until, keep=self.keep, every=KEEP_SECONDS)
        if self.trainer.shown == self.before[0]:
            raise UserError("Its time was over before the first batch.")
        if self.measured:
            self.keep(self.job.measure(self.trainer))

    def resume(self) -> str:
        """Go on from the machine's own state where it is as far as the weights, else from the weights; what it was.

        Raises UserError for weights of another network: they would be replaced.
        """
        with contextlib.suppress(UserError):  # damaged, of other settings, or of another generator
            if self.state.is_file() and self.state_is_as_far():
                self.trainer.resume(self.state)
                self.before_this = before_all(self.weights)
                return "state"
        if not self.weights.is_file():
            return "nothing"
        if not load_weights(self.trainer, self.weights):
            raise UserError(f"{self.weights} holds the weights of another network: name another folder by -o.")
        self.before_this = card_in(self.weights)
        self.trainer.shown = int(self.entry.get("pictures_shown", 0))
        self.trainer.seconds = float(self.entry.get("seconds", 0.0))
        self.trainer.warming = True
        self.trainer.rng.manual_seed(self.trainer.seed + self.trainer.shown)
        warnings.warn(
            f"{self.job.name} starts from its weights alone: Adam and random numbers begin anew.", Remark, stacklevel=2
        )
        return "weights alone: Adam and random numbers begin anew"

    def state_is_as_far(self) -> bool:
        """Whether the machine's state has shown as many pictures as the weights, which another machine may have trained."""
        metadata = read_metadata(self.state, self.trainer.checkpoint_format, "a checkpoint of a training")
        return json.loads(metadata["numbers"])["shown"] >= int(self.entry.get("pictures_shown", 0))

    def keep(self, quality: dict[str, float] | None = None) -> None:
        """Write weights, state and log, each whole or not at all; nothing where nothing was trained, or it is not finite."""
        trainer = self.trainer
        shown, seconds = trainer.shown - self.before[0], trainer.seconds - self.before[1]
        if shown <= 0 or not all_finite(trainer):
            return
        numbers = {
            "pictures_shown": trainer.shown,
            "seconds": round(trainer.seconds, 1),
            "pictures_per_second": round(shown / max(seconds, 1e-9), 2),
            "reached": round(trainer.position() / trainer.total, 4),
            "quality": quality or {},
        }
        card = numbers | {"hours": round(trainer.seconds / 3600, 3), "provenance": self.log.provenance}
        card |= {"started_from": self.before_this} if self.before_this else {}
        self.job.save(trainer, self.weights, card)
        require_small(self.weights)
        trainer.save(self.state)
        self.log.add(self.job.name, numbers | {"file": self.job.file}, trainer.losses, trainer.batch)

    def stop(self) -> None:
        """Write what is trained at the end by a signal, in the midst of a batch: at worst a step of Adam is half done."""
        if hasattr(self, "before"):
            self.keep()


def train_all(
    jobs: Sequence[Job],
    folder: Path,
    minutes: float,
    *,
    device: torch.device | str = "cpu",
    compile: str = "auto",
    tiny: bool = False,
    progress: bool = False,
    resolution: int = 128,
) -> TrainingLog:
    """Train the jobs one after the other within some minutes; the same call goes on.  Returns the log.

    compile: "auto", "always" or "never"; auto compiles on a GPU what trains long enough.
    A job that fails is noted in the log and hands its time on.  Raises UserError for too many jobs, where none could be
    trained, and for a folder that another process trains in; a defect of ours is raised at the end.
    """
    began = time.time()
    until = began + 60 * minutes
    require_jobs(jobs)
    require_minutes(minutes)
    device, log, failures = torch.device(device), TrainingLog(folder), []
    with locks.claimed(log.state_folder / "run"), fast_products(device):
        log.start(minutes, device, compile=compile, tiny=tiny, resolution=resolution)
        for k, job in enumerate(jobs):
            seconds = seconds_of(jobs[k:], until - time.time())
            compiled = compile == "always" or (compile == "auto" and device.type == "cuda" and seconds > COMPILE_PAYS)
            conditions = Conditions(folder, device, seconds, compiled, tiny, log.runs - 1, progress, resolution)
            failures += attempt(Turn(job, conditions, log, time.time() + seconds))
            release(conditions)
    log.end(time.time() - began)
    require_trained(failures, len(jobs))
    return log


def attempt(turn: Turn) -> list[Exception]:
    """Run a turn; what it failed of, which must not end the others'."""
    try:
        turn.run()
    except KeyboardInterrupt as stop:
        turn.stop()
        stop.add_note(f"what is trained is kept in {turn.conditions.folder}, and the same command goes on from there.")
        raise
    except Exception as error:
        turn.log.fail(turn.job.name, error)
        let_go(error)
        return [error]
    return []


def require_trained(failures: list[Exception], jobs: int) -> None:
    """Raises the first defect among what jobs failed of, and UserError where all have failed."""
    for error in failures:
        if not isinstance(error, UserError):
            raise error
    if len(failures) == jobs:
        raise UserError(f"Nothing was trained: {failures[0]}")


def seconds_of(jobs: Sequence[Job], left: float) -> float:
    """The time of the first job: its share, among those that are still to come, of what is left."""
    return max(left, 0.0) * jobs[0].share / sum(job.share for job in jobs)


def require_jobs(jobs: Sequence[Job]) -> None:
    """Raises UserError for more jobs than a folder has files for."""
    if not 0 < len(jobs) <= MOST_JOBS:
        raise UserError(f"A run trains 1 to {MOST_JOBS} networks, got {len(jobs)}: choose them by --only.")


def require_small(path: Path) -> None:
    """Raises UserError for a file of weights that is too large to be handed over."""
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(
            f"{path} has {path.stat().st_size / 1e6:.1f} MB, at most {LARGEST_FILE / 1e6:.0f} are handed over: make the "
            "network smaller."
        )


def load_weights(trainer: Trainer, path: Path) -> bool:
    """Give the weights of a file to all networks of a trainer that are of their shape; whether there is one."""
    try:
        tensors = decoded(load_file(path))
    except SafetensorError:
        raise UserError(f"{path} is no safetensors file, or is cut off: delete it, or name another folder.") from None
    fitting = [each for each in trainer.networks().values() if shapes(each.state_dict()) == shapes(tensors)]
    for network in fitting:
        network.load_state_dict(tensors)
    return bool(fitting)


def card_in(path: Path) -> dict:
    """The card within a file of weights, empty where there is none."""
    with contextlib.suppress(SafetensorError), safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get("card", "{}"))
    return {}


def before_all(path: Path) -> dict:
    """The card of the weights that the training of a file of weights started from; empty where it started anew."""
    return card_in(path).get("started_from", {}) if path.is_file() else {}


def shapes(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in tensors.items()}


def all_finite(trainer: Trainer) -> bool:
    """Whether all weights are finite: a loss that has not been read yet may be NaN."""
    values = [value for network in trainer.networks().values() for value in network.state_dict().values()]
    return bool(torch.stack([value.isfinite().all() for value in values]).all())


@contextlib.contextmanager
def fast_products(device: torch.device) -> Iterator[None]:
    """On a GPU: products of matrices in TF32, and convolutions by the algorithm that is fastest for their shapes."""
    if device.type != "cuda":
        yield
        return
    precision, benchmark = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark = benchmark


def let_go(error: BaseException | None) -> None:
    """Clear the frames that an error came through: they hold the tensors of its job."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def release(conditions: Conditions) -> None:
    """Free what a job has held: its networks, compiled code, and memory of a GPU."""
    if conditions.compiled:
        torch.compiler.reset()
    gc.collect()
    if conditions.device.type == "cuda":
        torch.cuda.empty_cache()
