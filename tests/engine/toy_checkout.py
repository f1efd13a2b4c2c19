"""A checkout of its own whose items take a second: the real Snakefile, engine and command line, and a runner without notebooks."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from dynode.runtime import ROOT

PARAMETERS = """item: str = "{name}"  # the item
profile: str = "smoke"  # the profile
seconds: float = 0.2  # that a run takes
seeds: list = [0, 1]  # a fit each
"""

# Takes the place of dynode/experiments/runner.py: fits, figures, tables and a record, as a notebook would leave them.
RUNNER = """
import json, os, time
from dynode.errors import NotebookError
from dynode.evaluation import records
from dynode.experiments import items, origin
from dynode.experiments.engine import targets
from dynode.experiments.parameters import declarations, usual
from dynode.io import assets
from dynode.reporting import paths


def note(text):
    with open(os.environ["TOY_LOG"], "a") as log:
        log.write(text + "\\n")


def run(name, profile="embedded", parameters=None):
    item = items.item(name)
    values = usual(item, profile, declarations(item.notebook)) | (parameters or {})
    note(f"begin {name} {os.getpid()}")
    print(f"{name} begins", flush=True)
    executed, fits = paths.executed_copy(name, profile), paths.fits(name, profile)
    for folder in (executed.parent, fits):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in values["seeds"]:
        fit = fits / f"{seed}.safetensors"
        if not fit.exists():
            time.sleep(values["seconds"])
            part = fit.with_suffix(f".{os.getpid()}")
            part.write_text(str(seed))
            os.replace(part, fit)
    if asset := os.environ.get("TOY_ASSET"):
        assets.fetch(asset)
    if os.environ.get("TOY_FAILS") == name:
        cell = {"cell_type": "markdown", "metadata": {"tags": ["papermill-error-cell-tag"]}, "source": "An Exception"}
        paths.failed_copy(name, profile).write_text(json.dumps({"cells": [cell]}))
        raise NotebookError(f"dynode: The notebook {item.notebook} failed (ZeroDivisionError: division by zero).")
    for path in targets.written(item, profile):
        (paths.root() / path).parent.mkdir(parents=True, exist_ok=True)
        (paths.root() / path).write_text(name)
    read = [records.read(paths.last_record(each, profile))[0][0].value for each in item.after]
    value = sum(int((fits / f"{seed}.safetensors").read_text()) for seed in values["seeds"]) + sum(read)
    rows = [records.Row("mse", float(value), clip=name)]
    stamp = origin.stamp(item.notebook, values) | {"command": "toy", "date": "2026-11-27", "pid": os.getpid()}
    records.write(paths.root() / "reports" / "records" / f"{name}.{profile}.json", name, profile, rows, stamp)
    executed.write_text("{}")
    note(f"end {name} {os.getpid()}")
    return executed
"""

# Takes the place of dynode/cli/pages/report.py: a page that names the records which are there.
REPORT = """
import os
from dynode.errors import UserError
from dynode.reporting import paths


def report(*, profile: str = "embedded") -> None:
    \"\"\"Write a page.\"\"\"
    if reason := os.environ.get("TOY_PAGE"):
        raise UserError(reason)
    records = sorted(path.stem for path in (paths.root() / "reports" / "records").glob(f"*.{profile}.json"))
    print("Note: The page Videos could not be made (there is none).")
    (paths.root() / "reports" / "index.html").write_text(" ".join(records))
"""

# name -> what its notebook imports, and more of its entry.  The last one reads the records of two others.
ITEMS = {
    "alpha": ("from dynode.settings import nearest", {"paper_items": ["fig1"], "first": True}),
    "beta": ("from dynode.metrics.pixels import mse", {"paper_items": ["fig2.beta"], "minutes": {"smoke": {"CPU": 2}}}),
    "gamma": (
        "from dynode.settings import nearest\nfrom dynode.worlds.shading import shaded",
        {"paper_items": ["fig2"]},
    ),
    "omega": ("from dynode.settings import nearest", {"after": ["alpha", "beta"]}),
}


def entry(name: str, imports: str, more: dict) -> dict:
    writes = {"figures": [f"{name}_{{one,two words}}"], "tables": [name]}
    return {
        "title": f"the toy {name}",
        "regenerates": "nothing",
        "notebook": f"notebooks/{name}.ipynb",
        "parameters": {"smoke": {}, "embedded": {"seeds": [0, 1, 2]}},
        "minutes": {"smoke": {"CPU": 1}},
        "writes": {"smoke": writes, "embedded": writes},
        "claims": [],
    } | more


def notebook(name: str, imports: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(each) for each in (PARAMETERS.format(name=name), imports)]
    made.cells[0].metadata["tags"] = ["parameters"]
    return made


class Checkout:
    """A copy of the package with toy items, and what is typed in it."""

    def __init__(self, folder: Path, **more: dict):
        self.folder, self.log = folder, folder.parent / "toy.log"
        wanted = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / "dynode", folder / "dynode", ignore=wanted)
        shutil.copytree(ROOT / "profiles", folder / "profiles")
        for name in ("Snakefile", ".gitignore"):
            shutil.copyfile(ROOT / name, folder / name)
        (folder / "dynode" / "experiments" / "runner.py").write_text(RUNNER)
        (folder / "dynode" / "cli" / "pages" / "report.py").write_text(REPORT)
        (folder / "notebooks").mkdir()
        for name, (imports, _) in ITEMS.items():
            nbformat.write(notebook(name, imports), folder / "notebooks" / f"{name}.ipynb")
        self.entries = {name: entry(name, *each) for name, each in ITEMS.items()}
        for name, change in more.items():
            self.entries[name] |= change
        self.write_map()
        state = folder / "reports" / "engine"  # assets are there already
        state.mkdir(parents=True)
        for profile in ("smoke", "embedded"):
            digest = hashlib.sha256((folder / "dynode" / "io" / "assets.toml").read_bytes()).hexdigest()
            (state / f"assets.{profile}").write_text(digest)

    def write_map(self) -> None:
        text = yaml.safe_dump({"items": self.entries, "statements": []}, sort_keys=False)
        (self.folder / "experiments.yaml").write_text(text)

    def variables(self, **more: str) -> dict[str, str]:
        own = {"DYNODE_READY": "1", "TOY_LOG": str(self.log), "PYTHONPATH": str(self.folder), "TQDM_DISABLE": "1"}
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("DYNODE_", "SLURM_"))}
        return kept | {"OMP_NUM_THREADS": "1"} | own | more

    def start(self, *typed: str, **more: str) -> subprocess.Popen[str]:
        """`dynode TYPED`, in the background."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "dynode", *typed],
            cwd=self.folder,
            env=self.variables(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which tests in the background ignore
        )

    def run(self, *typed: str, code: int = 0, **more: str) -> str:
        """What `dynode TYPED` prints; it must end with that code."""
        process = self.start(*typed, **more)
        printed = process.communicate(timeout=300)[0]
        assert process.returncode == code, printed + self.engine_log()
        return printed

    def reproduce(self, *typed: str, code: int = 0, **more: str) -> str:
        return self.run("reproduce", *typed, "--profile", "smoke", code=code, **more)

    def engine_log(self) -> str:
        log = self.folder / "reports" / "engine" / "snakemake.log"
        return log.read_text() if log.is_file() else ""

    def begun(self) -> list[str]:
        """The items that were begun since the last look, sorted."""
        lines = self.log.read_text().splitlines() if self.log.is_file() else []
        self.log.unlink(missing_ok=True)
        return sorted(line.split()[1] for line in lines if line.startswith("begin"))

    def record(self, name: str) -> Path:
        return self.folder / "reports" / "records" / f"{name}.smoke.json"

    @property
    def page(self) -> Path:
        return self.folder / "reports" / "index.html"

    def rows(self) -> dict[str, list]:
        """The rows of every record."""
        return {path.stem: json.loads(path.read_text())["rows"] for path in self.folder.glob("reports/records/*.json")}

    def left(self) -> dict[str, str]:
        """What is in each file that runs have left; of a record without what it says of the run itself."""
        found = [path for name in ("figures", "reports") for path in (self.folder / name).rglob("*") if path.is_file()]
        names = {path.relative_to(self.folder).as_posix(): path for path in found}
        texts = {name: path.read_text() for name, path in names.items() if not name.startswith("reports/engine/")}
        for name in (name for name in texts if name.startswith("reports/records/")):
            record = json.loads(texts[name])
            rows = [row for row in record["rows"] if row["metric"] not in ("seconds", "memory")]
            texts[name] = json.dumps({**record, "provenance": None, "rows": rows})
        return texts

    def fits(self) -> dict[str, int]:
        """When each fit was written."""
        return {str(path): path.stat().st_mtime_ns for path in self.folder.glob("reports/fits/*/*.safetensors")}
