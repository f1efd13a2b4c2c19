"""Disks, folders that are written, codecs, programs beside Python, the network."""

import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from dynode import runtime
from dynode.experiments.doctor.registry import Answer, check, fix, note, ok
from dynode.io import assets, downloads
from dynode.reporting import paths

LEAST, ROOM = 0.5, 2.0  # GB, below which nothing can be finished, and below which a run of all items may not be
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 5  # for an index to answer


def nearest_there(folder: Path) -> Path:
    """The folder itself, or the first above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))


def folders() -> dict[str, Path]:
    """The folders that are written to, by what they are for."""
    return {
        "outputs": paths.root(),
        "cache": assets.own_dir(),
        "temporary files": Path(tempfile.gettempdir()),
        "environment": Path(sys.prefix),
    }


@check("disk")
def disk() -> Answer:
    free = {name: shutil.disk_usage(nearest_there(path)).free / 1e9 for name, path in folders().items()}
    text = ", ".join(f"{name} {size:.1f} GB" for name, size in free.items()) + " free"
    where = "DYNODE_OUTPUT, DYNODE_CACHE and TMPDIR name other folders"
    if min(free.values()) < LEAST:
        return fix(f"{text}: less than {LEAST} GB", f"make room; {where}")
    return (
        note(f"{text}: little", f"make room before a run of all items; {where}")
        if min(free.values()) < ROOM
        else ok(text)
    )


@check("write access")
def write_access() -> Answer:
    """Whether files can be made where outputs, downloads and temporary files go."""
    written = folders()
    written.pop("environment")
    refused = {name: path for name, path in written.items() if not writable(path)}
    if refused:
        text = ", ".join(f"{name} ({path})" for name, path in refused.items())
        return fix(f"nothing can be written for {text}", "name folders in DYNODE_OUTPUT, DYNODE_CACHE and TMPDIR")
    if assets.own_dir() != assets.cache_dir():
        kept = f"what is computed is kept in {assets.own_dir()}"
        return note(f"the cache {assets.cache_dir()} is read-only; {kept}", "nothing, or name another in DYNODE_CACHE")
    return ok(f"{', '.join(written)}; outputs go to {paths.root()}")


def writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or in the first above it that exists."""
    try:
        with tempfile.TemporaryFile(dir=nearest_there(folder)) as file:
            file.write(b"dynode")
        return True
    except OSError:
        return False


def profile_assets(profile: str) -> Answer:
    """Which assets of a profile are here with the right hash."""
    wanted = [asset for asset in assets.registry()[1].values() if profile in asset.profiles]
    paths_of = {a.name: assets.seeded_path(a.name, a.filename) or assets.cached_path(a) for a in wanted}
    here = {name: path for name, path in paths_of.items() if path.is_file()}
    damaged = [str(here[a.name]) for a in wanted if a.name in here and assets.sha256_of(here[a.name]) != a.sha256]
    missing = [a for a in wanted if a.name not in here]
    if damaged:
        return fix(f"damaged: {', '.join(damaged)}", f"delete it, then `dynode fetch --profile {profile}`")
    if missing:
        size = sum(asset.size for asset in missing) / 1e6
        return note(
            f"{len(here)} of {len(wanted)} here, {size:.0f} MB missing",
            f"`dynode fetch --profile {profile}`, or nothing",
        )
    return ok(f"all {len(wanted)} here, their hashes are right")


for each in ("smoke", "embedded", "paper"):
    check(f"assets, {each}")(partial(profile_assets, each))


@check("network")
def network() -> Answer:
    """Whether a package index answers, by the user's own settings of pip."""
    import requests

    if os.environ.get("DYNODE_OFFLINE") == "1":
        return note("DYNODE_OFFLINE=1: nothing is fetched", "unset it to fetch assets")
    session = requests.Session()
    for name, value in downloads.connection().items():
        setattr(session, name, value)
    reasons = []
    for index in downloads.indexes():
        try:
            code = session.head(f"{index.rstrip('/')}/lpips/", timeout=SECONDS, allow_redirects=True).status_code
            if code < 400:
                return ok("the package index answers")
            reasons.append(f"status {code}")
        except requests.RequestException as error:
            reasons.append(type(error).__name__)
    remedy = "what was fetched works; else check the network, HTTPS_PROXY, PIP_CERT and PIP_INDEX_URL"
    return note(f"no package index answers ({', '.join(reasons)})", remedy)


@check("video")
def video() -> Answer:
    """Writes three frames as the package does, and reads them."""
    import av
    import numpy as np

    from dynode.io import video

    frames = [np.full((16, 16, 3), level, np.uint8) for level in (0, 128, 255)]
    with tempfile.TemporaryDirectory() as folder:
        images, times = video.read(video.write(Path(folder, "three.mp4"), frames, fps=10))
    error = np.abs(images.mean((1, 2, 3)) - (0, 128, 255)).max() if len(images) == 3 else 255.0
    if error > 8 or np.abs(times - (0, 0.1, 0.2)).max() > 1e-3:
        return fix(f"PyAV {av.__version__} reads other frames than it writes", "`python3 -m dynode setup`")
    return ok(f"PyAV {av.__version__} writes and reads H.264")


@check("git")
def git() -> Answer:
    commit = runtime.commit()
    if "(" in commit and not commit.endswith("(no git checkout)"):
        return note(f"records cannot name a commit: {commit}", "install git, or mend what it says")
    return ok(commit)


@check("npm")
def npm() -> Answer:
    """Only assets of the npm registry need it, until they are here."""
    packages, known = assets.registry()
    wanted = [a for a in known.values() if a.package and packages[a.package].registry == "npm"]
    missing = [a.name for a in wanted if not assets.at_hand(a.name)]
    if program := downloads.npm():
        return ok(program)
    if missing:
        return note(
            f"there is no npm, which {', '.join(missing)} come by", "install Node.js, or `pip install 'dynode[npm]'`"
        )
    return ok("none, and none is needed: what comes by it is here")


@check("browser")
def browser() -> Answer:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    return ok(program) if program else note("no Chromium", "install chromium, for tests of pages and nothing else")
