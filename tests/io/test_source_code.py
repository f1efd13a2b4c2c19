"""What a result depends on: the import closure, and a hash that prose and moves leave alone."""

import shutil
import tomllib

import pytest

from dynode import lazy
from dynode.dynamics.fitting import store
from dynode.io import source_code
from dynode.runtime import ROOT

CACHED = (
    source_code.path_of,
    source_code.face_of,
    source_code.imported_by,
    source_code.hash_of,
    source_code.definitions,
    source_code.statements,
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of this package's sources that a test may change; `source_code` looks at it."""
    folder = tmp_path / "dynode"
    shutil.copytree(source_code.PACKAGE, folder, ignore=shutil.ignore_patterns("weights", "codes", "__pycache__"))
    monkeypatch.setattr(source_code, "PACKAGE", folder)
    forget()
    yield folder
    forget()


def forget():
    lazy.names_in.cache_clear()
    for function in CACHED:
        function.cache_clear()


def hash_after(path, old: str, new: str) -> str:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    forget()
    return store.source_hash()


def trainer(package):
    return package / "dynamics" / "fitting" / "trainer.py"


def test_prose_and_layout_do_not_count_and_a_statement_does(package):
    before, path = store.source_hash(), trainer(package)
    assert (
        hash_after(path, "        self.optimiser.zero_grad()\n", "        # so\n\n        self.optimiser.zero_grad()\n")
        == before
    )
    assert (
        hash_after(path, '"""Sorted indices of the frames drawn for one iteration."""', '"""Other words."""') == before
    )
    assert hash_after(path, "def subset(self) -> torch.Tensor:", "def subset(self):") == before
    assert (
        hash_after(path, "        self.optimiser.zero_grad()\n", "        self.optimiser.zero_grad(False)\n") != before
    )


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("baselines/interpolation.py", "import CubicHermiteSpline, CubicSpline, PchipInterpolator", "import Akima1DInterpolator as PchipInterpolator\nfrom scipy.interpolate import CubicHermiteSpline, CubicSpline"),
        ("baselines/gaussian_process.py", "import RBF, ConstantKernel", "import Matern as RBF, ConstantKernel"),
        ("neural_ode.py", "from dynode.dynamics.solvers.rollout import", "from dynode.dynamics.solvers.dopri5 import"),
        ("fitting/trainer.py", "STEEP_NFE = 1000", "STEEP_NFE = 1001"),
        ("fitting/trainer.py", "STEEP_NFE = 1000", "STEEP_NFE = 1000\nSTEEP_NFE = 1000"),
        ("presets.py", "class TrainingSettings", "@functools.cache\nclass TrainingSettings"),
    ],
)  # fmt: skip
def test_what_changes_a_fit_does_count(package, file, old, new):
    """Another function under the same alias or name, a constant, a second assignment, a decorator."""
    before, path = store.source_hash(), package / "dynamics" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    forget()
    assert store.source_hash() != before


def test_of_two_constants_of_one_name_each_belongs_to_its_module(package):
    (package / "io" / "one.py").write_text("X = 1\n\n\ndef f():\n    return X\n")
    (package / "io" / "two.py").write_text("X = 2\n\n\ndef g():\n    return X\n")
    forget()
    before = source_code.hash_of("dynode.io.one", "dynode.io.two")
    (package / "io" / "one.py").write_text("X = 2\n\n\ndef f():\n    return X\n")
    (package / "io" / "two.py").write_text("X = 1\n\n\ndef g():\n    return X\n")
    forget()
    assert source_code.hash_of("dynode.io.one", "dynode.io.two") != before


def test_what_fits_do_not_import_does_not_count(package):
    before = store.source_hash()
    for name in ("worlds/bird.py", "training/train_mapper.py", "io/video.py"):
        with open(package / name, "a") as file:
            file.write("\nANOTHER = 1\n")
    forget()
    assert store.source_hash() == before


def test_a_moved_function_does_not_count(package):
    """`least_norm` and its constant move beside `rollout`, and are reached by another module; its own text stays."""
    before = store.source_hash()
    old, new = package / "dynamics/solvers/gauss_newton.py", package / "dynamics/solvers/rollout.py"
    text = old.read_text()
    start = text.index("HALVINGS")
    old.write_text(text[:start])
    new.write_text(new.read_text() + "\n\n" + text[text.index("from collections") :])  # with its imports
    users = [path for path in package.rglob("*.py") if "gauss_newton import least_norm" in path.read_text()]
    for user in users:
        user.write_text(user.read_text().replace("solvers.gauss_newton import", "solvers.rollout import"))
    forget()
    assert users and store.source_hash() == before


def test_the_closure_follows_late_imports_tables_of_names_and_lazy_faces(package):
    (package / "__init__.pyi").write_text(
        "from dynode.dynamics.methods import fit as fit\nfrom dynode.clips import load as load_clip\n"
    )
    (package / "reporting" / "named.py").write_text(
        'TABLE = {"a": ("dynode.worlds.bird", "Bird"), "b": "dynode.dynamics.retiming:turned", "c": "dynode.metrics"}'
    )
    forget()
    assert "dynode.perception.lpips" in source_code.closure(["dynode.dynamics.methods"])  # imported in a function
    assert "dynode.dynamics.baselines.motion_prior" in source_code.closure(
        ["dynode.dynamics.fit_files"]
    )  # named in a table
    assert {"dynode.worlds.bird", "dynode.dynamics.retiming"} <= set(source_code.closure(["dynode.reporting.named"]))
    assert "dynode.dynamics.fitting.trainer" in source_code.closure(
        source="import dynode\ndynode.fit(dynode.load_clip('a'))"
    )
    assert "dynode.metrics.pixels" in source_code.closure(["dynode.reporting.named"])  # all of a package
    assert "dynode.dynamics.fitting.trainer" in source_code.closure(source="from dynode import fit")
    assert "dynode.dynamics.fitting.trainer" not in source_code.closure(source="import dynode\ndynode.load_clip('a')")
    assert "dynode.dynamics.fitting.trainer" not in source_code.closure(
        source="import dynode as d\nd.load_clip('dynode.nothing')"
    )


def test_a_notebook_that_says_only_fit_notices_the_trainer(package):
    (package / "__init__.pyi").write_text("from dynode.dynamics.methods import fit as fit\n")
    forget()
    source = "import dynode\npath = dynode.fit('linear', clip)"
    before = source_code.hash_of(source=source)
    path = trainer(package)
    path.write_text(
        path.read_text().replace("        self.optimiser.zero_grad()\n", "        self.optimiser.zero_grad(False)\n")
    )
    forget()
    assert source_code.hash_of(source=source) != before
    assert source_code.hash_of(source=f"# so\n{source}") == source_code.hash_of(source=source)
    assert source_code.hash_of(source=source.replace("linear", "cubic")) != source_code.hash_of(source=source)


def test_the_closure_holds_what_grimp_finds():
    import grimp

    graph = grimp.build_graph("dynode", cache_dir=None)
    for module in ("dynode.dynamics.methods", "dynode.video_editing.edit_file", "dynode.cli"):
        assert graph.find_upstream_modules(module) <= set(source_code.closure([module]))
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_package"] == source_code.NAME
    )
