"""From images to codes: projection by optimisation, an encoder, conjugate gradients; frame sources and reference images."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
