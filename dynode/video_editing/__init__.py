"""Edits of clips and videos: every frame, or one frame whose edit learned dynamics propagate; pasted back into the footage."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
