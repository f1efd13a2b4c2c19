"""Edits of one code, `edit(ws, strength) -> ws`, editors by name, and their propagation along a trajectory."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
