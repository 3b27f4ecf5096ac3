"""ONNX: a built Keras model as a file that other programs run."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping

import keras

from deep_arch.extras import require

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "tensorflow": ("onnx", "tf2onnx"),
    "torch": ("onnx", "onnxscript"),
    "jax": ("onnx", "jax2onnx"),
}


def export_onnx(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX file, for inference on any number of examples.

    Its inputs have the names of the space's inputs; arrays are (batch, *spatial, channels), as in Keras.

    Args:
        model: what `build` returned.
        path: where to write the file.

    Raises:
        MissingDependency: a package that Keras exports with, on its backend, is not installed.
    """
    for package in _NEEDED.get(keras.config.backend(), ()):
        require(package)
    inputs = [keras.InputSpec(dtype=x.dtype, shape=x.shape, name=x.name) for x in model.inputs]
    signature = inputs if len(inputs) == 1 else [inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exporters warn of how they work, and of what they will do in years to come
        model.export(os.fspath(path), format="onnx", verbose=False, input_signature=signature)
