"""Run an item of experiments.yaml: its notebook, through papermill, in this environment's own kernel."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynode import runtime
from dynode.errors import UserError
from dynode.experiments import children, failures, items
from dynode.experiments.parameters import command_line, declarations, run_as
from dynode.io import files, outputs
from dynode.reporting import paths
from dynode.settings import nearest


def run(name: str, profile: str = "embedded", parameters: dict | None = None) -> Path:
    """Execute an item's notebook under a profile; returns the executed copy in reports/executed/.

    Files that parameters name are looked for in the working folder.  Progress bars inside the notebook appear on this
    process's stderr.  Raises UserError for an unknown item, profile or parameter (naming the nearest), for a parameter
    of another type, for an output that cannot be written, for a user's error that occurred inside the notebook, and
    when the notebook's process was killed, and `NotebookError` for a defect inside it.
    """
    item = items.item(name)
    items.require_profile(item, profile)
    chosen = {"item": name, "profile": profile} | (parameters or {})
    values = typed(item.parameters.get(profile, {}) | chosen, item)
    say_other_checkout()
    print_cost(item, profile)
    executed = paths.executed_copy(name, profile)
    outputs.require_output(executed)
    with run_as(command_line(name, profile, parameters or {})), noting_fits(name, profile):
        execute(item, profile, values, executed)
    paths.failed_copy(name, profile).unlink(missing_ok=True)
    return executed


def execute(item: items.Item, profile: str, values: dict[str, Any], executed: Path) -> None:
    """Execute a notebook in a kernel of this environment; `executed` is replaced once all of its cells are done."""
    import nbformat
    import papermill

    from dynode.experiments import kernels

    with kernels.own() as (kernel, folder, printed), failures.explained(item, profile, folder / executed.name):
        notebook = papermill.execute_notebook(
            as_template(runtime.ROOT / item.notebook),
            as_template(folder / executed.name),
            parameters=values,
            kernel_name=kernels.NAME,
            kernel_manager_class=kernel,
            stderr_file=printed,
            extra_arguments=["--log-level=ERROR"],
        )
    notebook.metadata.papermill["output_path"] = str(executed)
    with files.written_whole(executed) as scratch:
        nbformat.write(notebook, scratch)


def as_template(path: Path) -> str:
    """A path as papermill wants it, which fills in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def noting_fits(name: str, profile: str) -> Iterator[None]:
    """Notes on an interruption what of an item is kept."""
    try:
        yield
    except KeyboardInterrupt as stop:
        folder = paths.fits(name, profile)
        if any(folder.glob("*.safetensors")) or any(folder.glob("*.checkpoint")):
            stop.add_note(f"fits are kept in {folder}, and the same command goes on from there.")
        else:
            stop.add_note("nothing was fitted yet, the same command begins anew.")
        raise


def typed(values: dict[str, Any], item: items.Item) -> dict[str, Any]:
    """Parameters in the types that the notebook declares.

    Raises UserError for one that it does not declare, and for one of another type.
    """
    declared = declarations(item.notebook)
    for key in values:
        if key not in declared:
            legal = ", ".join(sorted(declared))
            raise UserError(
                f"The item {item.name} has no parameter {key!r}{nearest(key, declared)}; legal are {legal}."
            )
    return {key: declared[key].typed(value) for key, value in values.items()}


def say_other_checkout() -> None:
    """Warn where the working folder is another checkout than the one whose items are run, as after copying a folder."""
    folder = Path(children.here() or ".")
    if (folder / "experiments.yaml").is_file() and not folder.samefile(runtime.ROOT):
        print(
            f"Note: this runs the checkout {runtime.ROOT}, not the one in this folder: `python3 -m dynode setup` here "
            "makes an environment for this one.",
            file=sys.stderr,
        )


def print_cost(item: items.Item, profile: str) -> None:
    """Print an item's name, title and measured minutes."""
    cost = item.minutes.get(profile, {})
    minutes = ", ".join(f"{each} min on {hardware}" for hardware, each in cost.items()) or "not measured yet"
    print(f"{item.name} ({profile}): {item.title}. About {minutes}.")
