"""What a built model is: a torch.fx.GraphModule that remembers what it was built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from torch import fx, nn

from deep_arch.backends.torch_backend.storage import Stored
from deep_arch.errors import BadArgument
from deep_arch.language.specs import Spec

KEY = "deep_arch"


@dataclass(frozen=True, slots=True)
class Record:
    """What a model remembers.

    Attributes:
        stored: how it holds each weight, by neutral name, in the order of the calls.
        inputs: the spec of each input, by name.
        outputs: the names of its outputs.
    """

    stored: Mapping[str, Stored]
    inputs: Mapping[str, Spec]
    outputs: tuple[str, ...]


class Tracer(fx.Tracer):
    """What reads the code of a pickled model.

    Each function in it stays one call, also one that asks for its input's type.
    """

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        """Return the graph of generated code, whose names are all there is in its module."""
        called = [value for value in type(root).forward.__globals__.values() if isinstance(value, FunctionType)]
        super().__init__(autowrap_functions=tuple(called))  # torch makes the tracer, with no arguments
        return super().trace(root, concrete_args)


class Model(fx.GraphModule):
    """A graph module whose record is still there after copying and pickling."""

    def __init__(self, root: nn.Module, graph: fx.Graph, class_name: str, record: Record) -> None:
        super().__init__(root, graph, class_name)
        self.meta[KEY] = record  # which torch copies with the model, but does not pickle

    def __copy__(self) -> Model:
        """Copy as torch does: the copy shares graph and submodules."""
        return Model(self, self.graph, type(self).__name__, self.meta[KEY])

    def __reduce__(self) -> Any:
        """Pickle as torch does, and the record beside it."""
        return _unpickled, (type(self).__name__, self.meta[KEY], *super().__reduce__())


def _unpickled(class_name: str, record: Record, function: Callable[..., fx.GraphModule], arguments: Any) -> Model:
    model = function(*arguments)
    return Model(model, model.graph, class_name, record)


def record_of(model: nn.Module, asker: str) -> Record:
    """Return what a model remembers.

    Raises:
        BadArgument: it was not built by the torch backend.
    """
    record = getattr(model, "meta", {}).get(KEY)
    if isinstance(record, Record):
        return record
    raise BadArgument(
        f"torch_backend.{asker}: expected a model that torch_backend.build returned.\n"
        f"  Got {type(model).__name__}.\n  Transformations by torch.fx give another model: call this before them."
    )
