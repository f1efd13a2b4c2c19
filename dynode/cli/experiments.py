"""Commands for the items of experiments.yaml, for their claims, and for the assets that they need."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from dynode.cli.options import Device, OptionalPath, Output, require_different
from dynode.cli.parameters import Parameters, assignments
from dynode.errors import NotebookError, UserError
from dynode.settings import choose


def fetch(
    names: Positional[tuple[str, ...]] = (),
    *,
    list: bool = False,
    profile: Literal["", "smoke", "embedded", "paper"] = "",
) -> None:
    """Fetch third-party weights and videos into the user's cache, hash checked.

    Args:
        names: Assets to fetch.
        list: Show every asset with its size, licence and purpose instead.
        profile: Fetch all that a profile needs.
    """
    from dynode.io import assets

    known = assets.registry()[1]
    if list or not (names or profile):
        for asset in known.values():
            print(f"{asset.name:32} {asset.size / 1e6:7.1f} MB  {asset.purpose}  [{asset.licence}]")
        return
    for name in names:
        choose("asset", name, known)
    wanted = {*names, *(asset.name for asset in known.values() if profile in asset.profiles)}
    for name in sorted(wanted):
        print(f"{name}: {assets.fetch(name)}", flush=True)


def list_items() -> None:
    """Show the items of experiments.yaml: what each regenerates and costs, and what of it is there, by the last run or as shipped."""
    from dynode.experiments import listing

    print(listing.text())


def run(
    items: Positional[tuple[str, ...]] = (),
    *,
    profile: str = "embedded",
    p: Parameters = (),
    all: bool = False,
    jobs: int = 0,
    device: Device = "auto",
    part: int = 0,
) -> None:
    """Regenerate items of experiments.yaml: runs their notebooks and writes figures, tables and records.

    Args:
        items: One item or several, or what the paper shows, such as fig2 or table1.face, see `dynode list`.
        profile: smoke, embedded (default), paper, or recorded (hours, of some items).
        p: Change a parameter of a single item's notebook, such as seeds=0,1,2.
        all: Run every item.
        jobs: How many of several items run at a time; 0: one on each GPU, else one per CPU core, at most four.
        device: auto, cpu, cuda or cuda:N, for notebooks too that have no parameter of that name.
        part: Of an item that experiments.yaml splits, compute only the N-th part, for a later run of the whole to find.
    """
    from dynode.experiments import items as experiments
    from dynode.experiments.engine import parts

    if all == bool(items):
        raise UserError("Name items, or give --all for every one: `dynode list` shows them.")
    if p and (all or len(items) > 1):
        raise UserError("-p changes one item's notebook: name that item alone.")
    require_different("item", items)
    if jobs < 0:
        raise UserError(f"--jobs must be 0 or more, got {jobs}.")
    compute_on(device)
    names = [name for each in items for name in experiments.named(each)] or [*experiments.items()]
    if len(names) > 1 and (p or part):
        raise UserError(
            f"{' '.join(items)} are several items, and {'-p' if p else '--part'} is of one: name one of them."
        )
    if part:
        return parts.run_part(names[0], profile, part)
    for path in executed(names, profile, p, jobs):
        print(f"executed notebook: {path}")


def executed(names: list[str], profile: str, p: tuple[str, ...], jobs: int) -> list[Path]:
    """Run one item here, or several by the engine; their executed notebooks."""
    from dynode.experiments import runner
    from dynode.experiments.engine import running
    from dynode.reporting import paths

    if len(names) == 1:
        return [runner.run(names[0], profile, notebook_parameters(names[0], p))]
    request = running.Request(tuple(dict.fromkeys(names)), profile, jobs, anew=True)
    return [paths.executed_copy(name, profile) for name in running.reproduce(request)]


def reproduce(
    items: Positional[tuple[str, ...]] = (),
    *,
    profile: str = "embedded",
    slurm: bool = False,
    dry_run: bool = False,
    jobs: int = 0,
    device: Device = "auto",
) -> None:
    """Make what of the paper's items is missing or stale: figures, tables, records, verdicts, pages. Ctrl-C is safe.

    An item is stale when its parameters, the code that its notebook reaches or the codes of its clips have changed.

    Args:
        items: Items, or what the paper shows, such as fig2 or table1.face; by default all, see `dynode list`.
        profile: smoke, embedded (default), paper, or recorded (hours, of some items).
        slurm: Run them as jobs of a Slurm cluster, with the settings of profiles/slurm.
        dry_run: Only list what would be run.
        jobs: How many run at a time here; 0: one on each GPU, else one per CPU core, at most four.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode.cli.pages.demo import near
    from dynode.experiments import items as experiments
    from dynode.experiments.engine import running

    require_different("item", items)
    if jobs < 0:
        raise UserError(f"--jobs must be 0 or more, got {jobs}.")
    if slurm and not shutil.which("sbatch"):
        raise UserError("There is no Slurm here (no `sbatch`): leave out --slurm, or log in to the cluster.")
    compute_on(device)
    names = [name for each in items for name in experiments.named(each)] or [*experiments.items()]
    request = running.Request(tuple(dict.fromkeys(names)), profile, jobs, cluster=slurm, dry_run=dry_run)
    made = running.reproduce(request)
    print(running.announced(request, made))
    if not dry_run:
        print(running.summary(profile))
        if page := running.page():
            print(f"{near(page)} shows all of it; open it by a double click.")


def validate(
    items: Positional[tuple[str, ...]] = (),
    *,
    profile: str = "embedded",
    device: Device = "auto",
) -> None:
    """Execute notebooks again that were executed here, and compare what their checking cells print, by nbval; as long as a run.

    Nothing is overwritten, and no fit or evaluation of before is taken. Exits with 1 where an output differs.

    Args:
        items: Items, or what the paper shows, such as fig2 or table1.face; by default all that were executed.
        profile: Of the executed notebooks: smoke, embedded (default), paper or recorded.
        device: auto, cpu, cuda or cuda:N.
    """
    from dynode.experiments import items as experiments
    from dynode.experiments import validation

    require_different("item", items)
    choose("profile", profile, list(experiments.PROFILES))
    compute_on(device)
    wanted = validation.executed([name for each in items for name in experiments.named(each)], profile)
    differ = [name for name, path in wanted.items() if not same_again(name, path)]
    if differ:
        raise NotebookError(
            f"dynode: {len(differ)} of {len(wanted)} notebooks gave something else: {', '.join(differ)}."
        )


def same_again(name: str, path: Path) -> bool:
    """Whether an executed notebook gives the same again; prints what was compared and what differs."""
    from dynode.experiments import validation

    outcome = validation.again(path)
    print("\n".join(outcome.faults), end="\n" if outcome.faults else "")
    result = "differs" if outcome.faults else "the same"
    print(f"{name}: {outcome.cells} cells executed again, outputs compared of {outcome.compared}: {result}", flush=True)
    return not outcome.faults


def compute_on(device: str) -> None:
    """Have all that this process computes and starts take a device for "auto".  Raises UserError where it cannot be used."""
    from dynode import runtime

    if device != "auto":
        runtime.device(device)
        os.environ[runtime.DEVICE] = device


def notebook_parameters(name: str, p: tuple[str, ...]) -> dict[str, Any]:
    """What -p says, where an item's notebook declares a list as a list.  Raises UserError for an unknown item."""
    from dynode.experiments import items
    from dynode.experiments.parameters import declarations

    declared = declarations(items.item(name).notebook) if p else {}
    return assignments(p, lambda each: each in declared and declared[each].kind is list)


def verify(
    items: Positional[tuple[str, ...]] = (),
    *,
    recorded: bool = False,
    profile: str = "embedded",
    json: bool = False,
    markdown: bool = False,
    junit: OptionalPath = None,
    write: bool = False,
) -> None:
    """Judge the claims of experiments.yaml by the records: PASS, FAIL, TOO EASY, NOT JUDGED, MISSING or STALE. Seconds.

    Exits with 1 where a claim fails without a known reason, holds against one, or (of an own run) a record is stale; with 3 where a
    record or a row is missing.

    Args:
        items: Items, see `dynode list`; by default all.
        recorded: Judge the records that ship instead of those that `dynode run` wrote.
        profile: Of the records in reports/records: smoke, embedded, paper or recorded.
        json: Print JSON instead.
        markdown: Print a Markdown table instead.
        junit: Write a JUnit report too.
        write: Render README and FINDINGS from the records that ship, and judge nothing.
    """
    if json and markdown:
        raise UserError("Give one of --json and --markdown.")
    require_different("item", items)
    if write:
        return write_texts()
    judged = judge_all(items, profile, recorded)
    print_verdicts(judged, json, markdown, whole=not items)
    if junit:
        write_junit(junit, judged)
    if code := code_of(judged, recorded):
        sys.exit(code)


def judge_all(names: tuple[str, ...], profile: str, recorded: bool) -> list:
    """The named items, or all, judged by their records."""
    from dynode.experiments import items
    from dynode.experiments.claims.recorded import SHIPPED, judge_record
    from dynode.settings import choose

    choose("profile", profile, list(items.PROFILES))
    if recorded and profile != "embedded":
        raise UserError(f"The records that ship are each of one profile: leave out --profile {profile}.")
    chosen = [items.item(name) for name in names] or list(items.items().values())
    return [judge_record(each, profile, SHIPPED if recorded else None) for each in chosen]


def print_verdicts(judged: list, json: bool, markdown: bool, whole: bool) -> None:
    """Print them as asked; statements of the paper only where all items are judged."""
    from json import dumps

    from dynode.experiments import items
    from dynode.experiments.claims import printed

    if json:
        print(dumps(printed.as_dicts(judged), indent=1, ensure_ascii=False))
    elif markdown:
        print(printed.markdown(judged))
    else:
        print(printed.text(judged, items.statements() if whole else ()))


def write_junit(path: Path, judged: list) -> None:
    from dynode.experiments.claims import printed
    from dynode.io import files, outputs

    outputs.require_output(path)
    files.write(path, lambda part: part.write_text(printed.junit(judged), encoding="utf-8"))


def code_of(judged: list, recorded: bool) -> int:
    from dynode.experiments.claims import printed

    return printed.exit_code(judged, recorded)


def write_texts() -> None:
    """Render README and FINDINGS; print which have changed."""
    from dynode.experiments.claims import texts

    changed = texts.write()
    print("\n".join(f"rendered: {path}" for path in changed) or "README and FINDINGS are as the records have them.")


def teach(output: Output = None, *, solutions: bool = False, marking: Literal["", "nbgrader", "otter"] = "") -> None:
    """Write the notebooks of the course for a class, unfilled: each exercise is checked where it stands.

    Args:
        output: The folder for the copies, by default build/teach; what is there is kept.
        solutions: Copies with the answers instead, for whoever teaches.
        marking: Copies for a tool that marks, one point for each exercise: nbgrader's source/NAME/NAME.ipynb, with the
            answers, which `nbgrader generate_assignment NAME` takes out; or unfilled ones, and otter's tests beside them.
    """
    from dynode.experiments.teaching import copies
    from dynode.experiments.teaching import marking as tools

    if marking and solutions:
        raise UserError("--solutions and --marking are two kinds of copies: take one of them.")
    folder = output or Path("build/teach")
    for path in tools.write_for(marking, folder) if marking else copies.write_copies(folder, solutions):
        print(path)
