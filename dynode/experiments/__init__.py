"""The reproduction itself: the items of experiments.yaml, how they are run, and the code that only their notebooks need."""
