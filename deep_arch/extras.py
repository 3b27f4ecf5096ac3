"""Extras: packages that a part of deep_arch needs and that may not be installed."""

from __future__ import annotations

import importlib.util

from deep_arch.errors import MissingDependency

_EXTRA = {
    "torch": "torch",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "optuna": "optuna",
    "ray": "ray",
    "matplotlib": "plot",
}


def require(package: str) -> None:
    """Raise MissingDependency, with the command that mends it, where a package is not installed."""
    if importlib.util.find_spec(package) is None:
        extra = _EXTRA.get(package)
        command = f'pip install "deep_arch[{extra}]"' if extra else f"pip install {package}"
        raise MissingDependency(
            f"{package}: this part of deep_arch needs the package {package}, which is not installed.\n"
            f"  Install it with: {command}"
        )
