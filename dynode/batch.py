"""Run items of experiments.yaml: their notebook, through papermill, in this environment's own kernel."""

import os
from pathlib import Path

from dynode import experiments, runtime
from dynode.errors import UserError
from dynode.report import outputs
from dynode.settings import choose, nearest

KERNEL = "python3"  # resolved inside this environment, see `own_kernel`


def own_kernel() -> None:
    """Make jupyter prefer this environment's kernel to one of the same name in the user's home."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"


def run(name: str, profile: str = "embedded", parameters: dict | None = None) -> Path:
    """Execute an item's notebook under a profile; returns the executed copy in reports/executed/.

    Raises UserError for an unknown item, profile or parameter (naming the nearest), and for a mistake of the user that
    surfaced inside the notebook.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    item = experiments.item(name)
    choose("profile", profile, experiments.PROFILES)
    notebook = runtime.ROOT / item.notebook
    values = item.parameters.get(profile, {}) | {"profile": profile} | (parameters or {})
    refuse_unknown(values, papermill.inspect_notebook(str(notebook)), name)
    say_cost(item, profile)
    own_kernel()
    executed = outputs.root() / "reports" / "executed" / f"{name}.{profile}.ipynb"
    executed.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            str(notebook), str(executed), parameters=values, kernel_name=KERNEL, cwd=str(outputs.root())
        )
    except PapermillExecutionError as error:
        if error.ename in {"UserError", "SolverError"}:
            raise UserError(error.evalue) from None
        raise
    return executed


def refuse_unknown(values: dict, legal: dict, item: str) -> None:
    for key in values:
        if key not in legal:
            raise UserError(
                f"The item {item} has no parameter {key!r}{nearest(key, legal)}; legal are {', '.join(sorted(legal))}."
            )


def say_cost(item: experiments.Item, profile: str) -> None:
    cost = item.minutes.get(profile, {})
    told = ", ".join(f"{minutes} min on {where}" for where, minutes in cost.items()) or "not measured yet"
    print(f"{item.name} ({profile}): {item.title}. About {told}.")


def run_all(profile: str) -> list[Path]:
    """Every item in the order of experiments.yaml."""
    return [run(name, profile) for name in experiments.items()]
