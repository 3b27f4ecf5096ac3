"""Extras: packages that a part of deep_arch needs and that may not be installed."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from deep_arch.errors import MissingDependency

_EXTRA = {
    "torch": "torch",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "jax": "jax",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "tf2onnx": "onnx",
    "matplotlib": "plot",
    "optuna": "optuna",
    "scipy": "searchers",
    "sklearn": "searchers",
    "pandas": "searchers",
    "psycopg": "postgres",
    "ray": "ray",
    "distributed": "dask",
    "mpi4py": "mpi",
}


def missing(package: str) -> MissingDependency:
    """Return the error for a package that is not installed, with the command that mends it."""
    extra = _EXTRA.get(package)
    command = f'pip install "deep_arch[{extra}]"' if extra else f"pip install {package}"
    return MissingDependency(
        f"{package}: this part of deep_arch needs the package {package}.\n  Got an environment without it.\n"
        f"  Install it with: {command}"
    )


def require(package: str) -> None:
    """Raise MissingDependency where a package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise missing(package)


def imported(module: str) -> Any:
    """Return a module, or raise MissingDependency where its package is not installed."""
    require(module.partition(".")[0])
    return importlib.import_module(module)
