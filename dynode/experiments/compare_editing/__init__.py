"""Notebook 06: video editing systems side by side."""
