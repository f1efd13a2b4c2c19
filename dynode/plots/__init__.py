"""Data -> Figure. No files are read or written here; `dynode.report.outputs` saves what these return."""

from dynode.plots.bands import WORDS, arrivals, coverage, fans, kernels
from dynode.plots.comparisons import ablations, bench, categories, observers, rivals, skills
from dynode.plots.concept import Concept, concept
from dynode.plots.curves import descent, error_over_time, frame_quality, looks, memory, reach, solver_work
from dynode.plots.distances import distances, variance
from dynode.plots.editors import editors, ladders
from dynode.plots.frames import aligned_face, difference, frame_border, frame_rates, image_rows
from dynode.plots.motion import over_time, sizes, tracks, way_back
from dynode.plots.panels import error_panels
from dynode.plots.paths import diagnosis, known_paths, pca_paths
from dynode.plots.style import colour, note

__all__ = [
    "WORDS",
    "Concept",
    "ablations",
    "aligned_face",
    "arrivals",
    "bench",
    "categories",
    "colour",
    "concept",
    "coverage",
    "descent",
    "diagnosis",
    "difference",
    "distances",
    "editors",
    "error_over_time",
    "error_panels",
    "fans",
    "frame_border",
    "frame_quality",
    "frame_rates",
    "image_rows",
    "kernels",
    "known_paths",
    "ladders",
    "looks",
    "memory",
    "note",
    "observers",
    "over_time",
    "pca_paths",
    "reach",
    "rivals",
    "sizes",
    "skills",
    "solver_work",
    "tracks",
    "variance",
    "way_back",
]
