"""Notebook 03: ensembles, interpolation errors, the concept figure."""
