"""From a clip to a trajectory: `fit(clip, method)` by the neural ODE or a baseline, presets, retiming, fit files."""

from dynode.lazy import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
