"""The graphviz package and its program `dot`, neither of which is needed before something is drawn."""

from __future__ import annotations

import importlib
from typing import Any

from deep_arch.errors import MissingDependency


def graphviz_package() -> Any:
    """Return the graphviz package.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        return importlib.import_module("graphviz")
    except ImportError as error:
        raise MissingDependency(
            "render: needs the Python package graphviz.\n  Got an ImportError for it.\n"
            "  Run `pip install graphviz`, and for pictures install the program dot: " + _HOW_TO_INSTALL
        ) from error


_HOW_TO_INSTALL = """
    Debian, Ubuntu  sudo apt install graphviz
    Fedora          sudo dnf install graphviz
    macOS           brew install graphviz
    Windows         winget install graphviz
    conda           conda install -c conda-forge graphviz python-graphviz"""


def run_dot(digraph: Any, kind: str) -> bytes:
    """Return a picture of the kind "svg", "png" or "pdf".

    Raises:
        MissingDependency: the program is not installed.
    """
    try:
        return bytes(digraph.pipe(format=kind, quiet=True))
    except graphviz_package().ExecutableNotFound as error:
        raise MissingDependency(
            f"render: needs the program dot of Graphviz for {kind.upper()}, and finds none on the PATH.\n"
            "  `pip install graphviz` brings the Python package alone; DOT text works without the program: "
            f"render('file.dot').\n  Install the program:{_HOW_TO_INSTALL}"
        ) from error
