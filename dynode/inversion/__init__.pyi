from dynode.inversion.conjugate_gradient import Preconditioner as Preconditioner
from dynode.inversion.conjugate_gradient import minimise as minimise
from dynode.inversion.encoder import Encoder as Encoder
from dynode.inversion.encoder import EncoderSettings as EncoderSettings
from dynode.inversion.encoder_files import load as load_encoder
from dynode.inversion.frame_sources import FrameSource as FrameSource
from dynode.inversion.frame_sources import episode_of as episode_of
from dynode.inversion.frame_sources import reference_images as reference_images
from dynode.inversion.frame_sources import render_episode as render_episode
from dynode.inversion.frame_sources import source_video as source_video
from dynode.inversion.frame_sources import truth_at as truth_at
from dynode.inversion.invert_frames import invert as invert
from dynode.inversion.invert_frames import invert_episode as invert_episode
from dynode.inversion.invert_frames import invert_source as invert_source
from dynode.inversion.observer import NoObserver as NoObserver
from dynode.inversion.observer import Observer as Observer
from dynode.inversion.projection import Projection as Projection
from dynode.inversion.projection import Projector as Projector
from dynode.inversion.projection_settings import ProjectionSettings as ProjectionSettings
from dynode.inversion.projection_settings import settings_for as settings_for

__all__ = [
    "Encoder",
    "EncoderSettings",
    "FrameSource",
    "NoObserver",
    "Observer",
    "Preconditioner",
    "Projection",
    "ProjectionSettings",
    "Projector",
    "episode_of",
    "invert",
    "invert_episode",
    "invert_source",
    "load_encoder",
    "minimise",
    "reference_images",
    "render_episode",
    "settings_for",
    "source_video",
    "truth_at",
]
