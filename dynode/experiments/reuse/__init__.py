"""Notebook 12: one motion on another face, and its compression."""
