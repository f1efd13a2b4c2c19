"""The files that images and Binder are made from: one recipe, lines that a shell reads, names that exist; and the lines, run."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from dynode.runtime import ROOT

CONTAINER, BINDER = ROOT / "container", ROOT / ".binder"
INSTRUCTIONS = {"FROM", "RUN", "USER", "WORKDIR", "COPY", "ARG", "ENV", "ENTRYPOINT", "CMD"}
SECTIONS = ["arguments", "files", "post", "environment", "runscript", "help"]
NOT_COPIED = {".ci", ".gitignore", ".pre-commit-config.yaml"}  # what no command reads


@pytest.fixture(scope="module")
def recipe() -> dict:
    return yaml.safe_load((CONTAINER / "recipe.yaml").read_text())


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, one a line."""
    lines = [line for line in (CONTAINER / "Dockerfile").read_text().splitlines() if line and line[0] != "#"]
    return [tuple(line.split(" ", 1)) for line in lines]  # pyright: ignore


def sections() -> dict[str, list[str]]:
    """The sections of Apptainer's file."""
    parts = re.split(r"^%(\w+)\n", (CONTAINER / "dynode.def").read_text(), flags=re.M)
    texts = zip(parts[1::2], parts[2::2], strict=True)
    return {name: [line.strip() for line in text.splitlines() if line.strip()] for name, text in texts}


def test_both_files_are_what_the_recipe_makes(tmp_path):
    """After a change of the recipe: `make container`."""
    shutil.copytree(CONTAINER, tmp_path / "container")
    subprocess.run([sys.executable, "write.py"], cwd=tmp_path / "container", check=True)
    for name in ("Dockerfile", "Dockerfile.dockerignore", "dynode.def"):
        assert (tmp_path / "container" / name).read_text() == (CONTAINER / name).read_text(), name


def test_the_dockerfile_is_in_order_and_ends_as_a_user_without_rights(recipe):
    parsed = instructions()
    names = [name for name, _ in parsed]
    assert names[0] == "FROM" and {*names} == INSTRUCTIONS
    users = [value for name, value in parsed if name == "USER"]
    assert users == [recipe["docker"]["user"]] and users != ["root"]
    assert all("apt-get" not in value for name, value in parsed[names.index("USER") :] if name == "RUN")
    assert json.loads(dict(parsed)["ENTRYPOINT"]) == ["dynode"] and json.loads(dict(parsed)["CMD"]) == ["--help"]
    declared = {value.partition("=")[0] for name, value in parsed if name == "ARG"}
    used = {each for name, value in parsed if name in ("RUN", "ENV") for each in re.findall(r"\$\{?([A-Z]+)", value)}
    assert declared == {"TORCH", "COMMIT", "ASSETS"} and used == declared | {"PWD", "PATH"}


def test_the_definition_has_its_sections_and_declares_its_arguments():
    parsed = sections()
    assert [*parsed] == SECTIONS
    declared = {line.partition("=")[0] for line in parsed["arguments"]}
    assert {*re.findall(r"\{\{ (\w+) \}\}", (CONTAINER / "dynode.def").read_text())} == declared == {"torch", "commit"}
    assert (CONTAINER / "dynode.def").read_text().startswith("Bootstrap: docker\nFrom: python:")


def test_the_base_has_a_python_that_the_package_takes(recipe):
    wanted = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    assert re.fullmatch(r"python:3\.\d+-slim", recipe["base"])
    assert f"{recipe['base'].removeprefix('python:').removesuffix('-slim')}.0" in wanted


def test_all_that_is_tracked_is_copied_but_what_no_command_reads(recipe):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert {name.partition("/")[0] for name in listed.stdout.splitlines()} - NOT_COPIED == {*recipe["copied"]}
    sources = [value.split()[-2] for name, value in instructions() if name == "COPY"]
    assert sources == recipe["copied"] == [line.split()[0] for line in sections()["files"]]


def shell_texts() -> list[str]:
    parsed = sections()
    lines = [value for name, value in instructions() if name == "RUN"]
    return [*lines, *("\n".join(parsed[name]) for name in ("post", "environment", "runscript"))]


@pytest.mark.parametrize("text", [*shell_texts(), (BINDER / "postBuild").read_text()])
def test_a_shell_reads_every_line(text):
    assert subprocess.run(["bash", "-n", "-c", text], capture_output=True).returncode == 0


@pytest.mark.long
def test_the_lines_of_the_dockerfile_make_an_environment_that_runs_dynode(recipe, tmp_path):
    """Run as they are but for the first two, apt's and useradd's, which want root and a system of their own.

    The environment finds the packages that are here, so that pip installs only what is missing of the lock.  uv, which would
    install all of them anew, is not installed: the set-up then takes pip.
    """
    checkout = tmp_path / "dynode"
    for name in recipe["copied"]:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, checkout / name)
    lines = [value for name, value in instructions() if name == "RUN"][2:]
    assert len(lines) == 4 and "venv" in lines[0] and "setup" in lines[1]
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TORCH": "cuda",
        "ASSETS": "none",
    }
    environment, _, installer = lines[0].partition(" && ")
    assert installer.endswith("pip install --no-cache-dir uv")
    shell(environment, checkout, variables)
    (packages,) = (checkout / ".venv").glob("lib/python*/site-packages")
    (packages / "here.pth").write_text(f"{Path(yaml.__file__).parents[1]}\n")
    said = [shell(line, checkout, variables) for line in lines[1:]]
    assert "Installing the locked packages" in said[0] and said[1].strip()
    own = {name: value for name, value in instructions() if name == "ENV"}
    assert own and (checkout / "cache").is_dir()
    command = f"cd {tmp_path} && DYNODE_ENV=current {checkout}/.venv/bin/dynode list"
    assert "dynamics_bird" in shell(command, checkout, variables | {"PATH": "/usr/bin:/bin"})


def shell(line: str, folder: Path, variables: dict[str, str]) -> str:
    """What a line prints, run by a shell in a folder; its error where it fails."""
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_binder_installs_what_the_lock_pins_and_opens_a_notebook_that_exists():
    environment = yaml.safe_load((BINDER / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"] and {"pip", "torchvision"} <= {*environment["dependencies"]}
    script = (BINDER / "postBuild").read_text()
    assert (BINDER / "postBuild").stat().st_mode & 0o111 and script.startswith("#!")
    kept = subprocess.run(
        ["sh", "-c", re.findall(r"^(grep .*) > pins.txt$", script, re.M)[0]], cwd=ROOT, capture_output=True, text=True
    ).stdout
    pinned = {line.partition("==")[0] for line in kept.splitlines()}
    assert {"torchdiffeq", "torchcde", "jupyterlab"} <= pinned and not pinned & {"torch", "torchvision", "triton"}
    opened = json.loads(re.findall(r"^echo '(.*)' >", script, re.M)[0])["LabApp"]["default_url"]
    assert opened.startswith("/lab/tree/build/teach/") and (ROOT / "notebooks" / "teach" / Path(opened).name).is_file()
    assert opened.removeprefix("/") in (ROOT / "docs" / "start.md").read_text()


def test_binder_asks_for_a_torch_that_the_package_takes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = [each for each in project["dependencies"] if each.startswith("torch>=")]
    assert f"pytorch-cpu{wanted.removeprefix('torch')}" in (BINDER / "environment.yml").read_text()
