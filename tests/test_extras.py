"""What an error tells to install exists, and installs what was missing."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from deep_arch.errors import MissingDependency
from deep_arch.extras import imported, missing, require

SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
PACKAGES = ["torch", "tensorflow", "keras", "jax", "onnx", "onnxruntime", "onnxscript", "tf2onnx", "matplotlib"]
PACKAGES += ["scipy", "sklearn", "pandas", "optuna", "psycopg", "ray", "distributed", "mpi4py"]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "psycopg": "psycopg[binary]"}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_extra_of_an_error_asks_for_the_package(package: str) -> None:
    found = re.search(r'pip install "deep_arch\[(\w+)\]"', str(missing(package)))
    assert found, str(missing(package))
    requirements = SETUP["options.extras_require"][found[1]].split("\n")
    assert DISTRIBUTIONS.get(package, package) in [requirement.partition(" ")[0] for requirement in requirements]


def test_a_package_of_no_extra_is_installed_by_its_name() -> None:
    with pytest.raises(MissingDependency, match=r"(.|\n)*Install it with: pip install no_such_package$"):
        require("no_such_package")


def test_a_module_is_imported_or_its_package_asked_for() -> None:
    assert imported("json.decoder").__name__ == "json.decoder"
    with pytest.raises(MissingDependency, match="this part of deep_arch needs the package no_such_package"):
        imported("no_such_package.module")
