"""Commands run at the same time, in one group of processes: `python -m dynode.bootstrap.side_by_side JSON`.

JSON: a list of [command, variables].  What the first prints is shown as it comes, what the others print once all have ended.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile


def main(text: str) -> int:
    """The highest exit code of the commands; 130 after an interruption, which reaches each of them too."""
    commands = json.loads(text)
    with contextlib.ExitStack() as stack:
        files = [None, *(stack.enter_context(tempfile.TemporaryFile()) for _ in commands[1:])]
        started = [
            subprocess.Popen(command, env=os.environ | own, stdout=file, stderr=file and subprocess.STDOUT)
            for (command, own), file in zip(commands, files, strict=True)
        ]
        try:
            codes = [child.wait() for child in started]
        except KeyboardInterrupt:  # they end by it, and say what they have to say
            codes = [130, *(child.wait() for child in started)]
        for file in filter(None, files):
            file.seek(0)
            print(file.read().decode(errors="replace"), end="", flush=True)
    return max(code if code >= 0 else 128 - code for code in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
