from dynode.io.assets import cache_dir as cache_dir
from dynode.io.assets import fetch as fetch
from dynode.io.assets import load_arrays as load_arrays
from dynode.io.assets import sha256_of as sha256_of
from dynode.io.files import written_whole as written_whole
from dynode.io.images import area_resize as area_resize
from dynode.io.images import from_uint8 as from_uint8
from dynode.io.images import resampled as resampled
from dynode.io.images import to_uint8 as to_uint8
from dynode.io.outputs import require_output as require_output
from dynode.io.tensor_files import read_metadata as read_metadata
from dynode.io.tensor_files import read_safetensors as read_safetensors
from dynode.io.tensor_files import undamaged as undamaged
from dynode.io.tensor_files import write_safetensors as write_safetensors
from dynode.io.video import Stretch as Stretch
from dynode.io.video import iterate as iterate_video
from dynode.io.video import pick as pick_frames
from dynode.io.video import read as read_video
from dynode.io.video import write as write_video
from dynode.io.video import write_timed as write_timed

__all__ = [
    "Stretch",
    "area_resize",
    "cache_dir",
    "fetch",
    "from_uint8",
    "iterate_video",
    "load_arrays",
    "pick_frames",
    "read_metadata",
    "read_safetensors",
    "read_video",
    "require_output",
    "resampled",
    "sha256_of",
    "to_uint8",
    "undamaged",
    "write_safetensors",
    "write_timed",
    "write_video",
    "written_whole",
]
