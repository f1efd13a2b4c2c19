"""Reading and writing: assets, videos, audio, images, files of tensors; files are written whole or not at all."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
