"""The jobs of a batch as rules, one each: `dynode batch` runs them, in the folder of its batch.yaml.

A job is done again when what it reads, or a setting in batch.yaml that it depends on, has changed.
"""

from snakemake.utils import min_version

from dynode.experiments.batch.plan import Plan

min_version("9.18")
PLAN = Plan.of(config)


rule all:
    default_target: True
    localrule: True
    input:
        PLAN.everything(),


for name, job in PLAN.rules.items():

    rule:
        name:
            name
        input:
            job.reads,
        output:
            job.leaves,
        params:
            depends_on=job.settings,
            command=PLAN.command(job),
        log:
            PLAN.log(job.name),
        threads: PLAN.threads
        priority: round(job.minutes)
        resources:
            **PLAN.resources(job),
        shell:
            "{params.command} > {log:q} 2>&1"
