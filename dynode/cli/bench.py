"""`dynode bench`: this package beside reference implementations, timed on this machine."""

import shlex
from pathlib import Path

from tyro.conf import Positional

from dynode.cli.options import Output, output_path, require_different
from dynode.errors import UserError


def bench(names: Positional[tuple[str, ...]] = (), output: Output = None, *, repeats: int = 3) -> None:
    """Time this package beside reference implementations; prints a table, writes a record and a chart beside it.

    Three minutes on a CPU core. The seconds are this machine's at this moment; the ratios carry over.

    Args:
        names: Comparisons: fits, times, times_equal, paper, paper_equal, face256, face1024, openvino (if installed); by default all of these. memory: of evaluate-edit on a long film, some minutes more.
        output: The record to write, by default bench.json, or bench-NAMES.json of the named comparisons; the chart gets its name and .png.
        repeats: Repetitions; the median time is reported.
    """
    import torch
    from tqdm import tqdm

    from dynode import runtime
    from dynode.evaluation import records
    from dynode.experiments import benchmarks
    from dynode.io import outputs
    from dynode.reporting import plots, tables
    from dynode.reporting.outputs import save_figure

    require_different("comparison", names)
    if repeats < 1:
        raise UserError(f"--repeats must be at least 1, got {repeats}.")
    output = output_path(output, "-".join(["bench", *names]) + ".json")
    records.require_record_path(output, "bench")
    outputs.require_side(output.with_suffix(".png"), output)
    chosen = available(names)
    results = [benchmarks.COMPARISONS[name](repeats) for name in tqdm(chosen, desc="bench", unit="comparison")]
    print(tables.bench_table(results).markdown(), end="")
    rows = [row for one in results for row in one.rows()]
    stamp = runtime.provenance(torch.device("cpu"), command=shlex.join(["dynode", "bench", *names]))
    records.write(output, "bench", "", rows, stamp)
    chart: Path = save_figure(plots.bench(results), output.with_suffix(".png"))
    print(f"every number: {output}, chart: {chart}")


def available(names: tuple[str, ...]) -> list[str]:
    """The comparisons of those names, or all that can be made here.  Raises UserError for one that cannot."""
    import importlib.util

    from dynode.experiments import benchmarks
    from dynode.settings import choose

    for name in names:
        choose("comparison", name, list(benchmarks.COMPARISONS))
    usual = [name for name in benchmarks.COMPARISONS if name not in benchmarks.BY_NAME]
    if importlib.util.find_spec("openvino"):
        return [*names] or usual
    if "openvino" in names:
        raise UserError("openvino is not installed: `pip install openvino`, then compare with it.")
    if not names:
        print("openvino is not installed: that comparison is skipped.")
    return [*names] or [name for name in usual if name != "openvino"]
