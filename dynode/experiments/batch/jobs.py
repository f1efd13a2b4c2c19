"""One job of a batch, in a process of its own: an inversion, the fits of a preset, their evaluation, a page, an edit."""

from collections.abc import Callable
from pathlib import Path

import torch

from dynode import clips, runtime
from dynode.clips import Clip
from dynode.dynamics.fitting.store import FitStore
from dynode.evaluation import compare_fits
from dynode.experiments.batch.plan import Plan
from dynode.inversion.invert_frames import invert as invert_video
from dynode.inversion.invert_frames import usual_settings
from dynode.io.video import Stretch
from dynode.reporting.pages.shared_page import write_page
from dynode.settings import changed
from dynode.video_editing import edit_file

STORE = ".engine/fits"  # where fits are kept by all that they depend on: a killed job goes on from there


def run(plan: Plan, name: str, device: torch.device | str = "cpu") -> None:
    """Do a job in the working folder, which is the batch's.  Raises UserError for one that it does not have."""
    kind, source, *rest = plan.job(name).name.split("/", 2)
    Path(plan.job(name).leaves[0]).parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](plan, source, *rest, device)


def invert(plan: Plan, name: str, device: torch.device | str) -> None:
    """Codes of a video."""
    source, batch = plan.batch.sources[name], plan.batch
    settings = usual_settings(batch.protocol, batch.generator, batch.projection.get("start", ""))
    choices = {"protocol": batch.protocol, "stride": batch.stride if batch.protocol == "observed" else 0}
    choices |= {"stretch": Stretch(source.first, source.frames, source.every), "face": source.face}
    settings = changed(settings, dict(batch.projection))
    invert_video(source.file, plan.codes(name), settings=settings, generator=batch.generator, device=device, **choices)


def fit(plan: Plan, name: str, preset: str, device: torch.device | str) -> None:
    """Fits of all seeds, as one problem where the preset allows it."""
    batch, clip = plan.batch, clips.load(plan.codes(name))
    observed: list[tuple[Clip, int]] = [
        (clip.sampled(batch.sampling, batch.stride, seed), seed) for seed in batch.seeds
    ]
    fits = FitStore(Path(STORE), device, progress=runtime.bars()).fit_many(observed, preset)
    for (_, seed), fitted in zip(observed, fits, strict=True):
        fitted.save(plan.fit(name, preset, seed))


def evaluate(plan: Plan, name: str, preset: str, device: torch.device | str) -> None:
    """Errors of all seeds beside baselines on the same frames; of a video against its frames, too."""
    source, fits = plan.batch.sources[name], [Path(plan.fit(name, preset, seed)) for seed in plan.batch.seeds]
    footage = "" if source.is_clip else source.file
    rows = compare_fits.of_fits(fits, plan.codes(name), footage=footage, device=device)
    command = f"dynode batch --job 'evaluate/{name}/{preset}'"
    compare_fits.write(Path(plan.record(name, preset)), rows, fits, command, device, clip_name=plan.codes(name))


def page(plan: Plan, name: str, device: torch.device | str) -> None:
    """A page to share: the first seed of every preset, beside holding and linear interpolation.

    Errors are those of the printed table: against the images of the clip's own codes, of a world, too.
    """
    fits = {preset: Path(plan.fit(name, preset, plan.batch.seeds[0])) for preset in plan.batch.presets}
    choices = {"truth": False, "device": device, "progress": runtime.bars()}
    write_page(Path(f"pages/{name}.html"), fits, plan.codes(name), **choices)


def edit(plan: Plan, name: str, change: str, device: torch.device | str) -> None:
    """An edited video, and the record of what it took."""
    source, batch = plan.batch.sources[name], plan.batch
    choices = {"stride": batch.stride, "method": batch.method, "footage": "" if source.is_clip else source.file}
    output = Path(plan.video(name, change))
    print(edit_file.run(edit_file.EditRequest(plan.codes(name), output, (change,), **choices), device).text)


KINDS: dict[str, Callable[..., None]] = {
    "invert": invert,
    "fit": fit,
    "evaluate": evaluate,
    "page": page,
    "edit": edit,
}
