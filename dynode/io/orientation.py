"""Orientation of frames and pictures: the display matrix of a video, the EXIF orientation of a picture."""

import av
import numpy as np
import PIL
from PIL import Image

UPRIGHT = (1, 0, 0, 1)
EXIF = 274  # the tag's number
EXIF_MATRICES = {  # a, b, c, d of the display matrix: where the stored right (a, b) and down (c, d) point to
    1: UPRIGHT,
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}
Matrix = tuple[int, ...]
QUARTER_TURNS = tuple(EXIF_MATRICES[k] for k in (1, 8, 3, 6))  # counterclockwise


def matrix_of(frame: av.VideoFrame, path: object) -> Matrix:
    """The display matrix (a, b, c, d) of a frame, rounded to a multiple of quarter turns; path: its file."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")  # pyright: ignore[reportAttributeAccessIssue]
    except ValueError:  # some kind of side data, such as EXIF, that this PyAV does not know
        return of_picture(path) or QUARTER_TURNS[round(frame.rotation / 90) % 4]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5]
    straight = abs(int(a)) + abs(int(d)) >= abs(int(b)) + abs(int(c))
    return tuple(int(np.sign(each)) for each in ((a, 0, 0, d) if straight else (0, b, c, 0)))


def of_picture(path: object) -> Matrix | None:
    """The display matrix that a picture's EXIF orientation means; None for a file that is no picture."""
    try:
        with Image.open(str(path)) as picture:
            return EXIF_MATRICES.get(picture.getexif().get(EXIF, 1), UPRIGHT)
    except (PIL.UnidentifiedImageError, OSError, SyntaxError):
        return None


def is_turned(matrix: Matrix) -> bool:
    """Whether width and height change places."""
    return matrix[0] == 0


def upright(picture: np.ndarray, matrix: Matrix) -> np.ndarray:
    """A picture (H, W, 3) as its display matrix says."""
    a, b, c, d = matrix
    if is_turned(matrix):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return np.ascontiguousarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
