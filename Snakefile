"""The items of experiments.yaml as rules, one each: `dynode reproduce` runs them; `snakemake --cores 2` does, too.

An item is made when its record, a figure, a table or a video is missing, and when its parameters or the code that its
notebook reaches have changed.  Fits and evaluations are no outputs: they are kept, and a run that was stopped goes on.
"""

from snakemake.utils import min_version

from dynode.experiments.engine.targets import Plan

min_version("9.18")
PLAN = Plan.of(config)


# Everything by name: a file that only another rule reads would not be missed.
rule all:
    default_target: True
    localrule: True
    input:
        PLAN.everything(),


# Commands are parameters: Snakemake evaluates what stands under `shell` when the loop is over.
for name in PLAN.names:

    for k, mark in enumerate(PLAN.parts(name), 1):

        rule:  # the notebook with some elements of a list: it leaves what it computed in the caches, and nothing else
            name:
                f"part_{name}_{k}"
            output:
                touch(mark),
            params:
                depends_on=PLAN.depends_on(name),
                command=PLAN.command(f"run {name} --part {k}"),
            log:
                PLAN.log(f"{name}/{k}"),
            threads: PLAN.threads
            priority: PLAN.priority(f"{name}/{k}")
            resources:
                **PLAN.resources(f"{name}/{k}"),
            shell:
                "{params.command} > {log:q} 2>&1"

    rule:
        name:
            f"item_{name}"
        input:
            parts=PLAN.parts(name),
            records=PLAN.records_of(name),
        output:
            PLAN.left(name),
        params:
            depends_on=PLAN.depends_on(name),
            command=PLAN.command(f"run {name}"),
        log:  # stays where a run fails
            text=PLAN.log(name),
            executed=PLAN.executed(name),
        threads: PLAN.threads
        priority: PLAN.priority(name)
        resources:
            **PLAN.resources(name),
        shell:
            "{params.command} > {log.text:q} 2>&1"


# A verdict that fails is a result like any other: it ends nothing.
rule verdicts:
    localrule: True
    input:
        [PLAN.record(name) for name in PLAN.names],
    output:
        PLAN.verdicts,
    params:
        command=PLAN.command("verify --json " + " ".join(PLAN.names)),
    shell:
        "{params.command} > {output:q} || true"


# A run leaves its executed notebook together with its record; a page of what was run before stays a page of all that is there.
rule report:
    localrule: True
    input:
        PLAN.verdicts,
        [path for name in PLAN.names for path in PLAN.left(name)],
    output:
        PLAN.page,
    params:
        command=PLAN.command("report"),
    log:
        PLAN.log("report"),
    shell:
        "{params.command} > {log:q} 2>&1"
