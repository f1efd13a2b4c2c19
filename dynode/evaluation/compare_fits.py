"""`dynode evaluate`: fits on disk beside the rivals that need no learning, as one table and one record."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.dynamics import fit_files, methods
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.records import Row
from dynode.evaluation.trajectories import Evaluation, Evaluator, resolution_for, rows
from dynode.inversion.frame_sources import references


def of_fits(paths: Iterable[Path], clip_name: str = "", *, with_source: bool = False, device="cpu") -> list[Row]:
    """Every fit, and hold, linear, cubic under the observations of each, against the clip's codes and images.

    Raises UserError for fits of different clips, and for a clip that is not the one a fit was made from.
    """
    paths = [Path(path) for path in paths]
    stems = [path.stem for path in paths]
    fits = {path.stem if stems.count(path.stem) == 1 else str(path): fit_files.load(path) for path in paths}
    if not fits:
        raise UserError("Name at least one fit, as `dynode fit` writes it.")
    names = {fit_files.shots_of(fit)[0].meta["clip"]["name"].split(".shot")[0] for fit in fits.values()}
    if len(names) > 1:
        raise UserError(
            f"The fits belong to different clips ({', '.join(sorted(names))}): evaluate them one clip at a time."
        )
    if not clip_name and (clip_name := names.pop()) not in clips.shipped_names():
        raise UserError(f"The fits belong to the clip {clip_name}, which is not shipped: name its file with --clip.")
    clip = clips.load(clip_name)
    generators.require_same(
        clip.meta.get("generator", ""), clip.meta.get("generator_hash", ""), f"The clip {clip.name}"
    )
    generator = generators.load(clip.meta["generator"], device)
    others = references(clip, resolution_for(generator)) if with_source else {}
    with tqdm(desc="render", unit="frame", mininterval=2) as bar:
        evaluator = Evaluator(clip, generator, others=others, progress=bar)
        return list(rows_of(fits, clip, evaluator))


def rows_of(fits: dict, clip: clips.Clip, evaluator: Evaluator) -> Iterator[Row]:
    """The rows of every fit, and of the rivals once for each choice of observed frames, named after its first fit."""
    linear: dict[tuple, Evaluation] = {}
    for name, fit in fits.items():
        shown = dataclasses.replace(clip, observed=observed_by(fit, clip))
        same = tuple(shown.observed.tolist())
        if same not in linear:
            linear[same] = evaluator.evaluate(shown, methods.fit("linear", shown))
            yield from rows(
                linear[same], linear[same], clip=clip.name, method="linear", variant=name, category=evaluator.category
            )
            for rival in ("hold", "cubic"):
                result = evaluator.evaluate(shown, methods.fit(rival, shown))
                yield from rows(
                    result, linear[same], clip=clip.name, method=rival, variant=name, category=evaluator.category
                )
        label = fit_files.shots_of(fit)[0].settings.label
        yield from rows(
            evaluator.evaluate(shown, fit),
            linear[same],
            clip=clip.name,
            method=label,
            variant=name,
            category=evaluator.category,
        )


def observed_by(fit, clip: clips.Clip) -> torch.Tensor:
    """The frames (T,) of the clip that the fit was shown."""
    observed = torch.zeros(len(clip), dtype=torch.bool)
    for shot in fit_files.shots_of(fit):
        ts = torch.tensor(shot.meta["ts"], dtype=torch.float64)
        at = torch.searchsorted(clip.ts, ts)
        if int(at.max()) >= len(clip) or not torch.allclose(clip.ts[at], ts):
            raise UserError(f"The clip {clip.name} is not the one the fit was made from: its times differ.")
        observed[at[torch.tensor(shot.meta["observed"])]] = True
    return observed


def write(path: Path, found: list[Row], fits: Iterable[Path], command: str, device="cpu") -> Path:
    """All rows as JSON with what each fit says of itself (settings, frames seen, seconds, evaluations), atomically."""
    described = {
        Path(fit).stem: [
            {
                "settings": dataclasses.asdict(shot.settings),
                "seed": shot.meta["seed"],
                "observed": torch.tensor(shot.meta["observed"]).nonzero().flatten().tolist(),
                "log": shot.log,
            }
            for shot in fit_files.shots_of(fit_files.load(fit))
        ]
        for fit in fits
    }
    provenance = runtime.provenance(torch.device(device), command=command, fits=described)
    return records.write(path, "evaluate", "", found, provenance)
