"""Poisson image editing (Pérez, Gangnet and Blake 2003) at a fixed position: a discrete Dirichlet problem.

In the region Ω the result has the differences v of a guiding picture; on its boundary it equals the picture around it:

    |N_p| f_p - sum_{q in N_p, in Ω} f_q = sum_{q in N_p, outside Ω} target_q + sum_{q in N_p} v_pq

over the four neighbours N_p of p that lie in the picture.  Nothing is shifted: OpenCV's seamlessClone centres the
region's box anew, which shifts it by a pixel where the centre is rounded.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags_array
from scipy.sparse.linalg import LinearOperator, cg, splu

SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))
DIRECT = 400  # unknowns
ACCURACY = 3e-3  # root mean square of what a solution leaves of the equations, in units of the picture
DAMPING = 2 / 3  # of Jacobi steps


def box_of(inside: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of a region (H, W) bool that is not empty, and one pixel around it where there is one."""
    spans = (np.flatnonzero(inside.any(axis=1 - axis)) for axis in (0, 1))
    rows, columns = (slice(max(span[0] - 1, 0), span[-1] + 2) for span in spans)
    return rows, columns


@dataclass(frozen=True)
class Region:
    """The pixels Ω where `inside` (H, W) is true, n of them in reading order; some pixel of the picture lies outside."""

    inside: np.ndarray

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number of each pixel of Ω, -1 outside, -2 off the picture, (H + 2, W + 2)."""
        numbers = np.full(self.inside.shape, -1)
        numbers[self.inside] = np.arange(self.inside.sum())
        return np.pad(numbers, 1, constant_values=-2)

    def beside(self, padded: np.ndarray, side: tuple[int, int]) -> np.ndarray:
        """The values (n, ...) of all pixels' neighbours at one side, of an array padded by one pixel."""
        rows, columns = np.nonzero(self.inside)
        return padded[rows + 1 + side[0], columns + 1 + side[1]]

    @cached_property
    def matrix(self) -> csr_matrix:
        """The system's matrix (n, n), symmetric and positive; it depends on the region alone."""
        n = int(self.inside.sum())
        diagonal, rows, columns = np.zeros(n), [np.arange(n)], [np.arange(n)]
        for side in SIDES:
            number = self.beside(self.numbers, side)
            diagonal += number > -2
            rows.append(np.flatnonzero(number >= 0))
            columns.append(number[number >= 0])
        rows, columns = np.concatenate(rows), np.concatenate(columns)
        values = np.concatenate([diagonal, np.full(len(rows) - n, -1.0)])
        return csr_matrix(coo_matrix((values, (rows, columns)), shape=(n, n)))

    def right_side(self, target: np.ndarray, guide: np.ndarray) -> np.ndarray:
        """The right side (n, C) of the equations: `target` (H, W, C) around Ω, and the differences of the guide."""
        around, padded = pad(target), pad(guide)
        right = np.zeros((int(self.inside.sum()), target.shape[-1]))
        for side in SIDES:
            number = self.beside(self.numbers, side)[:, None]
            right += np.where(number == -1, self.beside(around, side), 0)
            right += np.where(number > -2, guide[self.inside] - self.beside(padded, side), 0)
        return right

    def solve(self, right: np.ndarray, held: np.ndarray | None = None) -> np.ndarray:
        """The solution (n, C) for right sides (n, C), by conjugate gradients preconditioned by coarser regions.

        held: weights (n,) >= 0 that are added to the diagonal; they draw the solution to 0.
        """
        rows, columns = np.nonzero(self.inside)
        matrix = self.matrix if held is None else (self.matrix + diags_array(held)).tocsr()
        coarser = LinearOperator(matrix.shape, Level(matrix, rows, columns).improved)
        enough = {"rtol": 0.0, "atol": ACCURACY * np.sqrt(len(right)), "maxiter": 200}
        return np.stack([cg(matrix, column, M=coarser, **enough)[0] for column in right.T], axis=1)


class Level:
    """One level of multigrid by smoothed aggregation (Vaněk, Mandel and Brezina 1996): blocks of 3 x 3 pixels make the next.

    The smallest level is solved directly.
    """

    def __init__(self, matrix: csr_matrix, rows: np.ndarray, columns: np.ndarray):
        self.matrix, n = matrix, len(rows)
        self.direct = splu(matrix.tocsc()) if n <= DIRECT else None
        if self.direct is None:
            blocks = (rows // 3) * (columns.max() // 3 + 1) + columns // 3
            kept, block = np.unique(blocks, return_inverse=True)
            self.damping = diags_array(np.divide(DAMPING, matrix.diagonal())).tocsr()
            tentative = coo_matrix((np.ones(n), (np.arange(n), block)), shape=(n, len(kept))).tocsr()
            self.prolongation = tentative - self.damping @ (matrix @ tentative)
            coarse = kept // (columns.max() // 3 + 1), kept % (columns.max() // 3 + 1)
            self.coarser = Level((self.prolongation.T @ matrix @ self.prolongation).tocsr(), *coarse)

    def improved(self, residual: np.ndarray) -> np.ndarray:
        """A correction (n,) for a residual (n,): one V-cycle with one damped Jacobi step before and after."""
        if self.direct is not None:
            return self.direct.solve(residual)
        change = self.damping @ residual
        change = change + self.prolongation @ self.coarser.improved(
            self.prolongation.T @ (residual - self.matrix @ change)
        )
        return change + self.damping @ (residual - self.matrix @ change)


def pad(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, [(1, 1), (1, 1), (0, 0)])


def cloned(
    target: np.ndarray,
    source: np.ndarray,
    inside: np.ndarray,
    held: np.ndarray | None = None,
) -> np.ndarray:
    """target (H, W, C) with `source` (H, W, C) cloned seamlessly into the region `inside` (H, W); float64.

    held: weights (H, W) >= 0 of the square of what is added to the source, as in `membrane`; None: 0, as published.
    An empty region leaves the target; one that covers the picture, and so has no boundary, gives the source.
    """
    result = np.array(target, dtype=np.float64)
    if not inside.any() or inside.all():
        return result if not inside.any() else np.array(source, dtype=np.float64)
    box = box_of(inside)
    around, guide, region = result[box], np.asarray(source[box], dtype=np.float64), Region(inside[box])
    right = region.right_side(around, guide)
    # solved for what is added to the source: with the source's own differences that is smooth and converges soon
    weights = None if held is None else held[box][region.inside]
    around[region.inside] = guide[region.inside] + region.solve(right - region.matrix @ guide[region.inside], weights)
    return result


def membrane(boundary: np.ndarray, inside: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The surface (H, W, C) that is `boundary` (H, W, C) outside the region `inside` (H, W), and smooth in it; float64.

    held: weights (H, W) >= 0; it minimises sum |f_p - f_q|^2 + held_p |f_p|^2: where nothing is held it is harmonic, where
    the weight is h it falls to 0 over 1 / sqrt(h) pixels.  A region that covers the picture has no boundary: 0.
    """
    result = np.array(boundary, dtype=np.float64)
    if not inside.any() or inside.all():
        return result if not inside.any() else np.zeros_like(result)
    box = box_of(inside)
    around, region = result[box], Region(inside[box])
    right = region.right_side(around, np.zeros_like(around))
    around[region.inside] = region.solve(right, held[box][region.inside])
    return result
