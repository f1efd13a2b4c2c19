"""Run items of experiments.yaml: their notebook, through papermill, in this environment's own kernel."""

import os
import sys
from pathlib import Path

from dynode import assets, experiments, runtime
from dynode.errors import UserError
from dynode.report import outputs
from dynode.settings import choose, nearest

KERNEL = "python3"  # resolved inside this environment, see `own_kernel`


def own_kernel() -> None:
    """Make jupyter prefer this environment's kernel to one of the same name in the user's home, and keep it quiet."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # bars here are plain text


def run(name: str, profile: str = "embedded", parameters: dict | None = None) -> Path:
    """Execute an item's notebook under a profile; returns the executed copy in reports/executed/.

    Raises UserError for an unknown item, profile or parameter (naming the nearest), for a parameter of another type,
    for an output that cannot be written, for a mistake of the user that surfaced inside the notebook, and when the
    notebook's process was killed.  Progress bars inside the notebook show on this process's stderr.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    item = experiments.item(name)
    choose("profile", profile, experiments.PROFILES)
    notebook = runtime.ROOT / item.notebook
    values = item.parameters.get(profile, {}) | {"item": name, "profile": profile} | (parameters or {})
    refuse_unknown(values, papermill.inspect_notebook(str(notebook)), name)
    say_cost(item, profile)
    own_kernel()
    executed = outputs.root() / "reports" / "executed" / f"{name}.{profile}.ipynb"
    runtime.require_writable(executed)
    try:
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=values,
            kernel_name=KERNEL,
            cwd=str(outputs.root()),
            stderr_file=sys.stderr,
            extra_arguments=["--log-level=ERROR"],
        )
    except PapermillExecutionError as error:
        if error.ename in {"UserError", "SolverError"}:
            raise UserError(error.evalue) from None
        raise
    except DeadKernelError:
        raise UserError(
            f"The process of the notebook {item.notebook} was killed, most often for want of memory: run it again, "
            "finished fits are kept."
        ) from None
    return executed


def refuse_unknown(values: dict, legal: dict, item: str) -> None:
    """Raises UserError for a parameter that the notebook does not declare, or of another type than declared there."""
    for key, value in values.items():
        if key not in legal:
            raise UserError(
                f"The item {item} has no parameter {key!r}{nearest(key, legal)}; legal are {', '.join(sorted(legal))}."
            )
        kind, came = legal[key]["inferred_type_name"], type(value).__name__
        if came != kind and (came, kind) != ("int", "float") and kind != "None":
            raise UserError(f"{key} wants a {kind} such as {legal[key]['default']}, got {value!r}.")


def say_cost(item: experiments.Item, profile: str) -> None:
    cost = item.minutes.get(profile, {})
    told = ", ".join(f"{minutes} min on {where}" for where, minutes in cost.items()) or "not measured yet"
    print(f"{item.name} ({profile}): {item.title}. About {told}.")


def run_all(profile: str) -> list[Path]:
    """Every item in the order of experiments.yaml; an item whose needs cannot be met is passed over, and said so."""
    executed = []
    for item in experiments.items().values():
        try:
            for name in item.needs.get(profile, []):
                assets.fetch(name)
        except UserError as error:
            print(f"{item.name} ({profile}) passed over: {error}")
            continue
        executed.append(run(item.name, profile))
    return executed
