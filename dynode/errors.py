"""Errors a user can cause, and the end by a signal. Everything else that is raised is a defect of ours."""

import errno
import signal

# What a machine refuses, as opposed to what we got wrong: a full disk, no permission, a failing device, an impossible name.
REFUSALS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENODEV),
    *(errno.ENXIO, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ESTALE, errno.EMFILE),
}


class UserError(Exception):
    """One plain sentence: what came, what was wanted, what to do. The command line prints it and exits with 2."""


class NotebookError(Exception):
    """A defect in a notebook: the end of its traceback, then one sentence. The command line prints it and exits with 1."""


class Remark(UserWarning):
    """A sentence about a result that is not what it may seem. The command line prints it and goes on."""


def ending(number: int, kept: str) -> str:
    """What is printed when a signal of that number has ended a command.  kept: what remains, a sentence."""
    name = signal.Signals(number).name
    return f"dynode: {'interrupted' if name == 'SIGINT' else f'ended by {name}'}; {kept}"
