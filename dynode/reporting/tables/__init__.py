"""Records -> tables: Markdown, LaTeX, CSV. Numbers are mean +- std over seeds, best bold, second underlined."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
