"""`dynode share`: fits of a clip as one page to show to others."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dynode.io import files
from dynode.reporting.pages.clip_views import fits_view, notices_of
from dynode.reporting.pages.viewer import viewer_page

LARGEST = 3_000_000  # bytes of a page
AROUND = 200_000  # of what is around the frames


def write_page(output: Path, fits: Iterable[Path] | Mapping[str, Path], clip_name: str = "", **choices: Any) -> str:
    """Write fits beside holding and linear interpolation as one page; a line on what is on it.

    fits, clip_name, choices: as of `fits_view`, which says what is refused.
    """
    data = fits_view(fits, clip_name, **choices).data(LARGEST - AROUND)
    page = viewer_page(data, title=f"{data['clip']}, by learned dynamics", notices=notices_of(data))
    files.write(output, lambda part: part.write_text(page, encoding="utf-8"))
    size = output.stat().st_size / 1e6
    return f"{output}: {size:.2f} MB, {len(data['times'])} frames of {len(data['methods'])} methods"
