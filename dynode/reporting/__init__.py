"""What a run leaves behind: figures, tables, records and executed notebooks."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
