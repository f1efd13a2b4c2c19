"""Errors of methods on a clip of the test set under each condition."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from tqdm import tqdm

from dynode.dynamics.amortised import amortised_path, prior_files
from dynode.dynamics.amortised.amortised_path import AmortisedSettings
from dynode.dynamics.baselines import motion_prior
from dynode.dynamics.baselines.interpolation import Linear
from dynode.dynamics.fitting.store import FitStore
from dynode.dynamics.methods import label_of
from dynode.dynamics.trajectory import Trajectory
from dynode.evaluation.records import Row
from dynode.experiments.sparsity.conditions import Sampling
from dynode.experiments.sparsity.control_methods import (
    CONTROLS,
    NO_CONTROLS,
    OTHER_CONTEXT,
    PRIOR,
    TRAINED,
    Controls,
    trained,
)
from dynode.experiments.sparsity.labelled_methods import method_of
from dynode.experiments.sparsity.subjects import Subject
from dynode.metrics import METRICS

METRIC = "mse"
OWN = "own codes"  # rendered: what is left to a method that knows every code


def measure(
    subject: Subject,
    samplings: Sequence[Sampling],
    methods: Sequence[str],
    store: FitStore,
    progress: tqdm | None = None,
    controls: Controls = NO_CONTROLS,
) -> Iterator[Row]:
    """The error of every method, and of the clip's own codes, under every condition: in images, and in codes.

    In images a method is rendered at the frames that are scored alone.
    """
    extra = [Sampling("irregular", subject.beat_stride, draw) for draw in dict.fromkeys(one.draw for one in samplings)]
    known = {one.stride for one in samplings if one.sampling == "irregular"} | {0}
    for one in [*samplings, *(extra if subject.beat_stride not in known else [])]:
        observed = one.observe(subject.clip)
        frames = subject.scored(observed, one.split)
        named: dict[str, Any] = {"category": subject.category, "clip": subject.clip.name, "variant": one.variant}
        named |= {"sampling": one.sampling, "stride": one.stride, "draw": one.draw, "split": one.split}
        named |= {"frames": int(frames.sum()), "protocol": "independent"}
        for method in (*methods, *controls.at(one, subject.clip)):
            codes = fitted(subject, one, method, store)(subject.clip.ts)
            label = method if method in CONTROLS else label_of(method_of(method))
            yield from errors(subject, codes, frames, label, **named)
            if progress is not None:
                progress.update()
        yield from errors(subject, subject.clip.ws, frames, OWN, **named)


def fitted(subject: Subject, sampling: Sampling, method: str, store: FitStore) -> Trajectory:
    """A method's path through the observed codes of a subject, or that of a control."""
    observed = sampling.observe(subject.clip)
    if method == OTHER_CONTEXT:
        assert subject.other is not None, "worlds have another clip"
        return amortised_path.fit_told(observed, sampling.observe(subject.other))
    if method in TRAINED:
        file = trained(observed.meta["generator"], TRAINED[method])
        if method == PRIOR:
            return motion_prior.conditioned(prior_files.load(file, observed), observed)
        return store.fit(observed, AmortisedSettings(file=str(file)))
    return store.fit(observed, method_of(method))


def errors(subject: Subject, codes: torch.Tensor, at: torch.Tensor, method: str, **named: Any) -> Iterator[Row]:
    """Mean squared errors of codes (T, L, D) at the frames `at` (T,) bool: in images, against the truth or the footage, and in codes."""
    own = subject.clip.ws
    path = Linear(subject.clip.ts, torch.where(at[:, None, None], codes, own))  # other frames need no picture
    path.label = method
    result = subject.evaluator.evaluate(subject.clip, path)
    value = float(result.values(METRIC, subject.reference)[at].mean())
    result.write()
    result.release()
    yield Row(METRIC, value, method=method, reference=subject.reference, unit=METRICS[METRIC].unit, **named)
    if method != OWN:
        value = float(METRICS["latent_mse"](codes, own)[at].mean())
        yield Row("latent_mse", value, method=method, space="latent", unit=METRICS["latent_mse"].unit, **named)
