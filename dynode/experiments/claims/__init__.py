"""Claims: what experiments.yaml states of an item, judged from the rows of its record alone.  No torch.

`judge(rows, item)` gives a verdict for each claim; `dynode verify` prints them, notebooks print them of the rows that they record.
"""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
