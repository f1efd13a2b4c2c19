"""The measures of a generator's quality, against cases whose answers are known."""

import numpy as np
import pytest
import torch
from scipy import linalg

from dynode.errors import UserError
from dynode.evaluation import generator_quality


def normal(n: int, k: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed)).double() * scale + shift


def test_frechet_is_the_textbook_formula():
    a, b = normal(400, 6, 0), normal(300, 6, 1, shift=0.5, scale=1.7)
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    wanted = np.square(a.mean(0).numpy() - b.mean(0).numpy()).sum()
    wanted += np.trace(cov_a + cov_b - 2 * linalg.sqrtm(cov_a @ cov_b).real)
    assert generator_quality.frechet(a, b) == pytest.approx(wanted, rel=1e-6)
    assert generator_quality.frechet(a, a) == pytest.approx(0, abs=1e-6)


def test_precision_falls_with_junk_and_recall_with_lost_modes():
    real = torch.cat([normal(200, 4, 0), normal(200, 4, 1, shift=20)])
    same = torch.cat([normal(200, 4, 2), normal(200, 4, 3, shift=20)])
    precision, recall = generator_quality.precision_recall(real, same)
    assert precision > 0.75 and recall > 0.75
    precision, recall = generator_quality.precision_recall(real, normal(400, 4, 4))  # one mode lost
    assert precision > 0.75 and 0.3 < recall < 0.55
    junk = torch.cat([same[100:300], normal(200, 4, 5, shift=-30)])
    precision, recall = generator_quality.precision_recall(real, junk)
    assert 0.3 < precision < 0.55 and recall > 0.6
    with pytest.raises(UserError, match="more than 3"):
        generator_quality.precision_recall(real[:3], same)


def test_a_classifier_tells_apart_what_differs_and_only_that():
    a = normal(600, 8, 0)
    assert generator_quality.classifier_accuracy(a, normal(600, 8, 1)) < 0.6
    assert generator_quality.classifier_accuracy(a, normal(600, 8, 2, shift=1.5)) > 0.9


def test_every_measure_has_the_worlds_own_beside_it():
    values = generator_quality.compared(normal(200, 5, 0), normal(200, 5, 1), normal(200, 5, 2, shift=3.0))
    assert values["frechet"] > 5 * values["frechet_of_the_world"]
    assert values["precision"] < 0.2 < values["precision_of_the_world"]
    assert values["told_apart"] > values["told_apart_of_the_world"]
