"""`dynode report`: what was reproduced, as a folder of pages that a double click opens."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
