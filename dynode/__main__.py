"""`python -m dynode`: setup, reproduce and test need no installed package; everything else is the command line."""

import sys


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in ("setup", "reproduce", "test"):
        from dynode.bootstrap import main as run
    else:
        from dynode.cli import main as run
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
