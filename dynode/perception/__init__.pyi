from dynode.perception.alignment import Squares as Squares
from dynode.perception.attributes import ATTRIBUTES as ATTRIBUTES
from dynode.perception.attributes import attribute_scorer as attribute_scorer
from dynode.perception.face_api import Recognition as Recognition
from dynode.perception.face_detection import Face as Face
from dynode.perception.face_detection import FaceDetector as FaceDetector
from dynode.perception.face_tracking import FaceTrack as FaceTrack
from dynode.perception.face_tracking import portraits as portraits
from dynode.perception.face_tracking import track_centre as track_centre
from dynode.perception.face_tracking import track_face as track_face
from dynode.perception.factor_reader import FactorNet as FactorNet
from dynode.perception.identity import Identity as Identity
from dynode.perception.identity import identity_of as identity_of
from dynode.perception.image_text import ImageText as ImageText
from dynode.perception.image_text import load as load_image_text
from dynode.perception.lpips import LPIPS as LPIPS
from dynode.perception.optical_flow import Flows as Flows
from dynode.perception.optical_flow import flows as compute_flows
from dynode.perception.video_features import VideoNetwork as VideoNetwork
from dynode.perception.video_features import load as load_video_network

__all__ = [
    "ATTRIBUTES",
    "Face",
    "FaceDetector",
    "FaceTrack",
    "FactorNet",
    "Flows",
    "Identity",
    "ImageText",
    "LPIPS",
    "Recognition",
    "Squares",
    "VideoNetwork",
    "attribute_scorer",
    "compute_flows",
    "identity_of",
    "load_image_text",
    "load_video_network",
    "portraits",
    "track_centre",
    "track_face",
]
