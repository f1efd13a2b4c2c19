"""The command for many videos of one's own: presets, seeds and edits, here or on a cluster."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import OmitArgPrefixes, Positional, UseAppendAction, arg

from dynode.cli.experiments import compute_on
from dynode.cli.options import WHOLE, Device, Excerpt, OptionalPath, Output, require_different, stem
from dynode.cli.parameters import Parameters, assignments
from dynode.cli.windows import video_file
from dynode.errors import UserError

if TYPE_CHECKING:
    from dynode.experiments.batch.description import Batch, Source

Edits = Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=STRENGTH")]


@dataclass(frozen=True)
class Wanted:
    """What is done with each video."""

    presets: str = "dynode"
    """As of `dynode fit`, with commas between."""
    seeds: str = "0"
    """Of the fits and of the irregular sampling: 0:10 is 0 to 9; 0,3,5 are three."""
    edit: Edits = ()
    """As of `dynode edit --attribute`, a video for each; repeatable."""
    stride: int = 4
    """Observe every N-th frame; the others are held out and scored."""
    sampling: str = "regular"
    """How the observed frames are chosen: regular or irregular."""
    generator: str = "mobilestylegan-ffhq"
    """Of the codes of videos."""
    protocol: str = "independent"
    """Of the codes of videos: independent, observed or chain, as of `dynode invert`."""
    method: str = "dynode+latent-transformer"
    """How an edit reaches all frames, as of `dynode edit`."""


USUAL = Wanted()


def batch(
    names: Positional[Annotated[tuple[str, ...], arg(metavar="VIDEO")]] = (),
    output: Output = None,
    *,
    videos: OptionalPath = None,
    wanted: OmitArgPrefixes[Wanted] = USUAL,
    p: Parameters = (),
    excerpt: OmitArgPrefixes[Excerpt] = WHOLE,
    slurm: bool = False,
    dry_run: bool = False,
    jobs: int = 0,
    device: Device = "auto",
    job: str = "",
) -> None:
    """Invert, fit, evaluate and edit many videos; writes a folder with codes, fits, pages, videos and summary.csv.

    What fails is a row of the summary with its sentence, and the rest goes on. The same command goes on after Ctrl-C or a
    kill, does again only what a changed option reaches, and takes further videos in.

    Args:
        names: Videos, video assets, windows such as pexels.2, clip files, or shipped clips such as bird.flight.
        output: The folder, by default batch/NAME of the folder of --videos, or of the first video; alone it goes on there.
        videos: A folder, whose videos and clip files are all taken.
        p: Change a setting of the inversion, such as steps=80.
        slurm: Run the jobs on a Slurm cluster, with the settings of profiles/slurm.
        dry_run: Only list what would be run.
        jobs: How many run at a time here; 0: one on each GPU, else one per CPU core, at most four.
        job: Do only this job of a batch that is there, such as fit/talk/dynode.
    """
    from dynode.experiments.batch import description, running

    if jobs < 0:
        raise UserError(f"--jobs must be 0 or more, got {jobs}.")
    if slurm and not shutil.which("sbatch"):
        raise UserError("There is no Slurm here (no `sbatch`): leave out --slurm, or log in to the cluster.")
    compute_on(device)
    sources = description.named(sources_of(names, videos, excerpt))
    require_videos(sources.values(), excerpt)
    options = {"edits" if name == "edit" else name: value for name, value in vars(wanted).items()}
    options["projection"] = assignments(p)
    folder = output or folder_of(videos, names)
    if job:
        return do_one(folder, job)
    whole = described(sources, options) if sources else going_on(folder, options)
    print(running.run(folder.absolute(), whole, jobs=jobs, cluster=slurm, dry_run=dry_run))


def sources_of(names: tuple[str, ...], videos: Path | None, excerpt: Excerpt) -> Iterator[tuple[str, "Source"]]:
    """Every source by its name, absolute.  Raises UserError for a name of nothing, and for one that is given twice."""
    from dynode import clips
    from dynode.experiments.batch import description

    require_different("video", names)
    typed = [*names, *(map(str, description.videos_in(videos)) if videos else [])]
    for name in typed:
        if name in clips.shipped_names() and not Path(name).exists():
            yield name, description.Source(name)
            continue
        file, frames = (Path(name), WHOLE) if name.endswith(description.CLIP) else video_file(name, excerpt)
        if not file.is_file():
            raise UserError(f"There is no video or clip {name}: name a file, an asset or a shipped clip.")
        yield stem(name), description.Source(str(file.absolute()), **vars(frames))


def require_videos(sources: Iterable["Source"], excerpt: Excerpt) -> None:
    """Raises UserError where frames are chosen, and all sources are clips, which are taken whole."""
    if excerpt != WHOLE and all(each.is_clip for each in sources):
        raise UserError(
            "--first, --frames, --every and --face choose among frames of videos, and none is named: leave them out."
        )


def folder_of(videos: Path | None, names: tuple[str, ...]) -> Path:
    """The folder where none is named.  Raises UserError where there is nothing to name it after."""
    if not (videos or names):
        raise UserError("Name videos, or --videos with a folder of them, or -o with a batch that is to go on.")
    return Path("batch") / (videos.resolve().name if videos else stem(names[0]))


def described(sources: dict[str, "Source"], options: dict) -> "Batch":
    """The batch that was asked for.  Raises UserError for what no job could do, before any begins."""
    from dynode.dynamics import methods
    from dynode.experiments.batch.description import Batch, listed, seeds_of
    from dynode.inversion.invert_frames import usual_settings
    from dynode.settings import changed, choose
    from dynode.video_editing.keyframes import EditTrack
    from dynode.video_editing.registry import system_class

    options = options | {"presets": listed("--presets", options["presets"]), "seeds": seeds_of(options["seeds"])}
    for preset in options["presets"]:
        methods.resolved(preset)
    require_different("edit", options["edits"])
    attributes = [EditTrack.parsed(text).attribute for text in options["edits"]]
    system_class(options["method"])
    choose("sampling", options["sampling"], ["regular", "irregular"])
    if options["stride"] < 1:
        raise UserError(f"The stride must be at least 1, got {options['stride']}: every N-th frame is observed.")
    if any(not each.is_clip for each in sources.values()):
        settings = usual_settings(options["protocol"], options["generator"], options["projection"].get("start", ""))
        changed(settings, options["projection"])
    for attribute in attributes:
        require_editable(attribute, sources, options["generator"])
    return Batch(sources, **options)


def require_editable(attribute: str, sources: dict[str, "Source"], generator: str) -> None:
    """Raises UserError for an attribute that none of the sources can be edited by."""
    from dynode import clips
    from dynode.editing.listing import listed_editors
    from dynode.settings import nearest
    from dynode.video_editing.edit_request import EditRequest

    if attribute.endswith(".safetensors"):
        return
    known, editor = set[str](), EditRequest.editor
    for each in sources.values():
        with suppress(UserError):  # a clip that cannot be read is a row of the summary
            name = clips.load(each.file).meta["generator"] if each.is_clip else generator
            known |= {listed.attribute for listed in listed_editors(name) if listed.method == editor}
    if attribute not in known:
        legal = f"legal are {', '.join(sorted(known))}" if known else "it ships for none of their generators"
        meant = nearest(attribute, sorted(known))
        raise UserError(f"{editor} has no {attribute!r} for any of these videos{meant}; {legal}: see `dynode editors`.")


def going_on(folder: Path, options: dict) -> "Batch":
    """The batch of a folder.  Raises UserError where there is none, and where options would change it without its videos."""
    from dynode.experiments.batch import description

    for name, value in options.items():
        usual = getattr(description.Batch({}), name)
        if value not in (usual, ",".join(map(str, usual)) if isinstance(usual, tuple) else usual):
            raise UserError(
                f"The batch in {folder} goes on with the options of its {description.NAME}: to change --{name}, name the videos, "
                "too."
            )
    return description.read(folder)


def do_one(folder: Path, job: str) -> None:
    """One job, in its batch's folder."""
    from dynode import runtime
    from dynode.experiments.batch import description, jobs
    from dynode.experiments.batch.plan import Plan

    plan = Plan(description.read(folder))
    plan.job(job)
    os.chdir(folder)
    jobs.run(plan, job, runtime.device("auto"))
