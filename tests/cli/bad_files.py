"""Files that can be given where another was wanted: of every kind, empty, cut in half, of another kind, no file at all."""

import json
import os
import shutil
import wave
from pathlib import Path

import numpy as np
import torch
from conftest import circle_codes, tiny_weights
from PIL import Image
from safetensors.torch import save_file

from dynode import clips, generators, runtime
from dynode.clips import Clip
from dynode.dynamics.fitting import single
from dynode.dynamics.presets import preset
from dynode.io import video
from dynode.settings import changed

GENERATOR = "mobilestylegan-ffhq"
SHIPPED = {"boundary": "boundaries", "captions": "captions", "encoder": "encoders", "factors": "factors"}
SHIPPED |= {"flow": "flows", "mapper": "mappers", "transformer": "transformers"}


def make(folder: Path) -> Path:
    """Fill a folder."""
    (folder / "folder").mkdir()
    (folder / "a folder").mkdir()
    make_clips(folder)
    make_other_files(folder)
    for kind, room in SHIPPED.items():
        of_worlds = "stylegan2-*" if kind == "encoder" else "*"
        shipped = sorted((runtime.PACKAGE / "weights" / room).glob(f"{of_worlds}.safetensors"))[0]
        shutil.copy(shipped, folder / f"{kind}.safetensors")
    for whole in [path for path in folder.iterdir() if path.is_file()]:
        content = whole.read_bytes()
        (folder / f"half-{whole.name}").write_bytes(content[: len(content) // 2])
    for suffix in ("mp4", "safetensors", "fit", "json", "ipynb", "png", "pt"):
        (folder / f"empty.{suffix}").touch()
        (folder / f"text.{suffix}").write_text("these are words, nothing else")
    os.mkfifo(folder / "pipe")
    os.truncate(os.open(folder / "sparse.safetensors", os.O_CREAT | os.O_WRONLY), 1 << 40)
    os.symlink(folder / "nowhere", folder / "dangling.safetensors")
    os.symlink(folder / "loop.safetensors", folder / "loop.safetensors")
    return folder


def a_clip(name: str, frames: int = 8, **meta) -> Clip:
    ts = torch.linspace(0, 0.5, frames, dtype=torch.float64)
    known = {"name": name, "generator": GENERATOR, "generator_hash": "none"}
    return Clip(circle_codes(ts), ts, meta=known | meta)


def broken_clip(path: Path, **changes) -> None:
    """A file that calls itself a clip."""
    tensors = {"ws": torch.zeros(4, 23, 512), "ts": torch.arange(4, dtype=torch.float64)} | changes
    save_file({k: v for k, v in tensors.items() if v is not None}, path, {"format": clips.FORMAT, "meta": "{}"})


def make_clips(folder: Path) -> None:
    """Clips and fits: of a generator that was other then, of one with other codes, of a small one, and broken ones."""
    quick = changed(preset("trend+mlp"), {"training.segment_iterations": 2, "training.iterations": 1})
    weights = tiny_weights(folder, "scene")
    small = {"generator": weights, "generator_hash": generators.hash_of(weights)}
    codes = generators.load(weights).mapping(torch.randn(8, 9, generator=torch.Generator().manual_seed(0)))
    tiny = Clip(codes, torch.arange(8) / 8, meta={"name": "small"} | small)
    circles = {"circle": {}, "other": {}, "drawn": {"generator_hash": generators.hash_of(GENERATOR)}}
    for clip in (tiny, *(a_clip(name, **meta) for name, meta in circles.items())):
        clip.save(folder / f"{clip.meta['name']}.safetensors")
        single.fit(clip, quick).save(folder / f"{clip.meta['name']}.fit")
    (folder / "other.safetensors").unlink()  # a fit without its clip
    a_clip("longer", 9).save(folder / "longer.safetensors")
    a_clip("circle", generator="stylegan9").save(folder / "foreign.safetensors")
    broken_clip(folder / "nan.safetensors", ws=torch.full((4, 23, 512), torch.nan))
    broken_clip(folder / "flat.safetensors", ws=torch.zeros(4, 512))
    broken_clip(folder / "short.safetensors", ws=torch.zeros(3, 23, 512))
    broken_clip(folder / "repeats.safetensors", ts=torch.tensor([0.0, 1.0, 1.0, 2.0]))
    broken_clip(folder / "timeless.safetensors", ts=None)
    broken_clip(folder / "alone.safetensors", ws=torch.zeros(1, 23, 512), ts=torch.zeros(1))
    broken_clip(folder / "cuts.safetensors", shots=torch.arange(4))
    whole = (folder / "circle.fit").read_bytes()
    (folder / "cut.fit").write_bytes(whole[:-100])
    save_file({"x": torch.zeros(3)}, folder / "foreign.bin")


def make_other_files(folder: Path) -> None:
    """A video, a sound, pictures, a record, a notebook, a list, codes of other programs."""
    frames = [np.full((64, 64, 3), 20 * k, np.uint8) for k in range(6)]
    video.write(folder / "grey.mp4", frames, fps=10)
    Image.fromarray(frames[3]).save(folder / "grey.png")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    (folder / "record.json").write_text(json.dumps({"item": "x", "profile": "", "provenance": {}, "rows": []}))
    (folder / "notebook.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    (folder / "list.txt").write_text("a.mp4\nb.mp4\n")
    (folder / "experiments.yaml").write_text("table1: {}\n")
    np.save(folder / "codes.npy", np.zeros((4, 18, 512), np.float32))
    torch.save({"w": torch.zeros(4, 18, 512)}, folder / "codes.pt")
    (folder / "spaced .mp4").write_bytes((folder / "grey.mp4").read_bytes())
