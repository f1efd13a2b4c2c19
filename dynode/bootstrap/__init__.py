"""From a bare machine to results: make the environment, then reproduce or test. Standard library only.

The environment is `.venv` in the checkout, installed from `lock/requirements.txt`. With DYNODE_ENV=current the running
environment (conda, a container) is used as it is.
"""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
