"""From a TensorFlow model to an ONNX file."""

# TensorFlow has few types.
# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import tensorflow as tf

from deep_arch.backends.exporting import quiet
from deep_arch.backends.tensorflow_backend.model import Model, check_built
from deep_arch.errors import NotSupported
from deep_arch.extras import require

_OPSET = 18
"""The newest version of ONNX's operations that tf2onnx 1.17 writes."""


def export_onnx(model: Model, path: str | Path) -> None:
    """Write what a model computes in inference to an ONNX file, for batches of any size.

    Inputs and outputs have the names of the space's; an output that is named like an input gets an underscore. Arrays
    are (batch, *spatial, channels), as in the model. Some runtimes lack operations of float64.

    Raises:
        MissingDependency: onnx or tf2onnx is not installed.
        NotSupported: tf2onnx cannot write a module of the model.
        BadArgument: `tensorflow_backend.build` did not return the model.
    """
    for package in ("onnx", "tf2onnx"):
        require(package)
    import onnx
    import tf2onnx

    check_built(model, "export_onnx")
    signature = model.serve.input_signature
    names = [f"{name}_" if name in model.inputs else name for name in model.outputs]

    def infer(*inputs: Any) -> dict[str, Any]:
        outputs = model(*inputs)
        outputs = tuple(outputs.values()) if isinstance(outputs, dict) else outputs
        return dict(zip(names, outputs if isinstance(outputs, tuple) else (outputs,), strict=True))

    try:
        with quiet("tf2onnx", logging.CRITICAL):
            exported, _ = tf2onnx.convert.from_function(tf.function(infer, signature), signature, opset=_OPSET)
        onnx.checker.check_model(exported)  # what tf2onnx does not know, it leaves in the graph as it is
    except Exception as error:
        raise NotSupported(
            f"{model.name}: tf2onnx cannot write this model as ONNX.\n  Got {type(error).__name__}: {error}\n"
            "  Change the wrapped module or the operation of yours that it cannot write. Where there is none, give the "
            "weights to a model of torch_backend and export that."
        ) from error
    exported.graph.output.sort(key=lambda output: names.index(output.name))
    for value in (*exported.graph.input, *exported.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(exported, path)
