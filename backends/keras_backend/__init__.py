"""Keras: from an architecture to a functional keras.Model, on TensorFlow, PyTorch or JAX."""

from __future__ import annotations

import importlib

from deep_arch.errors import MissingDependency
from deep_arch.extras import missing

try:
    importlib.import_module("keras")
except ImportError as error:
    if (error.name or "").partition(".")[0] == "keras":
        raise missing("keras") from error
    raise MissingDependency(
        f"keras: needs the framework that it runs on, {error.name}.\n  Got an environment without it.\n"
        f"  Install it with: pip install {error.name}\n"
        "  Or set KERAS_BACKEND to one that is installed, of tensorflow, torch and jax, before keras is imported."
    ) from error

from deep_arch.backends.keras_backend.building import build as build
from deep_arch.backends.keras_backend.context import Emitter as Emitter
from deep_arch.backends.keras_backend.context import Lowering as Lowering
from deep_arch.backends.keras_backend.exporting import export_onnx as export_onnx
from deep_arch.backends.keras_backend.weights import get_weights as get_weights
from deep_arch.backends.keras_backend.weights import set_weights as set_weights
from deep_arch.backends.keras_backend.wrapped import wrap as wrap
