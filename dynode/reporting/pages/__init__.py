"""Pages that a browser opens from a file: the viewer of a clip, and what report and demo are made of. No request leaves them."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
