"""Worlds with ground truth: renderers whose factors are known at every instant, and episodes of them."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
