"""Notebook 07: edits of clips of faces, and of worlds against their ground truth."""
