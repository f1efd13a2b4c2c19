"""Colours of video frames as a player shows them: matrix and range by their tags, guessed as players do where tags are missing.

Codes are those of ITU-T H.273, as files carry them.
"""

import warnings
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import numpy as np
from av.video.reformatter import Interpolation

from dynode.errors import Remark, UserError

UNTAGGED = 2
BT709, BT601 = 1, 6
LIMITED, FULL = 1, 2
SCALER = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # matrix -> swscale's number of its coefficients
HDR = {16: "PQ", 18: "HLG"}  # transfer functions
HD = (1280, 576)  # as mpv guesses: from this width on, or above this height, without tags
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class Look:
    """What a player needs to show pixels as they are meant: matrix, primaries and transfer function (H.273), shape of a pixel.

    pixel: its width over its height, 1 for square ones.  With the matrix UNTAGGED a file carries no tags, and is read
    as BT.601, as players do below HD.
    """

    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709
    pixel: Fraction = Fraction(1)

    @property
    def tags(self) -> dict[str, int]:
        """The attributes of a codec that carry it."""
        if self.matrix == UNTAGGED:
            return {}
        colours = {"colorspace": self.matrix, "color_primaries": self.primaries, "color_trc": self.transfer}
        return colours | {"color_range": LIMITED}


UNMARKED = Look(matrix=UNTAGGED)


def look_of(frame: av.VideoFrame, pixel: Fraction, still: bool = False) -> Look:
    """The look of an upright frame; still: of a picture, whose colours are BT.601 at any size where they carry no tag."""
    return Look(matrix_of(frame, still), frame.color_primaries, frame.color_trc, pixel)


def matrix_of(frame: av.VideoFrame, still: bool = False) -> int:
    """The matrix of a frame: its tag, else BT.709 for HD and for RGB, BT.601 below HD and for pictures."""
    if frame.colorspace in SCALER:
        return frame.colorspace
    hd = frame.width >= HD[0] or frame.height > HD[1]
    return BT709 if frame.format.is_rgb or (hd and not still) else BT601


def remark(frame: av.VideoFrame, name: object) -> None:
    """Warn of colours that are not shown as they are meant."""
    if frame.color_trc in HDR:
        warnings.warn(
            f"{name} is HDR ({HDR[frame.color_trc]}): its levels are taken as they are stored, paler than a player shows them; "
            "an edit keeps its tags.",
            Remark,
            stacklevel=2,
        )
    if not frame.format.is_rgb and frame.colorspace not in (*SCALER, 0, UNTAGGED):
        warnings.warn(
            f"{name} has colours of the matrix {frame.colorspace} (H.273), which is not known here: they are taken as those "
            "of usual videos.",
            Remark,
            stacklevel=2,
        )


def pixels(frame: av.VideoFrame, still: bool = False, exact: bool = False) -> np.ndarray:
    """A frame as uint8 (H, W, 3) RGB, in its stored orientation.

    exact: rounded and with its colours interpolated, as players do; else the fast conversion, 1 or 2 levels darker.
    """
    choices = {"interpolation": EXACT} if exact else {}
    if not frame.format.is_rgb and len(frame.format.components) > 2:
        full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
        choices |= {"src_colorspace": SCALER[matrix_of(frame, still)], "src_color_range": FULL if full else LIMITED}
    try:
        return frame.reformat(format="rgb24", **choices).to_ndarray()
    except (ValueError, av.error.FFmpegError) as error:
        raise UserError(
            f"Pixels of the format {frame.format.name} cannot be read ({error}): convert the video to yuv420p first."
        ) from None


def coded(picture: np.ndarray, look: Look) -> av.VideoFrame:
    """Pixels uint8 (H, W, 3) RGB as a frame in yuv420p of limited range, in the colours of a look."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    if look.matrix == UNTAGGED:
        return frame
    return frame.reformat(format="yuv420p", dst_colorspace=SCALER[look.matrix], dst_color_range=LIMITED)
