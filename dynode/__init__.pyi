from dynode.clips import Clip as Clip
from dynode.clips import load as load_clip
from dynode.dynamics.fit_files import load as load_fit
from dynode.dynamics.methods import fit as fit
from dynode.dynamics.methods import fit_many as fit_many
from dynode.dynamics.presets import PRESETS as PRESETS
from dynode.dynamics.registry import METHODS as METHODS
from dynode.dynamics.trajectory import Trajectory as Trajectory
from dynode.editing.editors import load as load_editor
from dynode.errors import UserError as UserError
from dynode.generators.registry import load_generator as load_generator
from dynode.inversion.invert_frames import invert as invert
from dynode.rendering import render as render
from dynode.reporting.comparison import evaluate as evaluate
from dynode.video_editing.edit_file import edit as edit

from . import border as border
from . import clips as clips
from . import dynamics as dynamics
from . import editing as editing
from . import evaluation as evaluation
from . import generators as generators
from . import inversion as inversion
from . import io as io
from . import metrics as metrics
from . import perception as perception
from . import reporting as reporting
from . import runtime as runtime
from . import settings as settings
from . import training as training
from . import video_editing as video_editing
from . import worlds as worlds

__version__: str

__all__ = [
    "Clip",
    "METHODS",
    "PRESETS",
    "Trajectory",
    "UserError",
    "edit",
    "evaluate",
    "fit",
    "fit_many",
    "invert",
    "load_clip",
    "load_editor",
    "load_fit",
    "load_generator",
    "render",
]
