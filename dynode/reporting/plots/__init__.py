"""Data -> Figure. No files are read or written here; `dynode.reporting.outputs` saves what these return."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
