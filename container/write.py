"""Writes container/Dockerfile and container/dynode.def from container/recipe.yaml: one recipe, two kinds of image."""

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
HEAD = "# Written by container/write.py from recipe.yaml: change that, then `make container`."


def recipe() -> dict[str, Any]:
    return yaml.safe_load((HERE / "recipe.yaml").read_text(encoding="utf-8"))


def packages(made: dict[str, Any]) -> str:
    """The shell line that installs packages of the system."""
    installed = f"apt-get install -y --no-install-recommends {' '.join(made['packages'])}"
    return f"apt-get update && {installed} && rm -rf /var/lib/apt/lists/*"


def dockerfile(made: dict[str, Any]) -> str:
    """For Docker, Podman and Buildah: `docker build -f container/Dockerfile -t dynode .` in the checkout."""
    folder, own, (program, argument) = made["folder"], made["docker"], made["command"]
    user, work = own["user"], own["work"]
    arguments = made["arguments"] | own["arguments"]
    added = f"useradd --create-home {user} && mkdir -p {folder} {work} && chown {user} {folder} {work} && chmod a+rwx {work}"
    parts = [
        [HEAD, f"FROM {made['base']}"],
        [f"RUN {packages(made)}", f"RUN {added}"],
        [f"USER {user}", f"WORKDIR {folder}", *(f"COPY --chown={user} {each} {each}" for each in made["copied"])],
        [f"# {meaning}\nARG {name}={default}" for name, (default, meaning) in arguments.items()],
        [f"RUN {line}" for line in made["install"] + own["install"]],
        [f'ENV {name}="{value}"' for name, value in (made["variables"] | own["variables"]).items()],
        [f"WORKDIR {work}", f'ENTRYPOINT ["{program}"]', f'CMD ["{argument}"]'],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def ignored(made: dict[str, Any]) -> str:
    """What Docker does not read: all but what is copied."""
    return "\n".join([HEAD, "*", *(f"!{each}" for each in made["copied"]), "**/__pycache__"]) + "\n"


def definition(made: dict[str, Any]) -> str:
    """For Apptainer: `apptainer build dynode.sif container/dynode.def` in the checkout.  Whoever starts it is its user."""
    folder, arguments, (program, argument) = made["folder"], made["arguments"], made["command"]
    chosen = {name: f"{{{{ {name.lower()} }}}}" for name in arguments}
    variables = {name: chosen.get(value.removeprefix("$"), value) for name, value in made["variables"].items()}
    sections = {
        "arguments": [f"{name.lower()}={default}" for name, (default, _) in arguments.items()],
        "files": [f"{each} {folder}/{each}" for each in made["copied"]],
        "post": [
            "set -e",
            packages(made),
            *(f'export {name}="{value}"' for name, value in chosen.items()),
            f"cd {folder}",
            *made["install"],
            f"chmod -R a+rX {folder}",
        ],
        "environment": [
            *(f'export {name}="{value}"' for name, value in variables.items()),
            'export DYNODE_OUTPUT="${DYNODE_OUTPUT:-$PWD}"',
        ],
        "runscript": [f'exec {program} "${{@:-{argument}}}"'],
        "help": [f"--build-arg {name.lower()}=...  {meaning}" for name, (_, meaning) in arguments.items()],
    }
    text = [f"%{name}\n" + "\n".join(f"    {line}" for line in lines) for name, lines in sections.items()]
    return "\n\n".join([f"Bootstrap: docker\nFrom: {made['base']}\n\n{HEAD}", *text]) + "\n"


FILES = {"Dockerfile": dockerfile, "Dockerfile.dockerignore": ignored, "dynode.def": definition}

if __name__ == "__main__":
    for name, render in FILES.items():
        (HERE / name).write_text(render(recipe()), encoding="utf-8")
