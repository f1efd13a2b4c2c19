"""Views of a clip: methods that are fitted now, or fits of files, on the same observed frames."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dynode import clips, generators
from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation import compare_fits
from dynode.evaluation.evaluator import Evaluator, resolution_for
from dynode.generators.registry import name_for
from dynode.io import assets
from dynode.reporting.pages.view_data import MEASURED, View, shown_frames, view_of
from dynode.reporting.pages.viewer import EDITED, SYNTHETIC

BESIDE_FITS = ("hold", "linear")  # baselines of a page of somebody's fits


def clip_view(
    clip: Clip,
    paths: Mapping[str, Trajectory],
    *,
    truth: bool = True,
    metrics: Sequence[str] = (),
    tuning: Path | str = "",
    record: str = "",
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> View:
    """The view of trajectories of a clip whose observed frames are marked, on at most 160 of its frames.

    truth: of a world, measure against its own pictures instead of those of the clip's codes.  metrics: of
    `view_data.MEASURED`, by default those that need no download.  tuning: as of `dynode.render`.
    Raises UserError for codes of other weights than the generator's.
    """
    clip = shown_frames(clip)
    generator = generators.load(name_for(clip.meta, f"The clip {clip.name}", tuning), device)
    world = truth and "episode" in clip.meta
    others = compare_fits.references_of(clip, resolution_for(generator)) if world else {}
    with tqdm(desc="render", unit="frame", mininterval=1, disable=not progress) as bar:
        evaluator = Evaluator(clip, generator, others=others, progress=bar, keep=False)
        reference = "truth" if world else "code"
        return view_of(clip, paths, evaluator, reference=reference, metrics=metrics or metrics_at_hand(), record=record)


def metrics_at_hand() -> list[str]:
    """The errors that a view can show without a download: LPIPS where its network is in the cache."""
    return [name for name in MEASURED if name != "lpips" or assets.at_hand("lpips-alexnet")]


def fitted(clip: Clip, names: Iterable[str], device: torch.device | str = "cpu") -> dict[str, Trajectory]:
    """A trajectory of each method, by its name in records."""
    return {methods.label_of(name): methods.fit(clip, name, device=device) for name in names}


def fits_view(
    files: Iterable[Path] | Mapping[str, Path], clip_name: str = "", *, tuning: Path | str = "", **choices: Any
) -> View:
    """The view of fits on disk beside holding and linear interpolation, on the frames that they observed.

    files: by what they are called there, or named by themselves.  clip_name: as of `dynode evaluate`.  choices: of `clip_view`.  Raises UserError for fits of several clips or of different
    observed frames, and for a clip that is not theirs.
    """
    pairs = [*(files.items() if isinstance(files, Mapping) else ((Path(file).stem, file) for file in files))]
    loaded = {str(name): fit_files.load(file) for name, file in pairs}
    clip = clips.load(clip_name or compare_fits.clip_of(loaded.values(), [file for _, file in pairs]))
    clip = clip if tuning else compare_fits.as_fitted(clip, loaded.values())
    masks = [compare_fits.observed_by(fit, clip) for fit in loaded.values()]
    if any(not torch.equal(mask, masks[0]) for mask in masks):
        raise UserError(
            f"The fits {', '.join(loaded)} observed different frames: show them on pages of their own, one fit a page."
        )
    observed = dataclasses.replace(clip, observed=masks[0])
    baselines = fitted(observed, (name for name in BESIDE_FITS if name not in loaded))
    return clip_view(observed, baselines | loaded, tuning=tuning, **choices)


def notices_of(view: Mapping[str, Any], frames: int = 0) -> list[str]:
    """What a page of a view must say: that it is synthetic or edited, and what its numbers are no test of.

    frames: of the whole clip, where the view may show fewer.
    """
    notices = [SYNTHETIC if view["stand_ins"] else EDITED]
    if not all(view["observed"]) and view["protocol"].partition("; ")[0] in ("chain", clips.SMOOTHED):
        notices.append(
            f"The codes of this clip were made by the protocol {view['protocol']}: held-out frames had a part in the observed "
            "codes, so errors there show the methods beside each other and are no test of any."
        )
    if frames > len(view["times"]):
        notices.append(f"{len(view['times'])} of the clip's {frames} frames are on this page, evenly spaced.")
    return notices
