"""PyTorch: from an architecture to a torch.fx.GraphModule."""

from __future__ import annotations

import importlib

from deep_arch.extras import missing

try:
    importlib.import_module("torch")
except ImportError as error:
    raise missing("torch") from error

from deep_arch.backends.torch_backend.branches import Branches as Branches
from deep_arch.backends.torch_backend.branches import branches as branches
from deep_arch.backends.torch_backend.building import build as build
from deep_arch.backends.torch_backend.context import Emitter as Emitter
from deep_arch.backends.torch_backend.context import Lowering as Lowering
from deep_arch.backends.torch_backend.exporting import export_onnx as export_onnx
from deep_arch.backends.torch_backend.supernetwork import SuperNetwork as SuperNetwork
from deep_arch.backends.torch_backend.supernetwork import supernet as supernet
from deep_arch.backends.torch_backend.weights import get_weights as get_weights
from deep_arch.backends.torch_backend.weights import set_weights as set_weights
from deep_arch.backends.torch_backend.wrapped import wrap as wrap
