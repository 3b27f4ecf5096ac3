"""ONNX: a built Keras model as a file that other programs run."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Mapping
from typing import Any

import keras

from deep_arch.backends.exporting import first_cause, keep_apart, quiet
from deep_arch.backends.keras_backend.weights import check_model
from deep_arch.errors import NotSupported
from deep_arch.extras import require

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "tensorflow": ("onnx", "tf2onnx"),
    "torch": ("onnx", "onnxscript"),
    "jax": ("onnx", "jax2onnx"),
}
_BATCH = 2  # of the example that torch traces; 1 would be taken for a constant


def export_onnx(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX file, for inference on any number of examples.

    Its inputs have the names of the space's inputs; arrays are (batch, *spatial, channels), as in Keras.

    Args:
        model: what `build` returned.
        path: where to write the file.

    Raises:
        MissingDependency: a package that Keras's backend exports with is not installed.
        NotSupported: that package cannot export a layer of the model.
        BadArgument: it is no Keras model.
    """
    check_model(model, "export_onnx")
    target = os.fspath(path)
    backend = keras.config.backend()
    for package in _NEEDED.get(backend, ()):
        require(package)
    try:
        with quiet("torch.onnx", logging.ERROR), contextlib.redirect_stdout(io.StringIO()):  # exporters print, too
            (_export_torch if backend == "torch" else _export)(model, target)
    except OSError:
        raise
    except Exception as error:
        cause = first_cause(error)
        raise NotSupported(
            f"{model.name}: expected layers that Keras on {backend} can export to ONNX.\n"
            f"  Got {type(cause).__name__}: {cause}.\n"
            "  Leave out the layer that it names, or build the architecture with another backend."
        ) from error


def _export(model: Any, path: str) -> None:
    inputs = [keras.InputSpec(dtype=x.dtype, shape=x.shape, name=x.name) for x in model.inputs]
    signature = inputs if len(inputs) == 1 else [inputs]
    model.export(path, format="onnx", verbose=False, input_signature=signature)


def _export_torch(model: Any, path: str) -> None:
    """Export by torch.export, which Keras does for a fixed batch only."""
    import torch

    names = list(model.output) if isinstance(model.output, dict) else None

    class Inference(torch.nn.Module):
        def forward(self, *arrays: Any) -> Any:
            outputs = model(arrays[0] if len(arrays) == 1 else list(arrays), training=False)
            return outputs if names is None else [outputs[name] for name in names]  # Keras sorts what it returns

    examples = [keras.ops.zeros((_BATCH, *x.shape[1:]), x.dtype) for x in model.inputs]
    batch = torch.export.Dim("batch")
    program: Any = torch.onnx.export(
        Inference().eval(),
        tuple(examples),
        input_names=[x.name for x in model.inputs],
        output_names=names,
        dynamic_shapes=(tuple({0: batch} for _ in examples),),
        verbose=False,
    )
    keep_apart(program)
    program.save(path, external_data=False)
