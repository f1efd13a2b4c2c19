"""Pretrained GANs: the `Generator` protocol, those that are known by name, and files of weights."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
