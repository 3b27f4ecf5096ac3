"""From a torch model to an ONNX file."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deep_arch.backends.exporting import first_cause, keep_apart, quiet
from deep_arch.backends.torch_backend.model import record_of
from deep_arch.errors import NotSupported
from deep_arch.extras import require

_BATCH = 2  # of the example that is traced: torch would take 1 for a size that never changes


def export_onnx(model: nn.Module, path: str | Path) -> None:
    """Write what a model computes in inference to an ONNX file, for batches of any size.

    Inputs and outputs have the names of the space's; an output that is named like an input gets an underscore. The
    model itself stays as it is. Some runtimes lack operations of float64.

    Raises:
        MissingDependency: onnx or onnxscript is not installed.
        NotSupported: torch cannot export a module of the model.
        BadArgument: `torch_backend.build` did not return the model.
    """
    for package in ("onnx", "onnxscript"):
        require(package)
    record = record_of(model, "export_onnx")
    exported = copy.deepcopy(model).eval().cpu()
    examples = [torch.zeros((_BATCH, *x.shape), dtype=getattr(torch, x.dtype)) for x in record.inputs.values()]
    batch = torch.export.Dim("batch")
    try:
        with quiet("torch.onnx", logging.ERROR):
            program: Any = torch.onnx.export(
                exported,
                tuple(examples),
                input_names=list(record.inputs),
                output_names=_free(record.outputs, set(record.inputs)),
                dynamic_shapes=tuple({0: batch} for _ in examples),
                verbose=False,
            )
    except Exception as error:
        cause = first_cause(error)
        raise NotSupported(
            f"{type(model).__name__}: torch cannot write this model as ONNX.\n"
            f"  Got {type(cause).__name__}: {(str(cause).strip().splitlines() or [''])[0]}\n"
            "  Neutral operations can all be written: change the wrapped class or the operation of yours that cannot."
        ) from error
    keep_apart(program)
    program.save(path, external_data=False)


def _free(names: Sequence[str], taken: set[str]) -> list[str]:
    """Return names that differ from those taken, and from one another."""
    free: list[str] = []
    for name in names:
        while name in taken:
            name += "_"
        taken.add(name)
        free.append(name)
    return free
