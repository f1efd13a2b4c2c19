"""Names of files that accompany an output."""

import hashlib
import os
import re
from pathlib import Path

LONGEST = 100  # bytes of a name inside another one: file systems allow 143 to 255


def short(name: str) -> str:
    """A file's name as a part of another one: itself, or its beginning and a hash where it is long."""
    encoded = os.fsencode(name)
    if len(encoded) <= LONGEST:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    return f"{encoded[: LONGEST - 13].decode(errors='ignore')}-{digest}"


def slug(label: str) -> str:
    """A method's label as a part of a file's name, without brackets and spaces: dynode[no z] -> dynode-no-z."""
    return re.sub(r"[^\w.+-]+", "-", label).strip("-")


def beside(output: Path | str, suffix: str) -> Path:
    """The path of what belongs to an output alone, such as talk.fit -> talk.fit.checkpoint."""
    path = Path(output)
    return path.parent / f"{short(path.name)}{suffix}"
