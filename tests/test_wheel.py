"""The wheel, installed in a clean environment without any framework."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

USE = """
import importlib, pkgutil, sys
import deep_arch, deep_arch.backends, deep_arch.searchers, deep_arch.visualization
import deep_arch as da
from deep_arch import ops

assert "site-packages" in deep_arch.__file__, deep_arch.__file__
needs_an_extra = ("deep_arch.backends.torch", "deep_arch.testing")
names = [m.name for m in pkgutil.walk_packages(deep_arch.__path__, "deep_arch.")]
assert {"deep_arch.ops.dense", "deep_arch.searchers.random_search", "deep_arch.visualization.dot"} <= set(names), names
for name in names:
    if not name.startswith(needs_an_extra):
        importlib.import_module(name)
assert not {"torch", "numpy", "matplotlib"} & set(sys.modules)

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
for package, use in {"torch": "from deep_arch.backends import torch_backend",
                     "matplotlib": "from deep_arch.visualization.plots import plot_scores; plot_scores([1.0])"}.items():
    try:
        exec(use)
    except da.errors.MissingDependency as error:
        assert "pip install" in str(error) and package in str(error), error
    else:
        raise AssertionError(f"{package} is not installed here")
print("it works")
"""


@pytest.mark.slow
def test_the_wheel_works_without_any_framework(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "demo", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "source", symlinks=True, ignore=ignored)  # a build leaves files behind
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(tmp_path / "source")], check=True)
    (wheel,) = tmp_path.glob("deep_arch-*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    python = str(tmp_path / "clean" / "bin" / "python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", str(wheel)]
    subprocess.run([*install, "--constraint", str(ROOT / "constraints.txt")], check=True)
    done = subprocess.run([python, "-c", USE], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "it works", done.stderr
