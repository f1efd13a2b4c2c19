from dynode.editing.directions import Direction as Direction
from dynode.editing.editor_files import FORMATS as FORMATS
from dynode.editing.editor_files import EditorFormat as EditorFormat
from dynode.editing.editors import METHODS as METHODS
from dynode.editing.editors import Editor as Editor
from dynode.editing.editors import editing_method as editing_method
from dynode.editing.editors import load as load_editor
from dynode.editing.ganspace import principal_component as principal_component
from dynode.editing.latent_flow import LatentFlow as LatentFlow
from dynode.editing.latent_transformer import LatentTransformer as LatentTransformer
from dynode.editing.propagation import propagate as propagate
from dynode.editing.propagation import shifted as shifted
from dynode.editing.random_samples import SampleSettings as SampleSettings
from dynode.editing.random_samples import ScoredSamples as ScoredSamples
from dynode.editing.strength_ranges import StrengthRange as StrengthRange
from dynode.editing.strength_ranges import range_of as range_of
from dynode.editing.styleclip import Mapper as Mapper
from dynode.editing.styleclip_direction import StyleDirection as StyleDirection
from dynode.editing.styleclip_direction import global_direction as global_direction
from dynode.editing.text_edit import edit_frame as edit_frame

__all__ = [
    "Direction",
    "Editor",
    "EditorFormat",
    "FORMATS",
    "LatentFlow",
    "LatentTransformer",
    "METHODS",
    "Mapper",
    "SampleSettings",
    "ScoredSamples",
    "StrengthRange",
    "StyleDirection",
    "edit_frame",
    "editing_method",
    "global_direction",
    "load_editor",
    "principal_component",
    "propagate",
    "range_of",
    "shifted",
]
