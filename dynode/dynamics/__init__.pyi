from dynode.dynamics.fit_files import load as load_fit
from dynode.dynamics.fitting.store import FitStore as FitStore
from dynode.dynamics.fitting.store import fit_to_file as fit_to_file
from dynode.dynamics.methods import fit as fit
from dynode.dynamics.methods import fit_many as fit_many
from dynode.dynamics.methods import label_of as label_of
from dynode.dynamics.methods import settings_of as settings_of
from dynode.dynamics.neural_ode import NeuralODE as NeuralODE
from dynode.dynamics.presets import PRESETS as PRESETS
from dynode.dynamics.presets import DynamicsSettings as DynamicsSettings
from dynode.dynamics.presets import latent_only as latent_only
from dynode.dynamics.presets import preset as preset
from dynode.dynamics.principal_axes import PrincipalAxes as PrincipalAxes
from dynode.dynamics.registry import METHODS as METHODS
from dynode.dynamics.registry import How as How
from dynode.dynamics.registry import Method as Method
from dynode.dynamics.registry import baseline as baseline
from dynode.dynamics.retiming import retime as retime
from dynode.dynamics.through_codes import ThroughCodes as ThroughCodes
from dynode.dynamics.trajectory import Trajectory as Trajectory

__all__ = [
    "DynamicsSettings",
    "FitStore",
    "How",
    "METHODS",
    "Method",
    "NeuralODE",
    "PRESETS",
    "PrincipalAxes",
    "ThroughCodes",
    "Trajectory",
    "baseline",
    "fit",
    "fit_many",
    "fit_to_file",
    "label_of",
    "latent_only",
    "load_fit",
    "preset",
    "retime",
    "settings_of",
]
