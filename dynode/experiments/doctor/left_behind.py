"""What other programs and killed runs leave behind, and whether a notebook starts in spite of them."""

import importlib.util
import sys
import time
from pathlib import Path

from dynode import runtime
from dynode.experiments.doctor.registry import Answer, check, fix, note, ok
from dynode.io import assets, locks, scratch
from dynode.reporting import paths

ECHO = "print(6 * 7)"
WITHOUT_NOTEBOOKS = note(
    "no notebook can be run here: the library alone is installed", "`pip install 'dynode[notebooks]'`"
)


@check("kernel")
def kernel() -> Answer:
    """Runs a notebook of one cell as items are run: papermill, in a kernel of this Python."""
    if importlib.util.find_spec("papermill") is None:
        return WITHOUT_NOTEBOOKS
    import nbformat
    import papermill

    from dynode.experiments import kernels

    begun = time.monotonic()
    with kernels.own() as (own, folder, printed):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ECHO)])
        nbformat.write(notebook, folder / "echo.ipynb")
        answered = papermill.execute_notebook(
            str(folder / "echo.ipynb"),
            None,
            kernel_name=kernels.NAME,
            kernel_manager_class=own,
            progress_bar=False,
            stderr_file=printed,
        )
    text = "".join(output.get("text", "") for output in answered.cells[0].outputs).strip()
    if text != "42":
        return fix(f"a cell that prints 42 printed {text[:40]!r}", "`python3 -m dynode setup`, else report it")
    return ok(f"a notebook starts and answers, {time.monotonic() - begun:.1f} s")


@check("jupyter")
def jupyter() -> Answer:
    """Which Python JupyterLab would start for the notebooks' kernel; `dynode run` starts its own whatever this says."""
    if importlib.util.find_spec("jupyter_client") is None:
        return WITHOUT_NOTEBOOKS
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return note("JupyterLab has no kernel python3", "`python -m ipykernel install --sys-prefix`")
    if program not in ("python", "python3") and Path(program).resolve() != Path(sys.executable).resolve():
        text = f"JupyterLab starts {program} for the kernel python3; `dynode run` does not"
        return note(text, "`python -m ipykernel install --sys-prefix`, to open notebooks by hand")
    return ok("JupyterLab starts this Python, too")


@check("locks")
def stale_locks() -> Answer:
    """Locks and temporary folders whose process is no more."""
    left = snakemake_locks() + [path for path in temporary() if scratch.abandoned(path)] + unheld()
    if left:
        shown = ", ".join(str(path) for path in left[:3]) + (" ..." if len(left) > 3 else "")
        return note(f"{len(left)} left by runs that were killed: {shown}", "delete them while nothing runs")
    return ok("none left by killed runs")


def snakemake_locks() -> list[Path]:
    """Snakemake's own, which outlive it, in the folder where `dynode reproduce` runs."""
    return [path for path in (runtime.ROOT / ".snakemake" / "locks").glob("*") if path.is_file()]


def temporary() -> list[Path]:
    """Temporary folders among the outputs and in the cache."""
    roots = [paths.root(), assets.own_dir()]
    left = [path for root in roots for path in root.glob(f".*{scratch.SUFFIX}")]
    return left + [path for path in (paths.root() / "reports").glob(f"*/.*{scratch.SUFFIX}")]


def unheld() -> list[Path]:
    """The files of claims of outputs (`locks.claimed`) that nobody holds."""
    return [path for path in (paths.root() / "reports").glob("*/.*.lock") if not held(path)]


def held(path: Path) -> bool:
    try:
        lock = locks.take(path)
    except (locks.Taken, OSError):
        return True
    locks.release(lock)
    return lock is None
