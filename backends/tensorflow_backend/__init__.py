"""TensorFlow without Keras: from an architecture to a tf.Module."""

from __future__ import annotations

import importlib

from deep_arch.extras import missing

try:
    importlib.import_module("tensorflow")
except ImportError as error:
    raise missing("tensorflow") from error

from deep_arch.backends.tensorflow_backend.building import build as build
from deep_arch.backends.tensorflow_backend.context import Context as Context
from deep_arch.backends.tensorflow_backend.context import Lowering as Lowering
from deep_arch.backends.tensorflow_backend.exporting import export_onnx as export_onnx
from deep_arch.backends.tensorflow_backend.model import Model as Model
from deep_arch.backends.tensorflow_backend.weights import get_weights as get_weights
from deep_arch.backends.tensorflow_backend.weights import set_weights as set_weights
from deep_arch.backends.tensorflow_backend.wrapped import wrap as wrap

Call = Context
"""The older name of `Context`."""
