"""`dynode evaluate`: trajectories beside baselines that need no training, as rows of one table and one record."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from dynode import clips, generators, runtime
from dynode.clips import Clip
from dynode.dynamics import fit_files, methods
from dynode.dynamics.trajectory import Trajectory
from dynode.errors import UserError
from dynode.evaluation import records
from dynode.evaluation.evaluator import Evaluation, Evaluator, LateImages, resolution_for
from dynode.evaluation.kept_evaluations import digest_of
from dynode.evaluation.records import Row
from dynode.evaluation.trajectories import method_rows
from dynode.generators import tuned
from dynode.generators.registry import name_for
from dynode.inversion.frame_sources import reference_images, source_video
from dynode.io import source_code
from dynode.io.code_files import digest

TUNED_ON_HELD_OUT = "tuned on held-out frames"
SAME_TIME = 1e-4  # s
BASELINES = ("hold", "cubic")  # beside linear interpolation, which skill is measured against


def of_fits(
    paths: Iterable[Path],
    clip_name: str = "",
    *,
    with_source: bool = False,
    footage: Path | str = "",
    tuning: Path | str = "",
    device: torch.device | str = "cpu",
    keep: bool = True,
) -> list[Row]:
    """Rows of fits on disk, and of baselines on the observed frames of each, against the clip's codes and images.

    clip_name: a file or a shipped clip; "" as of `clip_of`.  footage: the clip's video, where
    it is not beside the clip, in the current folder or an asset; naming it means with_source.  tuning: as of `of_clip`.
    keep: as of `Evaluator`.
    Raises UserError for fits of different clips, and for a clip that is not the one a fit was made from.
    """
    paths = [Path(path) for path in paths]
    stems = [path.stem for path in paths]
    fits = {path.stem if stems.count(path.stem) == 1 else str(path): fit_files.load(path) for path in paths}
    if not fits:
        raise UserError("Name at least one fit, as `dynode fit` writes it.")
    clip_name = clip_name or clip_of(fits.values(), paths)
    clip = clips.load(clip_name)
    if footage and clip.quads is None:
        raise UserError(
            f"{clip.name} was not cut from a video: leave out --footage; --source compares a world with its truth."
        )
    if (with_source or footage) and clip.quads is not None:
        footage = source_video(clip, footage, beside=clip_name)
    choices = {"with_source": with_source or bool(footage), "footage": footage, "tuning": tuning}
    return compare(fits, clip, **choices, device=device, progress=runtime.bars(), keep=keep)


def clip_of(fits: Iterable[Trajectory], files: Iterable[Path | str]) -> str:
    """The clip that all fits belong to: a shipped one, or the clip file of that name beside one of the files of the fits.

    Raises UserError for several clips, and for one that is neither.
    """
    names = {fit.shots[0].meta["clip"]["name"].split(".shot")[0] for fit in fits}
    if len(names) > 1:
        raise UserError(
            f"The fits belong to different clips ({', '.join(sorted(names))}): evaluate them one clip at a time."
        )
    (name,) = names
    if name in clips.shipped_names():
        return name
    for beside in (Path(file).parent / f"{name}.safetensors" for file in files):
        if beside.is_file():
            return str(beside)
    raise UserError(
        f"The fits belong to the clip {name}, which is not shipped, and no {name}.safetensors lies beside them: name its "
        "file with --clip."
    )


def compare(
    paths: Mapping[str, Trajectory],
    clip: Clip,
    *,
    with_source: bool = False,
    footage: Path | str = "",
    tuning: Path | str = "",
    device: torch.device | str = "cpu",
    progress: bool = False,
    keep: bool = True,
) -> list[Row]:
    """Rows of trajectories by name, each on the frames it was fitted to, beside baselines on the same frames.

    The name is the `variant` of the rows.  with_source: also against the footage, or the ground truth of a world; footage:
    where that is, "" to look for it.  tuning: as of `of_clip`; of a clip that names none, by default that of the
    trajectories.  keep: as of `Evaluator`.
    Raises UserError for a clip of other weights, for one that a trajectory was not fitted to, for with_source of one made
    in latent space, and for trajectories of several tunings.
    """
    clip, what = clip if tuning else as_fitted(clip, paths.values()), f"The clip {clip.name}"
    name, chosen = name_for(clip.meta, what, tuning), tuned.of_clip(clip.meta, what, tuning)
    if with_source and "flows" in clip.meta:
        raise UserError(f"{clip.name} was made in latent space: it has no footage, leave out --source.")
    observed = {name: observed_by(path, clip) for name, path in paths.items()}  # before anything is rendered
    generator = generators.load(name, device)
    others = references_of(clip, resolution_for(generator), footage) if with_source else {}
    with tqdm(desc="render", unit="frame", mininterval=2, disable=not progress) as bar:
        evaluator = Evaluator(clip, generator, others=others, progress=bar, keep=keep)
        return list(
            rows_of(
                paths, {name: dataclasses.replace(clip, observed=observed[name]) for name in paths}, evaluator, chosen
            )
        )


def as_fitted(clip: Clip, fits: Iterable[Trajectory]) -> Clip:
    """A clip that names the tuning which its fits name, where it names none.  Raises UserError for fits of several tunings."""
    shots = (shot.meta.get("clip", {}) for fit in fits for shot in fit.shots)
    marks = {known["tuning"]["hash"]: known["tuning"] for known in shots if "tuning" in known}
    if "tuning" in clip.meta or not marks:
        return clip
    if len(marks) > 1:
        files = ", ".join(sorted(mark["file"] for mark in marks.values()))
        raise UserError(f"The fits are of several tunings ({files}): name one with --tuning, or --tuning none.")
    return dataclasses.replace(clip, meta=clip.meta | {"tuning": next(iter(marks.values()))})


def references_of(clip: Clip, resolution: int, footage: Path | str = "") -> Mapping[str, torch.Tensor | LateImages]:
    """As `reference_images`; the pictures of a world, which take seconds, are drawn when they are first needed."""
    if "episode" not in clip.meta:
        return reference_images(clip, resolution, footage)
    code = source_code.hash_of("dynode.inversion.frame_sources")
    episode = json.dumps(clip.meta["episode"], sort_keys=True)
    made_from = digest_of(code, torch.__version__, episode, str(resolution), clip.ts)
    return {"truth": LateImages(lambda: reference_images(clip, resolution)["truth"], made_from)}


def rows_of(
    paths: Mapping[str, Trajectory],
    footage: Mapping[str, Clip],
    evaluator: Evaluator,
    tuning: tuned.Tuning | None = None,
) -> Iterator[Row]:
    """The rows of every trajectory, and of the baselines once for each choice of observed frames, named after its first.

    footage: by the same names, the clip with the frames marked that the trajectory was fitted to.  tuning: of the evaluator's
    generator.
    """
    linear: dict[tuple[bool, ...], Evaluation] = {}
    for name, path in paths.items():
        observed = footage[name]
        identity = {"clip": observed.name, "variant": name, "category": evaluator.category}
        identity["protocol"] = protocol_of(observed, tuning)
        frames = tuple(observed.observed.tolist())
        if frames not in linear:
            linear[frames] = evaluator.evaluate(observed, methods.fit(observed, "linear"))
            yield from method_rows(linear[frames], linear[frames], method="linear", **identity)
            for baseline in BASELINES:
                result = evaluator.evaluate(observed, methods.fit(observed, baseline))
                yield from method_rows(result, linear[frames], method=baseline, **identity)
        result = evaluator.evaluate(observed, path)
        yield from method_rows(result, linear[frames], method=path.label or type(path).__name__, **identity)


def observed_by(path: Trajectory, clip: Clip) -> torch.Tensor:
    """The frames (T,) bool of the clip that the trajectory was fitted to; those that the clip marks, where it has no record.

    Raises UserError for a clip that is not the one the trajectory was fitted to.
    """
    if any("observed" not in shot.meta for shot in path.shots):
        return clip.observed
    observed = torch.zeros(len(clip), dtype=torch.bool)
    for shot in path.shots:
        ts = torch.tensor(shot.meta["ts"], dtype=torch.float64)
        at = torch.searchsorted(clip.ts, ts)
        if int(at.max()) >= len(clip) or not torch.allclose(clip.ts[at], ts):
            raise UserError(f"The clip {clip.name} is not the one the fit was made from: its times differ.")
        name = shot.meta["clip"]["name"].split(".shot")[0]
        if name and clip.meta.get("name") and name != clip.name.split(".shot")[0]:
            raise UserError(f"The fit was made from the clip {name}, not from {clip.name}: name that clip.")
        known = at[torch.tensor(shot.meta["observed"])]
        if shot.meta["clip"].get("codes") not in (None, digest(clip.ws[known])):
            made = f", the protocol {clip.protocol}" if clip.protocol else ""
            raise UserError(
                f"The fit was made from other codes of {clip.name} than this clip has{made}: name the clip that was fitted, or "
                "fit this one."
            )
        observed[known] = True
    return observed


def protocol_of(observed: Clip, tuning: tuned.Tuning | None) -> str:
    """The protocol of a clip's codes, and what of its frames a tuning of its generator was made from."""
    held_out = observed.ts[~observed.observed][:, None]
    learned = torch.tensor([*observed.meta.get("refined", []), *tuned_times(observed, tuning)], dtype=torch.float64)
    leaks = bool(((held_out - learned).abs() < SAME_TIME).any())
    words = TUNED_ON_HELD_OUT if leaks else "tuned" if tuning else ""
    return "; ".join(filter(None, (observed.protocol, words)))


def tuned_times(clip: Clip, tuning: tuned.Tuning | None) -> list[float]:
    """The times of a clip's own footage that a tuning was made from."""
    made_from = tuning.card.get("clip", {}) if tuning else {}
    same = any(made_from.get(key) and made_from[key] == clip.meta.get(key) for key in ("source_sha256", "episode"))
    return made_from.get("ts", []) if same else []


def nothing_predicted(rows: Iterable[Row]) -> str:
    """A sentence where some fits saw every frame of their clip; else ""."""
    rows = list(rows)
    predicted = {row.variant for row in rows if row.split in ("unobserved", "extrapolated")}
    names = sorted({row.variant for row in rows} - predicted)
    if not names:
        return ""
    return (
        f"{', '.join(names)}: no frame was held out, so nothing is predicted; fit with --stride 2 or more, or with "
        "--hidden-end."
    )


def not_held_out(rows: Iterable[Row]) -> str:
    """A sentence where held-out frames are scored that the codes of observed ones, or the generator, depend on; else ""."""
    scored = {row.protocol for row in rows if row.split in ("unobserved", "extrapolated")}
    if leaky := {protocol.partition("; ")[0] for protocol in scored} & {"chain", clips.SMOOTHED}:
        return (
            f"Held-out frames had a part in the observed codes ({', '.join(sorted(leaky))}), so errors there are no test: for "
            "one, invert with --protocol independent."
        )
    if any(protocol.endswith(TUNED_ON_HELD_OUT) for protocol in scored):
        return (
            "The generator was tuned on frames that are held out here, so errors there are no test: for one, give `dynode tune` "
            "the --stride and the --sampling of the fit."
        )
    return ""


def write(
    path: Path,
    rows: list[Row],
    fits: Iterable[Path],
    command: str,
    device: torch.device | str = "cpu",
    *,
    clip_name: str = "",
    tuning: Path | str = "",
) -> Path:
    """All rows as JSON with the settings, observed frames and log of each fit, and the tuning of the clip, atomically."""
    fits = list(fits)
    loaded = {Path(fit).stem: fit_files.load(fit) for fit in fits}
    described = {name: [description(shot) for shot in fit.shots] for name, fit in loaded.items()}
    clip = clips.load(clip_name or clip_of(loaded.values(), fits))
    clip = clip if tuning else as_fitted(clip, loaded.values())
    known = tuned.marked(tuned.of_clip(clip.meta, f"The clip {clip.name}", tuning))
    provenance = runtime.provenance(torch.device(device), command=command, fits=described, **known)
    return records.write(path, "evaluate", "", rows, provenance)


def description(shot: Trajectory) -> dict[str, Any]:
    """The settings of a fit, its seed, its observed frames and its log."""
    settings = getattr(shot, "settings", None)  # of methods that have something to set
    return {
        "settings": dataclasses.asdict(settings) if settings else {},
        "seed": shot.meta["seed"],
        "observed": torch.tensor(shot.meta["observed"]).nonzero().flatten().tolist(),
        "log": shot.log,
    }
