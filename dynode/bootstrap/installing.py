"""pip, out of reach of settings that would make it install elsewhere; what it failed by, and what to do about it."""

import os
import platform
import re
import shutil
import sys
import tempfile

from dynode.bootstrap.children import ROOT, call
from dynode.errors import UserError
from dynode.io import pip_settings

# Variables that lead the environment's Python to another's packages, or strip the tests of their assertions.
FOREIGN = {
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
    "PYTHONSAFEPATH",
    "PYTHONUSERBASE",
    "PYTHONEXECUTABLE",
    "PYTHONPLATLIBDIR",
    "__PYVENV_LAUNCHER__",
}
# Variables that lead uv elsewhere, and what pip's are for it.
UV_ELSEWHERE = {
    "UV_SYSTEM_PYTHON",
    "UV_PYTHON",
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_REQUIRE_HASHES",
}
UV_NAMES = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_PROXY": "ALL_PROXY",
}
UV_SEPARATOR = {"UV_FIND_LINKS": ","}
NO_INDEX = (
    "PIP_NO_INDEX forbids every index: unset it, or put the missing files into the folder that PIP_FIND_LINKS names"
)

REACH = "the network, the proxy (HTTPS_PROXY), its certificate (PIP_CERT) and the index (PIP_INDEX_URL)"

# What pip or venv write -> what to do; the first that occurs counts, since a lost connection ends in "no matching version".
REMEDIES = {
    r"no space left|quota exceeded|errno 28\b|errno 122\b": "make room in {root} and, for temporary files, in {scratch} "
    "(TMPDIR names another folder)",
    r"permission denied|read-only file system|not permitted": "make {root} writable, or use an environment of your own "
    "with DYNODE_ENV=current",
    r"memoryerror|cannot allocate memory": "free some memory",
    r"not match the hashes|hashes are required": "the index or a cache brings other files than it announces: "
    "`{python} -m pip cache purge`, or name another index in PIP_INDEX_URL",
    r"connection|timed out|name resolution|name or service|proxyerror|ssl|certificate|max retries|unreachable|http error": "check "
    + REACH,
    r"from versions: none": "{unreached}",
    r"no matching distribution|could not find a version|not a supported wheel|different python": "{unfit}",
    r"compiler|gcc|g\+\+|'cc'|visual c\+\+": "install a C compiler, or take a Python that has wheels of it, as in "
    "`make setup PYTHON=python3.11`",
}


def variables() -> dict[str, str]:
    """The variables of the environment, without what leads Python to another's packages."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def pip_variables() -> dict[str, str]:
    """Of pip's own settings only where packages come from, and no configuration file: its options could not be undone."""
    others = {name: value for name, value in variables().items() if not name.startswith("PIP_")}
    return others | pip_settings.sources() | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1", "PYTHONUTF8": "1"}


def uv_variables() -> dict[str, str]:
    """The same for uv, which reads none of pip's settings: where packages come from, in its own words."""
    others = {
        name: value for name, value in variables().items() if not name.startswith("PIP_") and name not in UV_ELSEWHERE
    }
    given = pip_settings.sources()
    named = {
        ours: given[name].replace(" ", UV_SEPARATOR.get(ours, " ")) for name, ours in UV_NAMES.items() if name in given
    }
    return named | others | {"UV_NO_PROGRESS": "1", "PYTHONUTF8": "1"}


def pip(python: str) -> list[str]:
    return [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "-q"]


def uv(program: str, python: str) -> list[str]:
    """uv's installer; of several indexes it takes the best version, as pip does, and not what the first one has."""
    return [program, "pip", "install", "-q", "--python", python, "--index-strategy", "unsafe-best-match"]


def install(python: str, what: str, *arguments: str) -> None:
    """Install by uv where it is on the PATH, seconds in place of minutes; by pip where it is not, or where it fails.

    Raises UserError with pip's own reason and its remedy.
    """
    program = shutil.which("uv")
    if program and succeeds([*uv(program, python), *arguments]):
        return
    run([*pip(python), *arguments], f"{what} could not be installed")


def succeeds(command: list[str]) -> bool:
    """Whether a step that may fail does not; what it writes is not shown.  Signals pass as in `children.call`."""
    try:
        return call(command, uv_variables() if command[1] == "pip" else pip_variables(), [], quiet=True) == 0
    except OSError:  # a uv that does not start
        return False


def run(command: list[str], failure: str) -> None:
    """Run a step of the set-up.  Raises UserError, `failure` and what to do, where it fails."""
    lines: list[str] = []
    if code := call(command, pip_variables(), lines):
        raise UserError(f"{failure} ({reason(lines, code)}): {remedy(lines)}, then run the same command again.")


def reason(lines: list[str], code: int) -> str:
    """The last error that a program wrote, else the last line, without its full stop."""
    errors = [line for line in lines if re.match(r"(ERROR|Error|error)\b", line)] or [line for line in lines if line]
    last = re.sub(r"^(ERROR|Error|error):? *", "", errors[-1]) if errors else f"exit code {code}"
    return last[:300].rstrip(" .:")


def remedy(lines: list[str]) -> str:
    """What to do about the first known reason, else where to look."""
    refused = pip_settings.sources().get("PIP_NO_INDEX", "0") not in ("0", "false", "no")
    version = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    other = (
        f"take another Python than {version}, as in `make setup PYTHON=python3.11`, or another index (PIP_INDEX_URL)"
    )
    known = {
        "root": ROOT,
        "scratch": tempfile.gettempdir(),
        "python": sys.executable,
        "unreached": NO_INDEX if refused else f"check {REACH}, which may lack it for this Python",
        "unfit": NO_INDEX if refused else other,
    }
    text = "\n".join(lines).lower()
    advice = next((each for pattern, each in REMEDIES.items() if re.search(pattern, text)), "mend what is said above")
    return advice.format(**known)
