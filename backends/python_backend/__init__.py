"""Plain Python: from an architecture of callables to one callable."""

from __future__ import annotations

from deep_arch.backends.python_backend.building import build as build
from deep_arch.backends.python_backend.model import PythonProgram as PythonProgram
