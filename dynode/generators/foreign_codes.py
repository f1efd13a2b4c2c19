"""Codes that other projectors left in files, as a clip of the generator they belong to."""

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

import torch

from dynode.border import Times, numbers, ordinary_modes
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.generators import tuned
from dynode.generators.registry import base_of, code_shape_of, hash_of, tuning_of
from dynode.io import assets
from dynode.io.code_files import natural, read_codes

UNKNOWN = "unknown: codes of another projector, not compared with footage"


@ordinary_modes
def clip_of_codes(
    files: Path | str | Iterable[Path | str],
    ts: Times | None = None,
    generator: str = "mobilestylegan-ffhq",
    *,
    fps: float = 0,
    name: str = "",
) -> Clip:
    """The clip of codes in files of other programs, such as PTI's .pt, StyleGAN2-ADA's projected_w.npz or an .npy.

    files: one, or one for each frame, which are sorted by the numbers in their names.  ts: the second of every frame; or
    else fps, their rate.  generator: that which the codes were projected with, by name or file of weights.  name: of the clip.
    Codes may be (T, L, D), (T, 1, L, D), (1, T, L, D), flattened (T, L * D), or of W (T, D), which all rows then share.
    Raises UserError for codes of another shape, of which there are others than times, and what `read_codes` refuses.
    """
    paths = [Path(files)] if isinstance(files, str | Path) else sorted(map(Path, files), key=natural)
    require_one_clock(ts, fps)
    shape = code_shape_of(generator)
    ws = torch.cat([rows_of_codes(read_codes(path), shape, path, generator) for path in paths])
    if len(ws) < 2:
        raise UserError(
            f"{paths[0]} holds a single code: a clip wants one for each frame, so name the files of all frames in a row."
        )
    ts = torch.arange(len(ws), dtype=torch.float64) / fps if ts is None else numbers(ts, "The times of the codes")
    if ts.shape != ws.shape[:1]:
        count = len(ts) if ts.dim() == 1 else tuple(ts.shape)
        raise UserError(f"There are {len(ws)} codes and {count} times: give the second of every code.")
    return Clip(ws, ts, meta={"name": name or paths[0].stem, **described(paths, generator)})


def require_one_clock(ts: Times | None, fps: float) -> None:
    """Raises UserError unless there are times, or a frame rate that can be."""
    if (ts is None) == (not fps):
        raise UserError("Codes hold no times: give their frame rate (fps, such as 25) or their times, one of both.")
    if ts is None and not 1e-3 <= fps <= 1e5:
        raise UserError(f"The frame rate must be a number of frames a second above 0, got {fps:g}.")


def described(paths: list[Path], generator: str) -> dict:
    """The metadata of codes in files of other programs."""
    hashes = "".join(assets.sha256_of(path) for path in paths)
    return {
        "generator": base_of(generator),
        "generator_hash": hash_of(generator),
        "codes": [path.name for path in paths],
        "codes_sha256": hashes if len(paths) == 1 else hashlib.sha256(hashes.encode()).hexdigest(),
        "settings": {"start": "foreign"},
        "reconstruction": UNKNOWN,
        **tuned.marked(tuning_of(generator)),
    }


def rows_of_codes(codes: torch.Tensor, shape: tuple[int, int], path: Path, generator: str) -> torch.Tensor:
    """Codes (T, L, D) from those of a file.  Raises UserError where they do not fit the shape (L, D) of the generator."""
    rows, width = shape
    held = tuple(codes.shape)
    while codes.dim() > 3 and 1 in codes.shape[:-2]:
        codes = codes.squeeze(codes.shape.index(1))
    if codes.shape[-2:] == shape and codes.dim() in (2, 3):
        return codes.reshape(-1, rows, width)
    if codes.dim() in (1, 2) and codes.shape[-1] == rows * width:
        return codes.reshape(-1, rows, width)
    if codes.shape[-1:] == (width,) and (codes.dim() in (1, 2) or codes.shape[1:2] == (1,)):  # W
        return codes.reshape(-1, 1, width).expand(-1, rows, -1)
    raise UserError(
        f"{path} holds codes {held}, and {generator} wants (T, {rows}, {width}): they belong to another generator"
        f"{known_generator(held)}, so name that one by --generator, as a file of its weights or as docs/add-generator.md adds one."
    )


def known_generator(shape: tuple[int, ...]) -> str:
    """Which StyleGAN2 has codes of that shape, for a message: one with 2 log2(R) - 2 rows at R pixels."""
    rows = shape[-2] if len(shape) > 1 else 0
    if shape[-1:] != (512,) or rows % 2 or not 10 <= rows <= 18:
        return ""
    return (
        f" (official StyleGAN2 weights of {round(math.exp2(rows / 2 + 1))} pixels, which do not come with this package)"
    )
