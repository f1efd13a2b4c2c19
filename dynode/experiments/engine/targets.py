"""What the Snakefile needs to know of the items: files, parameters, resources.  Loads nothing heavy."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from dynode.errors import UserError
from dynode.experiments import items, origin
from dynode.experiments.items import Item
from dynode.experiments.parameters import declarations, usual
from dynode.reporting import paths
from dynode.settings import choose

MEMORY_GB, UNMEASURED = 4.0, 80.0  # of an item that names no other; minutes of one that was not measured
PAGE = "reports/index.html"  # of all items, under the profile of the last run
SUFFIXES = {"figures": (".png", ".pdf"), "videos": (".mp4",)}
LONGEST, EARLY = 10_000, 5_000  # priorities; the others' are their minutes


def expanded(name: str) -> list[str]:
    """The names that one with braces stands for: "a_{b,c}" for a_b and a_c."""
    before, brace, rest = name.partition("{")
    if not brace:
        return [name]
    inside, _, after = rest.partition("}")
    return [f"{before}{each}{end}" for each in inside.split(",") for end in expanded(after)]


def written(item: Item, profile: str) -> list[str]:
    """What a run leaves beside its record, as paths below the output folder."""
    of, left = item.writes.get(profile, {}), []
    dotted = "" if profile == "embedded" else f".{profile}"
    for kind, suffixes in SUFFIXES.items():
        stems = [stem for name in of.get(kind, ()) for stem in expanded(name)]
        left += [f"figures/{stem}{dotted}{suffix}" for stem in stems for suffix in suffixes]
    tables = [stem for name in of.get("tables", ()) for stem in expanded(name)]
    return left + [f"reports/tables/{stem}.{profile}.{suffix}" for stem in tables for suffix in ("md", "tex", "csv")]


def elements(item: Item, profile: str) -> list[dict[str, Any]]:
    """The parameters of each part of an item, none where it is not split.

    Raises UserError where the groups are not the elements of their parameter.
    """
    split = item.parts.get(profile)
    if not split:
        return []
    values = usual(item, profile, declarations(item.notebook))
    names = [split["over"]] if isinstance(split["over"], str) else split["over"]
    if groups := split.get("groups"):
        if sorted(sum(groups, [])) != sorted(values[names[0]]):
            raise UserError(f"The parts of {item.name} are not its {names[0]}: experiments.yaml names both.")
        return [{names[0]: group} for group in groups]
    lists = [[[each] for each in values[name]] for name in names]
    parts = [dict(zip(names, chosen, strict=True)) for chosen in product(*lists)]
    return parts if len(parts) > 1 else []


def with_needed(names: Iterable[str]) -> list[str]:
    """Items and those whose records they read, in the order of the map."""
    wanted = set(names)
    while more := {each for name in wanted for each in items.item(name).after} - wanted:
        wanted |= more
    return [name for name in items.items() if name in wanted]


@dataclass(frozen=True)
class Plan:
    """The rules for some items under a profile.

    threads: of each run.  gpus: how many this machine has, of which a run takes one; on a cluster the map says.  report:
    whether the pages are made at the end.
    """

    profile: str
    names: tuple[str, ...]
    threads: int = 1
    gpus: int = 0
    cluster: bool = False
    report: bool = True
    page = PAGE

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Plan":
        """From Snakemake's --config; without any, all items of the profile embedded that need nothing supplied."""
        profile = choose("profile", str(config.get("profile", "embedded")), list(items.PROFILES))
        named = str(config.get("items", "")).split(",") if config.get("items") else []
        names = named or [each.name for each in items.items().values() if not each.needs.get(profile)]
        numbers = {name: int(config.get(name, default)) for name, default in (("threads", 1), ("gpus", 0))}
        flags = {name: bool(int(config.get(name, default))) for name, default in (("cluster", 0), ("report", 1))}
        return cls(profile, tuple(names), **numbers, **flags)

    @property
    def verdicts(self) -> str:
        return f"reports/verdicts.{self.profile}.json"

    def record(self, name: str) -> str:
        return f"reports/records/{name}.{self.profile}.json"

    def left(self, name: str) -> list[str]:
        """What a run leaves, the record first."""
        return [self.record(name), *written(items.item(name), self.profile)]

    def everything(self) -> list[str]:
        """All files by name: that of an item in between is no reason for Snakemake to make it."""
        left = [path for name in self.names for path in self.left(name)]
        return [*left, self.verdicts, *([self.page] if self.report else [])]

    def records_of(self, name: str) -> list[str]:
        """The records that an item reads, of items in this plan."""
        return [self.record(each) for each in items.item(name).after if each in self.names]

    def parts(self, name: str) -> list[str]:
        """The marks of an item's parts that are done."""
        count = len(elements(items.item(name), self.profile))
        return [f"reports/engine/parts/{name}.{self.profile}.{k + 1}" for k in range(count)]

    def needs(self, name: str) -> list[str]:
        """The runs of this plan that leave what one reads: parts of an item read nothing."""
        whole, _, part = name.partition("/")
        if part or whole not in self.names:
            return []
        parts = [f"{whole}/{k + 1}" for k in range(len(self.parts(whole)))]
        return [*parts, *(each for each in items.item(whole).after if each in self.names)]

    def executed(self, name: str) -> str:
        return str(paths.executed_copy(name, self.profile).relative_to(paths.root()))

    def log(self, name: str) -> str:
        """The file of what a run printed, of an item or a part of one."""
        return f"reports/engine/logs/{name.replace('/', '.')}.{self.profile}.log"

    def depends_on(self, name: str) -> str:
        """Everything but files that a record depends on: when it differs, the item is stale."""
        item = items.item(name)
        values = origin.counting(usual(item, self.profile, declarations(item.notebook)))
        return json.dumps({"parameters": values} | origin.depended(item.notebook, values), sort_keys=True)

    def minutes(self, name: str) -> float:
        """Of an item; of its part the share."""
        whole, _, part = name.partition("/")
        item = items.item(whole)
        count = len(elements(item, self.profile))
        minutes = items.minutes_of(item, self.profile) or UNMEASURED
        return minutes / count if part else (minutes / 8 if count else minutes)

    def priority(self, name: str) -> int:
        """The longest run begins at once, those marked `first` beside it, the shortest before, then the others by length."""
        jobs = [*self.names, *(f"{each}/1" for each in self.names if self.parts(each))]
        if self.minutes(name) == max(map(self.minutes, jobs)):
            return LONGEST
        minutes = self.minutes(name)
        return EARLY - round(10 * minutes) if items.item(name.partition("/")[0]).first else round(minutes)

    def resources(self, name: str) -> dict[str, int | Callable[..., int]]:
        """What a run asks for: minutes and memory, more at each attempt; a GPU where one is used."""
        minutes, wanted = self.minutes(name), items.item(name.partition("/")[0]).resources.get(self.profile, {})
        memory, gpu = wanted.get("memory_gb", MEMORY_GB), int(wanted.get("gpu", 0)) if self.cluster else self.gpus
        if os.environ.get("DYNODE_DEVICE") == "cpu":
            gpu = 0
        requested: dict[str, int | Callable[..., int]] = {
            "runtime": lambda wildcards, attempt: math.ceil(3 * minutes * attempt) + 5,
            "mem_mb": lambda wildcards, attempt: round(1000 * memory * (1 + 0.5 * (attempt - 1))),
        }
        return requested | ({"gpu": 1} if gpu else {})

    def command(self, arguments: str) -> str:
        """A `dynode` command as the shell runs it: of this environment where `dynode reproduce` started Snakemake."""
        return f'eval "${{DYNODE_RUN:-dynode}}" {arguments} --profile {self.profile}'
