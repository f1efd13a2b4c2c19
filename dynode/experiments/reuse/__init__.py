"""Notebook 12: one motion on another face, and how few bytes it takes."""
