"""Every method by the name it has in records: `fit(clip, settings, seed) -> Trajectory`."""

from dynode import interpolation
from dynode.clips import Clip
from dynode.dynamics import neural_ode
from dynode.dynamics.presets import PRESETS
from dynode.settings import choose

INTERPOLATORS = {"hold": interpolation.fit_hold, "linear": interpolation.fit_linear}
METHODS = (*INTERPOLATORS, *PRESETS)


def fit(name: str, clip: Clip, settings=None, seed: int = 0, *, progress: bool = False):
    """Fit the method of that name to the observed frames of a clip.

    settings: a DynamicsSettings to use instead of the preset (learned methods only).  Raises UserError for other names.
    """
    choose("method", name, METHODS)
    if name in INTERPOLATORS:
        return INTERPOLATORS[name](clip, settings, seed)
    return neural_ode.fit(clip, settings or PRESETS[name], seed, progress=progress)
