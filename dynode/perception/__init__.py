"""Pretrained networks that analyse images: faces, identity, attributes, LPIPS, image-text agreement, flow, video features."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
