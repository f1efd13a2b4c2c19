"""What a batch computes: the file batch.yaml in its folder, which a person can read, and a later call goes on from."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dynode.errors import UserError
from dynode.io import files, names
from dynode.io.code_files import VIDEOS

NAME = "batch.yaml"
HEAD = "# What `dynode batch` computes in this folder; `dynode batch -o` with the folder alone goes on with it.\n"
CLIP = ".safetensors"
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Source:
    """Where codes come from: a video and its frames, or a clip, whose codes are there.

    file: absolute, or the name of a clip that ships.  first, frames, every, face: as of `dynode invert`; of a video.
    """

    file: str
    first: int = 0
    frames: int = 0
    every: int = 1
    face: str = "largest"

    @property
    def is_clip(self) -> bool:
        """Whether there is nothing to invert."""
        return self.file.endswith(CLIP) or not Path(self.file).is_absolute()

    @property
    def files(self) -> list[str]:
        """What it is read from; nothing of a clip that ships."""
        return [self.file] if Path(self.file).is_absolute() else []


@dataclass(frozen=True)
class Batch:
    """Sources by name, and what is done with each: an inversion, fits of every preset and seed, an evaluation, edits.

    edits: as of `dynode edit --attribute`, a video each.  stride, sampling: the observed frames.  generator, protocol, projection:
    of the inversion of videos, projection its changed settings.  method: how edits reach all frames.
    """

    sources: Mapping[str, Source]
    presets: tuple[str, ...] = ("dynode",)
    seeds: tuple[int, ...] = (0,)
    edits: tuple[str, ...] = ()
    stride: int = 4
    sampling: str = "regular"
    generator: str = "mobilestylegan-ffhq"
    protocol: str = "independent"
    method: str = "dynode+latent-transformer"
    projection: Mapping[str, Any] = field(default_factory=dict)

    def written(self, folder: Path) -> Path:
        """Write batch.yaml, whole; one that says the same is left as it is."""
        plain = dataclasses.asdict(self) | {"sources": {name: vars(each) for name, each in self.sources.items()}}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
        text = HEAD + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        path = folder / NAME
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            folder.mkdir(parents=True, exist_ok=True)
            files.write(path, lambda part: part.write_text(text, encoding="utf-8"))
        return path


def read(folder: Path) -> Batch:
    """The batch of a folder.  Raises UserError where its batch.yaml is missing or says something else."""
    path = folder / NAME
    if not path.is_file():
        raise UserError(f"There is no {path}: name videos, and `dynode batch` writes it.")
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        plain["sources"] = {str(name): Source(**each) for name, each in plain["sources"].items()}
        plain |= {name: tuple(plain[name]) for name in ("presets", "seeds", "edits")}
        return Batch(**plain)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise UserError(
            f"{path} is not as `dynode batch` writes it ({' '.join(str(error).split())[:80]}): mend it, or name the videos again."
        ) from None


def videos_in(folder: Path) -> list[Path]:
    """The videos and clips of a folder, sorted.  Raises UserError for what is no folder, and for one without any."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: --videos names one with videos or clips.")
    files_there = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    videos = [path for path in files_there if path.suffix.lower() in (*VIDEOS, CLIP)]
    if not videos:
        raise UserError(f"{folder} has no videos or clips: put files such as talk.mp4 or talk.safetensors there.")
    return videos


def named(sources: Iterable[tuple[str, Source]]) -> dict[str, Source]:
    """Sources by names that files can have.  Raises UserError for two of one name."""
    known: dict[str, Source] = {}
    for given, source in sources:
        name = names.short(names.slug(given)) or "clip"
        if name in known:
            raise UserError(f"{known[name].file} and {source.file} are both named {name}: rename one of them.")
        known[name] = source
    return known


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds as they are typed: "0:10" for 0 to 9, "0,3,5", "7".  Raises UserError for anything else."""
    try:
        parts = [[int(each) for each in part.split(":")] for part in text.split(",")]
        seeds = [seed for part in parts for seed in (range(*part) if len(part) > 1 else part)]
    except (ValueError, TypeError):
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds) or len(seeds) > MOST_SEEDS:
        raise UserError(f"--seeds wants different whole numbers such as 0:10 (0 to 9) or 0,3,5, got {text!r}.")
    return tuple(seeds)


def listed(option: str, text: str) -> tuple[str, ...]:
    """Words between commas.  Raises UserError for an empty one, and for one that is given twice."""
    words = tuple(word.strip() for word in text.split(","))
    if not all(words) or len(set(words)) < len(words):
        raise UserError(f"{option} wants different names with commas between, such as dynode,trend, got {text!r}.")
    return words
