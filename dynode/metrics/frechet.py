"""The Fréchet distance of two sets of features, each modelled as a normal distribution."""

import torch


def frechet(a: torch.Tensor, b: torch.Tensor, shrink: float = 0.0) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2) of features (n, K), n >= 2 (Heusel et al. 2017, Eq. 6).

    In double precision.  With S = R'R the last trace is the sum of the singular values of R_a R_b': the square roots of the
    same eigenvalues, without squares and roots of those that are 0 where there are fewer samples than dimensions.
    shrink: weight in [0, 1] of a multiple of the identity of the same trace that covariances are mixed with, for few
    samples (Ledoit and Wolf 2004).
    """
    a, b = a.double(), b.double()
    of_a, of_b = factor(a, shrink), factor(b, shrink)
    mixed = torch.linalg.svdvals(of_a @ of_b.T).sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return float((gap + of_a.square().sum() + of_b.square().sum() - 2 * mixed).clamp(min=0))  # 0 comes out as -1e-16


def factor(features: torch.Tensor, shrink: float) -> torch.Tensor:
    """R (m, K), m <= K, of the covariance S = R'R, or of (1 - shrink) S + shrink tr(S) / K I."""
    rows = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    if shrink:
        level = (shrink * rows.square().sum() / rows.shape[1]).sqrt()
        rows = torch.cat([(1 - shrink) ** 0.5 * rows, level * torch.eye(rows.shape[1]).to(rows)])
    return torch.linalg.qr(rows, mode="r").R
