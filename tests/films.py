"""Tiny films for tests, written by PyAV alone, and what a player makes of them: plain arithmetic on the stored levels."""

import io
import struct
from fractions import Fraction

import av
import numpy as np
from PIL import Image

GREYS = [40, 100, 160, 220]  # levels of the corners: upper left, upper right, lower left, lower right
WEIGHTS = {
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    1: (0.2126, 0.0722),
    9: (0.2627, 0.0593),
}  # red and blue of each matrix
COLOURS = [(200, 40, 60), (40, 180, 90), (30, 60, 220), (128, 128, 128), (240, 200, 30), (250, 250, 250), (20, 20, 20)]


def grey(level, height=64, width=64):
    return np.full((height, width, 3), level, np.uint8)


def noise(count, height=32, width=48, channels=3):
    shape = (count, height, width, channels) if channels > 1 else (count, height, width)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def four_corners(height=64, width=96):
    picture = np.array(GREYS, dtype=np.uint8).reshape(2, 2)
    return np.repeat(picture.repeat(height // 2, 0).repeat(width // 2, 1)[..., None], 3, axis=2)


def corners_of(image):
    h, w = image.shape[0] // 2, image.shape[1] // 2
    return [
        image[rows, columns].mean() for rows in (slice(h), slice(h, None)) for columns in (slice(w), slice(w, None))
    ]


def written(path, frames, ms=None, codec="libx264", pix_fmt="yuv420p", source="rgb24", fmt=None, **metadata):
    """A video of frames, arrays or of PyAV, at the given milliseconds, by default 40 apart."""
    with av.open(str(path), "w", format=fmt) as container:
        stream = container.add_stream(codec, rate=25)
        stream.pix_fmt, stream.codec_context.time_base = pix_fmt, Fraction(1, 1000)
        container.metadata.update(metadata)
        for pts, image in zip(ms or range(0, 40 * len(frames), 40), frames, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format=source) if isinstance(image, np.ndarray) else image
            if not stream.codec_context.is_open:
                stream.height, stream.width = frame.height, frame.width
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def with_matrix(source, target, a, b, c, d):
    """An .mp4 with that display matrix in its track header, as a phone held differently writes it."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4
    entries = (*(round(65536 * each) for each in (a, b, 0, c, d, 0)), 0, 0, 1 << 30)
    struct.pack_into(">9i", data, at + (52 if data[at] else 40), *entries)
    target.write_bytes(data)
    return target


def box(kind, *parts):
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def with_cover(source, target):
    """An .mp4 whose cover picture comes before its film, as programs for tags leave it."""
    buffer = io.BytesIO()
    Image.fromarray(grey(90)).save(buffer, "JPEG")
    covr = box(b"covr", box(b"data", struct.pack(">II", 13, 0), buffer.getvalue()))
    hdlr = box(b"hdlr", struct.pack(">II4s4sIIB", 0, 0, b"mdir", b"appl", 0, 0, 0))
    udta = box(b"udta", box(b"meta", struct.pack(">I", 0), hdlr, box(b"ilst", covr)))
    data = source.read_bytes()
    at = data.index(b"moov") - 4
    size, head = (struct.unpack(">I", data[k : k + 4])[0] for k in (at, at + 8))
    moov = data[at + 8 : at + size]
    moved = [moov[:head], udta, moov[head:]]
    target.write_bytes(data[:at] + box(b"moov", *moved) + data[at + size :])
    return target


def coded(colour, matrix, full):
    """The levels (Y, Cb, Cr) of a colour."""
    red, blue = WEIGHTS[matrix]
    r, g, b = (level / 255 for level in colour)
    y = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - y) / 2 / (1 - blue), (r - y) / 2 / (1 - red)
    if full:
        return [round(255 * y), round(128 + 255 * cb), round(128 + 255 * cr)]
    return [round(16 + 219 * y), round(128 + 224 * cb), round(128 + 224 * cr)]


def played(y, cb, cr, matrix, full):
    """The colour of levels, as a player shows it that honours the tags."""
    red, blue = WEIGHTS[matrix]
    y, cb, cr = (
        (y / 255, (cb - 128) / 255, (cr - 128) / 255) if full else ((y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224)
    )
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return 255 * np.clip([r, (y - red * r - blue * b) / (1 - red - blue), b], 0, 1)


def patches(height=48, width=None):
    """A picture of COLOURS side by side."""
    width = width or 32 * len(COLOURS)
    return np.stack([np.array(COLOURS, np.uint8)[np.arange(width) * len(COLOURS) // width]] * height)


def stored(picture, matrix, full, tagged=True, pixel_format="yuv420p"):
    """A frame of patches by plain arithmetic, with its tags or without."""
    height, width = picture.shape[:2]
    frame = av.VideoFrame(width, height, pixel_format)
    every = np.stack([coded(colour, matrix, full) for colour in picture[0]]).T  # (3, W)
    depth = 4 if "10" in pixel_format else 1
    for plane, levels in zip(frame.planes, every, strict=True):
        line = np.zeros(plane.line_size // (2 if depth > 1 else 1), np.uint16 if depth > 1 else np.uint8)
        line[: plane.width] = depth * levels[np.arange(plane.width) * width // plane.width].astype(int)
        plane.update(np.stack([line] * plane.height).tobytes())
    if tagged:
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


def film_of_patches(path, matrix=6, full=False, tagged=True, pixel_format="yuv420p", count=3, picture=None, **tags):
    """A film of patches; tagged: with matrix and range in its metadata.  tags: others, such as color_trc."""
    picture = patches() if picture is None else picture
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixel_format
        known = {"colorspace": matrix, "color_range": 2 if full else 1} if tagged else {}
        for name, value in (known | tags).items():
            setattr(stream.codec_context, name, value)
        for k in range(count):
            frame = stored(picture, matrix, full, tagged, pixel_format)
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def seen_in_player(path, matrix=None, full=None):
    """The mean colour (T, n, 3) of every patch as a player shows it: tags honoured, or the ones given where there are none."""
    shown = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            space = matrix or frame.colorspace
            assert space in WEIGHTS and (frame.color_range in (1, 2) or full is not None)
            wide = full if full is not None else frame.color_range == 2
            rows = [plane_levels(plane, 4 if "10" in frame.format.name else 1) for plane in frame.planes]
            shown.append([played(*(each[k] for each in rows), space, wide) for k in range(len(COLOURS))])
    return np.array(shown)


def plane_levels(plane, depth):
    """The mean level of the inner half of every patch in a plane."""
    levels = np.frombuffer(bytes(plane), np.uint16 if depth > 1 else np.uint8).reshape(plane.height, -1)[
        :, : plane.width
    ]
    parts = np.array_split(np.arange(plane.width), len(COLOURS))
    inner = [part[len(part) // 4 : -(len(part) // 4)] for part in parts]
    rows = slice(plane.height // 4, -(plane.height // 4))
    return [levels[rows, part].mean() / depth for part in inner]


def patch_colours(picture):
    """The mean colour (n, 3) of the inner half of every patch of a picture."""
    parts = np.array_split(np.arange(picture.shape[1]), len(COLOURS))
    height = picture.shape[0]
    rows = slice(height // 4, -(height // 4))
    return np.stack([picture[rows, part[len(part) // 4 : -(len(part) // 4)]].mean((0, 1)) for part in parts])
