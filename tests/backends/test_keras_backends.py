"""The tests of the Keras backend, on each backend of Keras: it takes one in a process, and a process runs a part."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

_FILES = [Path(__file__).with_name(name) for name in ("test_keras_backend.py", "test_keras_shared.py")]
_ROOT = Path(__file__).parents[2]
_QUICK_TO_COMPILE = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

# Parts that take about as long, for workers to run side by side; each test is in one of them.
_RANDOM = "random_architectures"
_PARTS = {"architectures": _RANDOM, "rest": f"not {_RANDOM}"}


@pytest.mark.slow
@pytest.mark.parametrize("part", _PARTS)
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_the_keras_backend_on(backend: str, part: str) -> None:
    for package in ("keras", backend):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": _QUICK_TO_COMPILE}
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", _PARTS[part]]
    command = [sys.executable, "-m", "pytest", *options, *map(str, _FILES)]
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
