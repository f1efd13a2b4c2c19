"""Training of the shipped weights: generators of worlds, encoders, factor readers, editors, the image-text network."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
