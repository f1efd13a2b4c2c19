"""Results of a run: figures, tables, records and executed notebooks; `dynode.evaluate`."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
