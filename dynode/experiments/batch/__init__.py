"""`dynode batch`: many videos, presets, seeds and edits of one's own, computed by Snakemake here or on a cluster.  Loads nothing."""
