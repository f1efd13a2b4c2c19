"""`python -m dynode`: setup, reproduce, test and test-all need no installed package; everything else is the command line.

Any Python can read this file, 2.7 too: one that is too old starts a newer one of the PATH instead.
"""

import os
import subprocess
import sys

NEWER = ("python3.11", "python3.12", "python3.13", "python3.14")
FITS = "import sys; sys.exit(sys.version_info < (3, 11))"


def main():
    if sys.version_info < (3, 11):
        sys.exit(restarted(sys.argv[1:]))
    ready = os.environ.pop("DYNODE_READY", "")  # of `reproduce`, once it has an environment
    if not ready and len(sys.argv) > 1 and sys.argv[1] in ("setup", "reproduce", "test", "test-all"):
        from dynode.bootstrap import main as run
    else:
        from dynode.cli.dispatch import from_shell as run
    sys.exit(run(sys.argv[1:]))


def restarted(arguments):
    """The exit code of the same command under a newer Python; 2, with a sentence on stderr, where there is none."""
    environment = dict(os.environ)
    environment.pop("PYTHONHOME", None)  # of the old Python
    for name in NEWER if os.environ.get("DYNODE_ENV") != "current" else ():
        if starts(name, environment):
            sys.stderr.write("Python %s is too old: going on with %s.\n" % (sys.version.split()[0], name))
            sys.stderr.flush()
            if os.name == "posix":
                os.execvpe(name, [name, "-m", "dynode"] + arguments, environment)
            return subprocess.call([name, "-m", "dynode"] + arguments, env=environment)
    sys.stderr.write(
        "dynode: Python 3.11 or newer is needed, this is %s (%s): install one, or name it, as in "
        "`make setup PYTHON=python3.11`.\n" % (sys.version.split()[0], sys.executable)
    )
    return 2


def starts(name, environment):
    """Whether a program of that name is a Python that is new enough; launchers of absent versions are not."""
    with open(os.devnull, "wb") as nowhere:
        try:
            return subprocess.call([name, "-c", FITS], env=environment, stdout=nowhere, stderr=nowhere) == 0
        except OSError:
            return False


if __name__ == "__main__":
    main()
