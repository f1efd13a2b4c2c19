"""The course of `notebooks/teach`: checks of its exercises, which answer "right" or give a hint, and unfilled copies."""
