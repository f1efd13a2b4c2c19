"""`dynode bench`: this package beside reference implementations, timed on this machine."""

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, UseAppendAction, arg

from dynode.cli.options import Device, OptionalPath, Output, output_path, require_different
from dynode.cli.windows import load_clip
from dynode.errors import UserError

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

    from dynode.evaluation.records import Row

ClipNames = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="CLIP")]
UpdateKinds = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="KIND")]
INVERSION, TUNING, EDITING = "inversion", "tuning", "editing"
COMPARED_AT = 10.0  # seconds a frame, or minutes, at which ratios of LPIPS-VGG are printed


def bench(
    names: Positional[tuple[str, ...]] = (),
    output: Output = None,
    *,
    repeats: int = 3,
    clip: ClipNames = (),
    seconds: str = "2,5,10,20,40,60",
    encoder: OptionalPath = None,
    frames: int | None = None,
    update: UpdateKinds = (),
    minutes: str = "2,5,10,20",
    device: Device = "cpu",
) -> None:
    """Time this package beside reference implementations; prints a table, writes a record and a chart beside it.

    Three minutes on a CPU core. The seconds are this machine's at this moment; the ratios carry over.

    Args:
        names: Comparisons: fits, times, times_equal, paper, paper_equal, face256, face1024, openvino (if installed); by default all of these. Where they are named: memory, of evaluate-edit on a long film; solve10, solve100, solve_paper and solve_robust, our solver beside torchdiffeq, and compiled10, compiled100, compiled_paper and compiled_robust, the same with torch.compile (a C++ compiler); vmap, stacked fits beside torch.func; stylegan2, an image of 1024 pixels; some minutes in all. Each by itself: inversion, quality against seconds a frame, half an hour; editing, a film edited frame by frame and by dynamics, five minutes; tuning, quality against minutes of tuning a generator to a person, seven hours, resumable.
        output: The record to write, by default bench.json, or bench-NAMES.json of the named comparisons; the chart gets its name and .png, the folder of the tunings .tunings.
        repeats: Repetitions; the median time is reported.
        clip: Of inversion and tuning: a clip with footage, of editing a window of footage; can be given several times, by default one of each of three people, of editing single_face.1.
        seconds: Of inversion: seconds a frame, with commas between them.
        encoder: Of inversion: the file of an encoder, by default the shipped one, if there is one.
        frames: Of inversion and editing: how many frames of each clip, by default 2 and 12.
        update: Of tuning: what is changed, all, last-blocks or low-rank; can be given several times, by default each of them.
        minutes: Of tuning: how long each takes, with commas between them.
        device: Of inversion, tuning and editing: where it runs.
    """
    for alone in (INVERSION, TUNING, EDITING):
        if alone in names and len(names) > 1:
            raise UserError(f"bench {alone} runs by itself: name no other comparison beside it.")
    if INVERSION in names:
        frames = 2 if frames is None else frames
        return bench_inversion(output, clip, budgets(seconds, "--seconds"), encoder or "", frames, device)
    if EDITING in names:
        return bench_editing(output, clip, 12 if frames is None else frames, device)
    if TUNING in names:
        return bench_tuning(output, clip, update, budgets(minutes, "--minutes"), device)
    return bench_speed(output, names, repeats)


def bench_speed(output: Path | None, names: tuple[str, ...], repeats: int) -> None:
    """Time the comparisons of those names; print a table, write a record and a chart."""
    import torch
    from tqdm import tqdm

    from dynode.experiments import benchmarks
    from dynode.reporting import plots, tables

    require_different("comparison", names)
    if repeats < 1:
        raise UserError(f"--repeats must be at least 1, got {repeats}.")
    output = record_path(output, "-".join(["bench", *names]) + ".json")
    chosen = available(names)
    results = [benchmarks.COMPARISONS[name](repeats) for name in tqdm(chosen, desc="bench", unit="comparison")]
    print(tables.bench_table(results).markdown(), end="")
    rows = [row for one in results for row in one.rows()]
    write(output, rows, torch.device("cpu"), ["dynode", "bench", *names], lambda: plots.bench(results))


def record_path(output: Path | None, name: str, *inputs: Path | str) -> Path:
    """The record to write, by default that of a name.  Raises UserError where it, or the chart beside it, cannot be written."""
    from dynode.evaluation import records
    from dynode.io import outputs

    output = output_path(output, name, *inputs)
    records.require_record_path(output, "bench")
    outputs.require_side(output.with_suffix(".png"), output)
    return output


def write(
    output: Path,
    rows: "list[Row]",
    device: "torch.device",
    command: Iterable[str],
    figure: "Callable[[], Figure] | None" = None,
    **extra: Any,
) -> None:
    """Write a record, and a chart beside it where there is one.  extra: what else the record says of its origin."""
    from dynode import runtime
    from dynode.evaluation import records
    from dynode.reporting.outputs import save_figure

    records.write(output, "bench", "", rows, runtime.provenance(device, command=shlex.join(command), **extra))
    chart = f", chart: {save_figure(figure(), output.with_suffix('.png'))}" if figure else ""
    print(f"every number: {output}{chart}")


def budgets(text: str, option: str) -> list[float]:
    """The numbers of "2,5,10", increasing.  Raises UserError, which names the option, for anything else."""
    try:
        numbers = sorted({float(each) for each in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise UserError(f"{option} must be positive numbers with commas between them, as 2,5,10, got {text!r}.")
    return numbers


def clips_named(names: Iterable[str]) -> list[str]:
    """The options of a command that name these clips."""
    return [part for name in names for part in ("--clip", name)]


def nearest(numbers: Iterable[float]) -> float:
    """The one of some seconds or minutes at which ratios are printed."""
    return min(numbers, key=lambda number: abs(number - COMPARED_AT))


def bench_inversion(
    output: Path | None, names: tuple[str, ...], seconds: list[float], encoder: Path | str, frames: int, device: str
) -> None:
    """Measure encoder and steps beside projection; print a table and ratios, write a record and a chart."""
    from dynode import runtime
    from dynode.experiments import inversion_benchmark as measured
    from dynode.reporting import plots, tables

    require_different("clip", names)
    if frames < 1:
        raise UserError(f"--frames must be at least 1, got {frames}.")
    output = record_path(output, "bench-inversion.json", encoder)
    chosen = runtime.device(device)
    rows = measured.measure(names or measured.CLIPS, seconds, encoder, frames, device=chosen, progress=runtime.bars())
    print(tables.inversion_table(rows).markdown(), end="")
    compared = nearest(seconds)
    for name, ratio in measured.ratio_to_usual(rows, compared).items():
        print(f"{name}: LPIPS-VGG at {compared:g} s a frame is {ratio:.3f} of that of the usual projection")
    budget = ["--seconds", ",".join(f"{each:g}" for each in seconds), "--frames", str(frames)]
    command = ["dynode", "bench", INVERSION, *clips_named(names), *budget]
    write(output, rows, chosen, command, lambda: plots.inversion_quality(rows))


def bench_editing(output: Path | None, names: tuple[str, ...], frames: int, device: str) -> None:
    """Measure what an edited film takes; print ratios, write a record."""
    from dynode import runtime
    from dynode.experiments import editing_benchmark as measured

    require_different("window", names)
    if frames < 2:
        raise UserError(f"--frames must be at least 2, got {frames}: a film was wanted.")
    output, chosen = record_path(output, "bench-editing.json"), runtime.device(device)
    rows, stand_ins = measured.measure(names or measured.WINDOWS, frames, chosen)
    print("\n".join([*measured.ratios(rows), *(f"stand-in: {each}" for each in stand_ins)]))
    command = ["dynode", "bench", EDITING, *clips_named(names)]
    made_with = {"generator": measured.GENERATOR, "editor": measured.EDITOR, "stand_ins": stand_ins}
    write(output, rows, chosen, [*command, "--frames", str(frames)], **made_with)


def bench_tuning(
    output: Path | None, names: tuple[str, ...], kinds: tuple[str, ...], minutes: list[float], device: str
) -> None:
    """Measure tunings of several kinds and lengths; print a table and ratios, write a record and a chart."""
    from dynode import runtime
    from dynode.evaluation.compare_fits import not_held_out
    from dynode.experiments import tuning_benchmark as measured
    from dynode.io.names import beside
    from dynode.reporting import plots, tables

    require_different("clip", names)
    require_different("kind of update", kinds)
    output, chosen = record_path(output, "bench-tuning.json", *names), runtime.device(device)
    footage, tunings = [load_clip(name) for name in names or measured.CLIPS], beside(output, ".tunings")
    parts: dict[str, Any] = {"device": chosen, "progress": runtime.bars()}
    rows = measured.measure(footage, tunings, kinds, minutes, **parts)
    print(tables.tuning_table(rows).markdown(), end="")
    print(measured.ratio_text(rows, nearest(minutes)))
    if remark := not_held_out(rows):
        print(remark)
    chosen_options = [("--clip", name) for name in names] + [("--update", kind) for kind in kinds]
    chosen_options.append(("--minutes", ",".join(f"{each:g}" for each in minutes)))
    command = ["dynode", "bench", TUNING, *(part for pair in chosen_options for part in pair)]
    made = measured.cards(footage, tunings, kinds, minutes)
    write(output, rows, chosen, command, lambda: plots.tuning_quality(rows), tunings=made)
    print(f"the tunings, which --tuning of other commands takes: {tunings}")


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
