"""Pretrained GANs: the `Generator` protocol, generators by name (`SOURCES`), files of weights, rendering of codes."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
