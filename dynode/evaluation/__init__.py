"""Evaluation of trajectories, fits, edited videos, editors, generators and inversions: rows of numbers, and their records."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
