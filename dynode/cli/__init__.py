"""The command line."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
