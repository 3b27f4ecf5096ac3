"""What an error tells to install exists, and installs what was missing."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from deep_arch.errors import MissingDependency
from deep_arch.extras import missing, require

SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
PACKAGES = ["torch", "tensorflow", "keras", "jax", "onnx", "onnxruntime", "onnxscript", "tf2onnx", "matplotlib"]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_extra_of_an_error_asks_for_the_package(package: str) -> None:
    found = re.search(r'pip install "deep_arch\[(\w+)\]"', str(missing(package)))
    assert found, str(missing(package))
    requirements = SETUP["options.extras_require"][found[1]].split("\n")
    assert package in [requirement.partition(" ")[0] for requirement in requirements]


def test_a_package_of_no_extra_is_installed_by_its_name() -> None:
    with pytest.raises(MissingDependency, match=r"(.|\n)*Install it with: pip install no_such_package$"):
        require("no_such_package")
