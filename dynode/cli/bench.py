"""`dynode bench`: how fast this package is beside the plain way, on this machine."""

import shlex
from pathlib import Path

from tyro.conf import Positional

from dynode.cli.parameters import Output
from dynode.errors import UserError


def bench(names: Positional[tuple[str, ...]] = (), output: Output = Path("bench.json"), *, repeats: int = 3) -> None:
    """Compare our ways with the plain ones side by side; prints a table, writes a record and a chart beside it.

    Three minutes on a CPU core. The seconds are this machine's at this moment; the ratios are what carries over.

    Args:
        names: What to compare: fits, times, times_equal, paper, paper_equal, face256, face1024, openvino (if openvino is installed); all where none is named.
        output: The record to write; the chart gets its name and .png.
        repeats: How often both ways are timed in turn; medians are told.
    """
    import importlib.util

    import torch
    from tqdm import tqdm

    from dynode import runtime
    from dynode.evaluation import records
    from dynode.experiments import benchmarks
    from dynode.reporting import plots, tables
    from dynode.reporting.outputs import save_figure
    from dynode.settings import choose

    if repeats < 1:
        raise UserError(f"--repeats must be at least 1, got {repeats}.")
    records.require_place(output, "bench")
    chosen = list(names or benchmarks.COMPARISONS)
    for name in chosen:
        choose("comparison", name, benchmarks.COMPARISONS)
    if "openvino" in chosen and not importlib.util.find_spec("openvino"):
        if names:
            raise UserError("openvino is not installed: `pip install openvino`, then compare with it.")
        print("openvino is not installed: that comparison is passed over.")
        chosen.remove("openvino")
    found = [benchmarks.COMPARISONS[name](repeats) for name in tqdm(chosen, desc="bench", unit="comparison")]
    print(tables.bench_table(found).markdown(), end="")
    rows = [row for one in found for row in one.rows()]
    stamp = runtime.provenance(torch.device("cpu"), command=shlex.join(["dynode", "bench", *names]))
    records.write(output, "bench", "", rows, stamp)
    save_figure(plots.bench(found), output.with_suffix(".png"))
    print(f"every number: {output}, chart: {output.with_suffix('.png')}")
