"""The command line. Mistakes of the user end in one sentence and exit code 2, never in a traceback."""

import errno
import os
import sys

import tyro

from dynode.cli import attributes, bench, dynamics, experiments, text_editing, training, video_editing, worlds
from dynode.errors import UserError

# What a machine refuses, as opposed to what we got wrong: a full disk or quota, no permission, a failing device.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
COMMANDS = {
    "fetch": experiments.fetch,
    "invert": dynamics.invert,
    "diagnose": dynamics.diagnose,
    "choose-depth": dynamics.choose_depth,
    "invert-episode": worlds.invert_episode,
    "fit": dynamics.fit,
    "render": dynamics.render,
    "episode": worlds.episode,
    "flow-episode": worlds.flow_episode,
    "train-gan": training.train_gan,
    "train-encoder": training.train_encoder,
    "train-factors": training.train_factors,
    "train-flow": training.train_flow,
    "train-transformer": training.train_transformer,
    "train-captions": text_editing.train_captions,
    "train-mapper": text_editing.train_mapper,
    "edit-text": text_editing.edit_text,
    "score": attributes.score,
    "score-samples": attributes.score_samples,
    "train-boundary": attributes.train_boundary,
    "evaluate": dynamics.evaluate,
    "edit": video_editing.edit,
    "evaluate-edit": video_editing.evaluate_edit,
    "bench": bench.bench,
    "list": experiments.list_items,
    "run": experiments.run,
}
DESCRIPTION = """The dynamics of a video in the latent space of a GAN, as a neural ODE.

Before anything is installed: `python -m dynode setup | reproduce | test`."""


def main(arguments: list[str]) -> int:
    """Run a command; 0 when done, 2 for a mistake of the user or a refusal of the machine, 130 when interrupted, 141 when cut off."""
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, args=arguments, prog="dynode", description=DESCRIPTION)
    except UserError as error:
        print(f"dynode: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        place = f" ({error.filename})" if error.filename else ""
        print(f"dynode: A file could not be read or written: {error.strerror}{place}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dynode: interrupted; finished frames are kept and the same command goes on from there.", file=sys.stderr)
        return 130
    return 0
