"""Documents of the repository as parts of pages, with their links as they are here."""

import os
import re
from pathlib import Path

from dynode.runtime import ROOT
from dynode_pages.answers import answers

PAGES = {"ETHICS.md": "ethics.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}
PAGES |= {"reports/FINDINGS.md": "findings.md", "README.md": "index.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
COMMENT = re.compile(r"^<!--.*?-->\n", re.M | re.S)  # in lines of its own: what stands in a sentence is part of it
FENCE = re.compile(r"(^ *```.*?^ *```$)", re.M | re.S)


@answers
def document(path: str) -> str:
    """A document of the repository, without its comments."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return linked(COMMENT.sub("", text), Path(path).parent)


@answers
def example(module: str) -> str:
    """The block of CONTRIBUTING.md that begins with the comment `# module`, such as dynode/metrics/edges.py."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.M | re.S)
    plain = [re.sub(r"^  ", "", block, flags=re.M) for block in blocks]
    (block,) = [block for block in plain if block.startswith(f"# {module}\n")]
    return f"```python\n{block.partition(chr(10))[2]}```"


def linked(text: str, folder: Path) -> str:
    """A text of a folder of the repository, whose links lead to pages, or to files that come with them; code as it is."""
    parts = FENCE.split(text)
    return "".join(part if k % 2 else LINK.sub(lambda m: link(m, folder), part) for k, part in enumerate(parts))


def link(match: re.Match, folder: Path) -> str:
    picture, label, target = match.groups()
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return match[0]
    file, hash_sign, anchor = target.partition("#")
    path = os.path.normpath(folder / file)
    if path in PAGES:
        return f"[{label}]({PAGES[path]}{hash_sign}{anchor})"
    if not (ROOT / path).is_file():
        return label if (ROOT / path).exists() else match[0]
    return f"![{label}](../{path})" if picture else f"{{download}}`{label.replace('`', '')} <../{path}>`"
