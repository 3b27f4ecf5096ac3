"""The wheel, installed in a clean environment: without any framework, and with one.

Frameworks are large, so they are not installed anew. A folder of links beside the clean environment holds what the
running environment has of the packages that an extra of the wheel asks for, and of what those ask for in turn. All
else stays out of reach, and so an extra that forgets a package fails here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

START = """
import importlib, pkgutil, sys
import deep_arch, deep_arch.backends, deep_arch.searchers, deep_arch.visualization
import deep_arch as da
from deep_arch import ops

FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}
assert "site-packages" in deep_arch.__file__, deep_arch.__file__
assert not (FRAMEWORKS | {"numpy", "matplotlib"}) & set(sys.modules)

def refuses(use, package=None):
    try:
        exec(use)
    except ImportError as error:
        asked = f'pip install "deep_arch[{package}]"'
        assert package is None or (isinstance(error, da.errors.MissingDependency) and asked in str(error)), error
        return True
    return False
"""

WITHOUT = f"""{START}
backends = ("torch", "tensorflow", "keras", "initial", "weights", "averages")
surrogates = ("acquisition", "feature_table", "forest", "gaussian_process")
needs_an_extra = (
    *(f"deep_arch.backends.{{name}}" for name in backends),
    *(f"deep_arch.searchers.parts.{{name}}" for name in surrogates),
    "deep_arch.testing",
)
names = [m.name for m in pkgutil.walk_packages(deep_arch.__path__, "deep_arch.")]
some = {{"ops.dense", "searchers.random_search", "visualization.dot", "backends.python_backend.building"}}
some |= {{"backends.torch_backend", "searchers.parts.rungs"}}
assert {{f"deep_arch.{{name}}" for name in some}} <= set(names), names
for name in names:
    if not name.startswith(needs_an_extra):
        importlib.import_module(name)
assert all(refuses(f"import deep_arch.searchers.parts.{{name}}") for name in surrogates)
assert not (FRAMEWORKS | {{"numpy", "matplotlib"}}) & set(sys.modules)

def conv():
    return ops.Conv2D(filters=da.choice([64, 128]), kernel_size=3)

@da.space
def net(x):
    n = da.choice([1, 2, 4], name="n")
    x = conv()(x)
    x = da.optional(lambda: ops.Dropout(rate=da.choice([0.25, 0.5])))(x)
    a = da.repeat(conv, n)(x)
    b = da.repeat(conv, 2 * n)(x)
    return ops.Concatenate()(a, b)

architecture = net.sample(seed=0)
assert net.size() == 25008 and net.at(architecture.values) == architecture
assert "Conv2D" in architecture.summary(da.image(3, 32, 32)) and "digraph" in architecture.render()

from deep_arch.testing.networks import NETWORKS
assert all(network.architecture.cost(network.inputs).parameters == network.trained for network in NETWORKS)

for package in ("torch", "tensorflow", "keras"):
    assert refuses(f"from deep_arch.backends import {{package}}_backend", package), package
assert refuses("from deep_arch.visualization.plots import plot_scores; plot_scores([1.0])", "plot")
assert refuses("da.search(net, deep_arch.searchers.SurrogateSearch(), 1)", "searchers")
assert refuses("deep_arch.searchers.OptunaSearcher()", "optuna")
print("it works")
"""

WITH = f"""{START}
architecture = da.space(lambda x: ops.Dense(2, name="b")(ops.ReLU()(ops.Dense(3, name="a")(x)))).sample(seed=0)
for backend in ("torch", "tensorflow", "keras"):
    if backend not in sys.argv[1:]:
        assert refuses(f"from deep_arch.backends import {{backend}}_backend", backend), backend
for backend in sys.argv[1:]:
    module = importlib.import_module(f"deep_arch.backends.{{backend}}_backend")
    weights = module.get_weights(module.build(architecture, da.vector(4), seed=0))
    print({{name: float(abs(array).sum()) for name, array in weights.items()}})
"""

KERAS_ALONE = f"""{START}
try:
    from deep_arch.backends import keras_backend
except da.errors.MissingDependency as error:
    print(error)
"""

EXTRAS: dict[str, tuple[str, ...]] = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "keras"),  # TensorFlow brings Keras with it
    "keras,jax": ("keras",),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is a clean environment with the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "demo", "__pycache__")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=ignored)  # a build leaves files behind
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(folder / "source")], check=True)
    (wheel,) = folder.glob("deep_arch-*.whl")
    venv.create(folder / "clean", with_pip=True)
    python = str(folder / "clean" / "bin" / "python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", str(wheel)]
    subprocess.run([*install, "--constraint", str(ROOT / "constraints.txt")], check=True)
    return folder / "clean"


def run(clean: Path, code: str, *arguments: str, **environment: str) -> list[str]:
    """Return the lines that code prints in an environment."""
    command = [str(clean / "bin" / "python"), "-c", code, *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KERAS"))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=clean, env=inherited | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def asked_for(extra: str, clean: Path) -> set[str]:
    """Return the packages that an extra of the installed wheel leads to."""
    (site,) = clean.glob("lib/python*/site-packages")
    (wheel,) = metadata.distributions(name="deep_arch", path=[str(site)])
    found: set[str] = set()
    waiting = list(needed(wheel.requires, extra.split(",")))
    while waiting:
        requirement = waiting.pop()
        if requirement.name not in found and metadata.version(requirement.name):
            found.add(requirement.name)
            waiting += needed(metadata.distribution(requirement.name).requires, requirement.extras)
    return found


def needed(requirements: Iterable[str] | None, extras: Iterable[str]) -> list[Requirement]:
    parsed = [Requirement(text) for text in requirements or ()]
    return [r for r in parsed if not r.marker or any(r.marker.evaluate({"extra": e}) for e in ["", *extras])]


def link(packages: Iterable[str], folder: Path) -> None:
    """Fill a folder with links to what the running environment has of some packages."""
    for package in packages:
        for file in metadata.distribution(package).files or ():
            target = folder / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not target.is_symlink():
                target.symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / file.parts[0])


@pytest.mark.slow
def test_the_wheel_works_without_any_framework(clean: Path) -> None:
    assert run(clean, WITHOUT) == ["it works"]


@pytest.mark.slow
@pytest.mark.parametrize("extra", EXTRAS)
def test_the_wheel_works_with_one_framework(extra: str, clean: Path, tmp_path: Path) -> None:
    for package in extra.split(","):
        pytest.importorskip(package)
    link(asked_for(extra, clean), tmp_path)
    lines = run(clean, WITH, *EXTRAS[extra], PYTHONPATH=str(tmp_path), KERAS_BACKEND=extra.rpartition(",")[2])
    weights = [dict(eval(line)) for line in lines]
    assert len(weights) == len(EXTRAS[extra])
    for found in weights:
        assert list(found) == ["a.kernel", "a.bias", "b.kernel", "b.bias"]
        assert found == pytest.approx(weights[0]) and found["a.kernel"] > 0.0 == found["a.bias"]


@pytest.mark.slow
def test_keras_alone_asks_for_a_framework(clean: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras")
    link(asked_for("keras", clean), tmp_path)
    lines = run(clean, KERAS_ALONE, PYTHONPATH=str(tmp_path), KERAS_BACKEND="jax")
    assert "pip install jax" in "\n".join(lines)


def test_a_package_that_no_extra_asks_for_is_out_of_reach(tmp_path: Path) -> None:
    link(["packaging"], tmp_path)
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"packaging"}
