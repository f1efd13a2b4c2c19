"""`dynode doctor`: what this machine has of all that the package uses."""

import sys


def doctor(*, slurm: bool = False, probe: bool = False, json: bool = False) -> None:
    """Check this machine and say what to do: a line a check, ok, note or fix. Half a minute; changes nothing.

    Ends with a block to paste into a report of a defect. Exits with 1 where something is to be fixed.

    Args:
        slurm: Check a Slurm cluster too, on its login node.
        probe: Submit a job of a minute too, which looks for the cache on a compute node.
        json: Print JSON instead.
    """
    from dynode.experiments.doctor import examination, printed

    findings = []
    for each in examination.findings(slurm, probe):
        findings.append(each)
        if not json:
            print(printed.line(each), flush=True)
    print(printed.as_json(findings) if json else f"\n{printed.block(findings)}")
    if any(each.state == "fix" for each in findings):
        sys.exit(1)
