"""The user's settings of pip that say where packages come from, out of its files and the environment. Standard library only."""

import configparser
import contextlib
import os
import sys
from pathlib import Path

SOURCES = (
    "index-url",
    "extra-index-url",
    "no-index",
    "find-links",
    "prefer-binary",
    "trusted-host",
    "cert",
    "client-cert",
    "proxy",
    "keyring-provider",
    "use-feature",
    "timeout",
    "default-timeout",
    "retries",
    "cache-dir",
    "no-cache-dir",
)


def sources() -> dict[str, str]:
    """The variables PIP_INDEX_URL, PIP_PROXY, ... that bring pip to the same packages without its files; none is empty.

    What says where packages go (user, target, prefix) or which they may be (constraint, require-hashes) is left out.
    """
    values: dict[str, str] = {}
    for path in files():
        parser = configparser.RawConfigParser(strict=False)
        with contextlib.suppress(OSError, UnicodeDecodeError, configparser.Error):
            parser.read(path, encoding="utf-8")
        for section in ("global", "install"):
            values |= dict(parser.items(section)) if parser.has_section(section) else {}
    set_there = {variable(name): value for name, value in values.items()}
    return {
        name: value for name in map(variable, SOURCES) if (value := os.environ.get(name) or set_there.get(name, ""))
    }


def variable(name: str) -> str:
    return "PIP_" + name.strip("-").upper().replace("-", "_")


def files() -> list[Path]:
    """pip's configuration files, whether they exist or not; a later one wins (pip's guide, "Configuration")."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    own = [Path(sys.prefix, "pip.ini" if os.name == "nt" else "pip.conf"), *([Path(named)] if named else [])]
    home = Path(os.path.expanduser("~"))
    if os.name == "nt":
        data = [Path(os.environ.get(name) or home) for name in ("PROGRAMDATA", "APPDATA")]
        return [data[0] / "pip/pip.ini", home / "pip/pip.ini", data[1] / "pip/pip.ini", *own]
    folders = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    users = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    mac = "Library/Application Support/pip/pip.conf"
    return [
        *(Path(folder, "pip/pip.conf") for folder in folders),
        *([Path("/", mac), home / mac] if sys.platform == "darwin" else []),
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        users / "pip/pip.conf",
        *own,
    ]
