"""The commands by name: where each is, what it does, an example.  Standard library only: help and mistakes come at once."""

from dataclasses import dataclass

from dynode import __version__
from dynode.settings import closest


@dataclass(frozen=True)
class Command:
    """name: as typed.  function: "module:name" in `dynode.cli`, "" for a line of the help.  example: what is typed after `dynode`.

    first: whether the front page shows the example; it gives the names of the others in a line for each heading.
    """

    name: str
    function: str
    example: str
    purpose: str
    first: bool = True


REPRODUCTION = (
    Command("demo", "pages.demo:demo", "demo", "see it work: a clip, four methods, a page; a minute"),
    Command("list", "experiments:list_items", "list", "show the paper's items and their costs"),
    Command("run", "experiments:run", "run table1", "regenerate items"),
    Command("reproduce", "experiments:reproduce", "reproduce", "install, make what is missing; also: setup, test"),
    Command("verify", "experiments:verify", "verify --recorded", "which claims hold, by the records"),
    Command("fetch", "experiments:fetch", "fetch --list", "third-party weights and videos"),
    Command("doctor", "doctor:doctor", "doctor", "check this machine", first=False),
    Command("report", "pages.report:report", "report", "claims, figures, tables as pages", first=False),
    Command("validate", "experiments:validate", "validate --profile smoke", "execute notebooks again", first=False),
    Command("teach", "experiments:teach", "teach", "the course's notebooks, unfilled", first=False),
    Command("bench", "bench:bench", "bench fits", "time this package against others", first=False),
)
VIDEO = (
    Command("invert", "dynamics:invert", "invert talk.mp4 --frames 60", "video -> codes (a clip)"),
    Command("tune", "tuning:tune", "tune talk.safetensors --stride 4", "a generator tuned to the person", first=False),
    Command("clip", "codes:clip", "clip projected_w.npz --fps 25", "another projector's codes -> a clip", first=False),
    Command("dataset", "codes:dataset", "dataset ravdess FOLDER", "what a dataset's folder holds", first=False),
    Command(
        "diagnose",
        "diagnosis:diagnose",
        "diagnose talk.safetensors",
        "are the codes smooth enough, and the faces alike?",
    ),
    Command("fit", "dynamics:fit", "fit talk.safetensors --stride 4", "codes -> learned path (a fit)"),
    Command("evaluate", "dynamics:evaluate", "evaluate talk.fit", "errors beside the baselines'"),
    Command("render", "dynamics:render", "render talk.fit --fps 60", "path -> video at any frame rate"),
    Command(
        "share", "pages.demo:share", "share talk.fit -o talk.html", "fits as one page to show to others", first=False
    ),
    Command(
        "batch", "batch:batch", "batch --videos FOLDER --seeds 0:10", "many videos, presets and seeds", first=False
    ),
    Command(
        "choose-depth",
        "dynamics:choose_depth",
        "choose-depth talk.safetensors",
        "select DEPTH by validation",
        first=False,
    ),
)
EDITING = (
    Command("edit", "video_editing:edit", "edit talk.mp4 --attribute smile=1.5", "edit a video"),
    Command("editors", "attributes:editors", "editors", "what edit can change, how far, and in which unit"),
    Command("edit-text", "text_editing:edit_text", 'edit-text single_face.1 "red lips"', "edit a frame by a text"),
    Command("score", "attributes:score", "score talk.mp4", "attributes of a face, as numbers", first=False),
    Command(
        "evaluate-edit",
        "video_editing:evaluate_edit",
        "evaluate-edit talk.mp4 out.mp4",
        "judge an edited video",
        first=False,
    ),
)
WORLD = (
    Command(
        "world episode",
        "worlds:episode",
        "world episode bird flight",
        "draw an episode -> video and its factors",
    ),
    Command("world invert", "worlds:invert_episode", "world invert bird flight", "draw an episode -> codes (a clip)"),
    Command(
        "world flow",
        "worlds:flow_episode",
        "world flow stylegan2-scene-factors scene.fog",
        "a random code moved along flows -> clip",
    ),
)
TRAIN = (
    Command(
        "train all", "training:train_all", "train all --minutes 9 -o trained", "what is worth most on a GPU, in turn"
    ),
    Command("train gan", "training:train_gan", "train gan bird", "a generator of a world"),
    Command(
        "train adversarial",
        "training:train_adversarial",
        "train adversarial bird",
        "a world's generator, from pictures alone",
    ),
    Command(
        "train encoder", "training:train_encoder", "train encoder stylegan2-bird-factors", "an encoder of a generator"
    ),
    Command("train dynamics", "training:train_dynamics", "train dynamics bird", "a field that clips of a world share"),
    Command(
        "train rigid", "video_editing:train_rigid", "train rigid single_face.1", "RIGID's recurrent encoder for footage"
    ),
    Command(
        "train factors",
        "training:train_factors",
        "train factors scene",
        "a reader of a world's factors off images",
    ),
    Command(
        "train flow", "training:train_flow", "train flow stylegan2-scene-factors fog", "a latent flow for one factor"
    ),
    Command(
        "train transformer",
        "training:train_transformer",
        "train transformer stylegan2-scene-factors fog",
        "a linear map of codes for one attribute",
    ),
    Command("train captions", "text_editing:train_captions", "train captions face", "the stand-in for CLIP"),
    Command(
        "train mapper",
        "text_editing:train_mapper",
        "train mapper stylegan2-scene-factors fog",
        "StyleCLIP's mapper for one text",
    ),
    Command(
        "train curvature",
        "attributes:train_curvature",
        "train curvature mobilestylegan-ffhq",
        "the curvature that a projection steps by",
    ),
    Command(
        "train boundary", "attributes:train_boundary", "train boundary", "InterFaceGAN's directions, all attributes"
    ),
    Command("train scores", "attributes:score_samples", "train scores", "attributes of random images, for boundaries"),
)
GROUPS = {
    "world": ("Worlds: rendered scenes whose factors are known", WORLD),
    "train": ("Training: the networks that ship with the package, and your own", TRAIN),
}
MEMBERS = (
    Command("world", "", "world episode bird flight", "ground truth: episode, invert, flow"),
    Command("train", "", "train gan bird", "gan, encoder, factors, flow, mapper, ..."),
)
FRONT = {
    "The paper's results": REPRODUCTION,
    "Your own video": VIDEO,
    "Editing": EDITING,
    "Groups of commands, whose members `dynode train` lists; `dynode fit --help`: options of a command": MEMBERS,
}
COMMANDS = {each.name: each for each in (*REPRODUCTION, *VIDEO, *EDITING, *WORLD, *TRAIN) if each.function}
BARE = ("setup", "reproduce", "test", "test-all")  # run by `dynode.bootstrap`, before anything is installed
FORMER = {
    "episode": "world episode",
    "invert-episode": "world invert",
    "flow-episode": "world flow",
    "score-samples": "train scores",
}
HELP = ("--help", "-h")


def front_help() -> str:
    """Commands of the first day and groups, a line with an example each; the others by name."""
    lines = [f"DynODE {__version__}: the dynamics of a video in the latent space of a GAN, as a neural ODE."]
    for heading, commands in FRONT.items():
        lines += [heading, *(line_of(each) for each in commands if each.first)]
        if others := [each.name for each in commands if not each.first]:
            lines.append(f"  {'also: ' + ', '.join(others):45}  `dynode {others[0]} --help`")
    return "\n".join(lines)


def group_help(group: str) -> str:
    """The members of a group, a line with an example each."""
    heading, commands = GROUPS[group]
    lines = [line_of(each, 53) for each in commands]
    return "\n".join([heading, *lines, f"Options of one: `dynode {commands[0].name} --help`."])


def line_of(command: Command, width: int = 46) -> str:
    program = "python3 -m dynode" if command.name in BARE else "dynode"
    return f"  {program + ' ' + command.example:{width}} {command.purpose}"


def suggestion(typed: str) -> str:
    """The command nearest to what was typed, or "": also for a name with a hyphen where groups have a space."""
    group, _, member = typed.partition(" ")
    if group in GROUPS and member:
        near = closest(member, [each.name.partition(" ")[2] for each in GROUPS[group][1]])
        return f"{group} {near}" if near else ""
    legal = [*COMMANDS, *GROUPS, *BARE, *HELP, "--version"]
    spaced = typed.replace("-", " ")
    return FORMER.get(typed) or (spaced if spaced in COMMANDS else closest(typed, legal))
