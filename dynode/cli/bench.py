"""`dynode bench`: this package beside reference implementations, timed on this machine."""

import shlex
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from dynode.cli.options import Device, OptionalPath, Output, output_path, require_different
from dynode.errors import UserError

ClipNames = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="CLIP")]
INVERSION, COMPARED_AT = "inversion", 10.0  # seconds a frame at which the ratio to today's projection is printed


def bench(
    names: Positional[tuple[str, ...]] = (),
    output: Output = None,
    *,
    repeats: int = 3,
    clip: ClipNames = (),
    seconds: str = "2,5,10,20,40,60",
    encoder: OptionalPath = None,
    frames: int = 2,
    device: Device = "cpu",
) -> None:
    """Time this package beside reference implementations; prints a table, writes a record and a chart beside it.

    Three minutes on a CPU core. The seconds are this machine's at this moment; the ratios carry over.

    Args:
        names: Comparisons: fits, times, times_equal, paper, paper_equal, face256, face1024, openvino (if installed); by default all of these. memory: of evaluate-edit on a long film, some minutes more. inversion, by itself: quality against seconds a frame, about an hour.
        output: The record to write, by default bench.json, or bench-NAMES.json of the named comparisons; the chart gets its name and .png.
        repeats: Repetitions; the median time is reported.
        clip: Of inversion: a clip with footage; can be given several times, by default one of each of three people.
        seconds: Of inversion: seconds a frame, with commas between them.
        encoder: Of inversion: the file of an encoder, by default the shipped one, if there is one.
        frames: Of inversion: how many frames of each clip.
        device: Of inversion: where it runs.
    """
    if INVERSION in names:
        if len(names) > 1:
            raise UserError("bench inversion runs by itself: name no other comparison beside it.")
        return bench_inversion(output, clip, budgets(seconds), encoder or "", frames, device)
    return bench_speed(output, names, repeats)


def bench_speed(output: Path | None, names: tuple[str, ...], repeats: int) -> None:
    """Time the comparisons of those names; print a table, write a record and a chart."""
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


def budgets(seconds: str) -> list[float]:
    """The numbers of "2,5,10", increasing.  Raises UserError for anything else."""
    try:
        numbers = sorted({float(each) for each in seconds.split(",")})
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise UserError(f"--seconds must be positive numbers with commas between them, as 2,5,10, got {seconds!r}.")
    return numbers


def bench_inversion(
    output: Path | None, names: tuple[str, ...], seconds: list[float], encoder: Path | str, frames: int, device: str
) -> None:
    """Measure encoder and steps beside projection; print a table and ratios, write a record and a chart."""
    from dynode import runtime
    from dynode.evaluation import records
    from dynode.experiments import inversion_benchmark as measured
    from dynode.io import outputs
    from dynode.reporting import plots, tables
    from dynode.reporting.outputs import save_figure

    require_different("clip", names)
    if frames < 1:
        raise UserError(f"--frames must be at least 1, got {frames}.")
    output = output_path(output, "bench-inversion.json", encoder)
    records.require_record_path(output, "bench")
    outputs.require_side(output.with_suffix(".png"), output)
    chosen = runtime.device(device)
    rows = measured.measure(names or measured.CLIPS, seconds, encoder, frames, device=chosen, progress=runtime.bars())
    print(tables.inversion_table(rows).markdown(), end="")
    compared = min(seconds, key=lambda budget: abs(budget - COMPARED_AT))
    for name, ratio in measured.ratio_to_today(rows, compared).items():
        print(f"{name}: LPIPS-VGG at {compared:g} s a frame is {ratio:.3f} of that of {measured.TODAY}")
    stamp = runtime.provenance(chosen, command=f"dynode bench {INVERSION}")
    records.write(output, "bench", "", rows, stamp)
    chart: Path = save_figure(plots.inversion_quality(rows), output.with_suffix(".png"))
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
