"""Data -> Figure. No files are read or written here; `dynode.report.outputs` saves what these return."""

from dynode.plots.comparisons import bench, categories, rivals, skills
from dynode.plots.curves import descent, error_over_time, frame_quality, looks, memory, reach
from dynode.plots.frames import aligned_face, difference, frame_border, frame_rates, image_rows
from dynode.plots.paths import diagnosis, pca_paths
from dynode.plots.style import colour, note

__all__ = [
    "aligned_face",
    "bench",
    "categories",
    "colour",
    "descent",
    "diagnosis",
    "difference",
    "error_over_time",
    "frame_border",
    "frame_quality",
    "frame_rates",
    "image_rows",
    "looks",
    "memory",
    "note",
    "pca_paths",
    "reach",
    "rivals",
    "skills",
]
