"""The jobs of a batch: what each reads, leaves and needs.  The Snakefile's rules are made of them; loads nothing heavy."""

import json
import math
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dynode.errors import UserError
from dynode.experiments.batch import description
from dynode.experiments.batch.description import Batch, Source
from dynode.io import names

# Minutes of a job on a CPU core, for the bar and for what a cluster is asked for: per frame, per fit, or each.
FRAME_MINUTES, FIT_MINUTES = 0.2, 1.0
MINUTES = {"evaluate": 2.0, "page": 1.0, "edit": 4.0}
UNKNOWN_FRAMES = 150  # of a video that is taken whole
MEMORY_GB = {"fit": 2.0}
USUAL_GB = 4.0


@dataclass(frozen=True)
class Job:
    """name: kind/source, and behind it a preset or an edit.  reads, leaves: paths in the batch's folder, or absolute ones.

    settings: what it depends on beside these; when it differs, the job is done again.
    """

    name: str
    reads: tuple[str, ...]
    leaves: tuple[str, ...]
    settings: str
    minutes: float

    @property
    def kind(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Plan:
    """The jobs of a batch.

    threads: of each.  gpus: how many this machine has, of which a job takes one; on a cluster all but fits ask for one.
    """

    batch: Batch
    threads: int = 1
    gpus: int = 0
    cluster: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Plan":
        """From Snakemake's --config, of the working folder, or of one in it that has another batch.yaml."""
        numbers = {name: int(config.get(name, default)) for name, default in (("threads", 1), ("gpus", 0))}
        return cls(
            description.read(Path.cwd() / config.get("described", "")),
            **numbers,
            cluster=bool(int(config.get("cluster", 0))),
        )

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Every job by its name, each behind those that it reads."""
        made = [job for name, source in self.batch.sources.items() for job in self.jobs_of(name, source)]
        return {job.name: job for job in made}

    def jobs_of(self, name: str, source: Source) -> list[Job]:
        """The jobs of one source."""
        jobs, batch, codes = [], self.batch, self.codes(name)
        if not source.is_clip:
            settings = [vars(source), batch.generator, batch.protocol, dict(batch.projection)]
            minutes = FRAME_MINUTES * (source.frames or UNKNOWN_FRAMES)
            jobs.append(Job(f"invert/{name}", (source.file,), (codes,), as_text(settings), minutes))
        reads = (codes,) if codes not in ("", source.file) else tuple(source.files)
        observed = [batch.stride, batch.sampling, list(batch.seeds)]
        for preset in batch.presets:
            fits, record = tuple(self.fit(name, preset, seed) for seed in batch.seeds), self.record(name, preset)
            fit = Job(f"fit/{name}/{preset}", reads, fits, as_text([preset, *observed]), FIT_MINUTES * len(batch.seeds))
            jobs += [fit, Job(f"evaluate/{name}/{preset}", (*reads, *fits), (record,), "", MINUTES["evaluate"])]
        first = tuple(self.fit(name, preset, batch.seeds[0]) for preset in batch.presets)
        jobs.append(Job(f"page/{name}", (*reads, *first), (f"pages/{name}.html",), "", MINUTES["page"]))
        for edit in batch.edits:
            settings = as_text([edit, batch.stride, batch.method])
            jobs.append(Job(f"edit/{name}/{edit}", reads, (self.video(name, edit),), settings, MINUTES["edit"]))
        return jobs

    def codes(self, name: str) -> str:
        """The clip of a source: a file of the batch, or what was given."""
        source = self.batch.sources[name]
        return source.file if source.is_clip else f"codes/{name}.safetensors"

    def fit(self, name: str, preset: str, seed: int) -> str:
        return f"fits/{name}.{names.slug(preset)}.{seed}.fit"

    def record(self, name: str, preset: str) -> str:
        return f"records/{name}.{names.slug(preset)}.json"

    def video(self, name: str, edit: str) -> str:
        return f"videos/{name}.{names.slug(edit)}.mp4"

    @property
    def rules(self) -> dict[str, Job]:
        """Every job by the name of its rule."""
        return {f"{job.kind}_{k}_{plain(job.name)}": job for k, job in enumerate(self.jobs.values(), 1)}

    def everything(self) -> list[str]:
        return [path for job in self.jobs.values() for path in job.leaves]

    def minutes(self, name: str) -> float:
        """About how long a job takes on a CPU core."""
        return self.jobs[name].minutes

    def needs(self, name: str) -> list[str]:
        """The jobs that leave what one reads."""
        return [each.name for each in self.jobs.values() if set(each.leaves).intersection(self.jobs[name].reads)]

    def log(self, name: str) -> str:
        """The file of what a job printed."""
        return f"logs/{'.'.join(names.slug(part) for part in name.split('/'))}.log"

    def resources(self, job: Job) -> dict[str, int | Callable[..., int]]:
        """What a job asks for: minutes and memory, more at each attempt; a GPU where one is used."""
        memory, on_cpu = MEMORY_GB.get(job.kind, USUAL_GB), os.environ.get("DYNODE_DEVICE") == "cpu"
        gpu = (job.kind != "fit" and not on_cpu) if self.cluster else self.gpus
        requested: dict[str, int | Callable[..., int]] = {
            "runtime": lambda wildcards, attempt: math.ceil(3 * job.minutes * attempt) + 10,
            "mem_mb": lambda wildcards, attempt: round(1000 * memory * (1 + 0.5 * (attempt - 1))),
        }
        return requested | ({"gpu": 1} if gpu else {})

    def command(self, job: Job) -> str:
        """A job as the shell runs it: of this environment where `dynode batch` started Snakemake."""
        return f'eval "${{DYNODE_RUN:-dynode}}" batch -o . --job {quoted(job.name)}'

    def job(self, name: str) -> Job:
        """Raises UserError for a job that the batch does not have."""
        if name not in self.jobs:
            raise UserError(f"This batch has no job {name!r}: it has {', '.join(self.jobs)[:300]}.")
        return self.jobs[name]


def as_text(settings: list) -> str:
    return json.dumps(settings, sort_keys=True)


def plain(name: str) -> str:
    """A name as a part of a rule's, which has letters, digits and underscores."""
    return re.sub(r"\W+", "_", name.partition("/")[2]).strip("_")


def quoted(text: str) -> str:
    """A text for the shell inside `eval`, which reads it twice."""
    return shlex.quote(shlex.quote(text))
