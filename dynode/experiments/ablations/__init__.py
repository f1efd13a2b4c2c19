"""Notebook 04: what each choice in the dynamics does, one setting changed at a time."""
