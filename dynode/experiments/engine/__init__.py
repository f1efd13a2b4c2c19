"""The engine behind `dynode reproduce`: what of the items is missing or stale is made by Snakemake, here or on a cluster."""
