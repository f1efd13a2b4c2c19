"""The reproduction: the items of experiments.yaml, how they are run, and the code that only their notebooks use."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
