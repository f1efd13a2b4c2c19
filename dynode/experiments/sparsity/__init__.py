"""Notebook 14: errors on clips of the test set against how sparsely they are observed."""
