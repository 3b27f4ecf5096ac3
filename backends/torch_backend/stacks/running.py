"""Running operations on many examples: one at a time, without a model around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.func import functional_call

from deep_arch.backends.torch_backend.kernels import OWN, lowered
from deep_arch.backends.torch_backend.stacks.skeletons import FRAME, INPUT, SPREAD, Free, Kind, Shape
from deep_arch.backends.torch_backend.storage import Stored, stored_weights
from deep_arch.language.specs import Spec

Run = Callable[..., Any]


class Operations:
    """Operations that were lowered, each once."""

    def __init__(self) -> None:
        self._known: dict[Any, Run] = {}

    def __call__(self, kind: Kind, values: Sequence[Tensor]) -> list[Tensor]:
        """Run what has no weights on values (examples, ...)."""
        given = self._run(kind, values)(*values)
        return list(given) if isinstance(given, tuple | list) else [given]

    def weighted(self, kind: Kind, weights: Mapping[str, Tensor], values: Sequence[Tensor]) -> list[Tensor]:
        """Run what has weights, by their neutral names."""
        module: Any = self._run(kind, values)
        stored = stored_weights(kind.module, [_spec(value) for value in values], OWN)
        parameters = {path: tensor for name, at in stored.items() for path, tensor in _native(at, weights[name])}
        given = functional_call(module, parameters, tuple(values))
        return list(given) if isinstance(given, tuple | list) else [given]

    def _run(self, kind: Kind, values: Sequence[Tensor]) -> Run:
        key = kind, tuple([(value.shape[1:], value.dtype) for value in values])
        if key not in self._known:
            root, graph = lowered(kind.module, "stack", [_spec(value) for value in values])
            self._known[key] = fx.GraphModule(root, graph)
        return self._known[key]


def _spec(value: Tensor) -> Spec:
    return Spec(tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))


def _native(stored: Stored, weight: Tensor) -> list[tuple[str, Tensor]]:
    parts = [weight] if len(stored.paths) == 1 else list(weight)
    shape = stored.layout.native
    return [(path, stored.layout.to_native(part, shape)) for path, part in zip(stored.paths, parts, strict=True)]


class FreeValues:
    """What needs no weights, computed once for all examples of one part of the data.

    Args:
        inputs: of the space, each (examples, ...), by name; "" stands for any name.
        run: what runs operations.
    """

    def __init__(self, inputs: Mapping[str, Tensor], run: Operations) -> None:
        self._inputs, self._run = inputs, run
        self._known: dict[Free, Tensor] = {}
        self.n = len(next(iter(inputs.values())))

    def rows(self, free: Free) -> Tensor:
        """Return a value as (*times, *shape, examples), with the examples last, where they lie together."""
        value = self[free]
        return value.reshape(self.n, *free.times, *value.shape[1:]).movedim(0, -1).contiguous()

    def __getitem__(self, free: Free) -> Tensor:
        """Return a value as (examples * times, *shape)."""
        if free not in self._known:
            self._compute(free)
        return self._known[free]

    def _compute(self, free: Free) -> None:
        if not free.sources and isinstance(free.what, str):
            name = free.what.removeprefix(INPUT)
            self._known[free] = self._inputs["" if "" in self._inputs else name]
            return
        given = [self[source] for source in free.sources]
        if free.what == FRAME:
            self._known[free] = given[0].movedim(-1, 1).flatten(0, 1)
        elif free.what == SPREAD:
            self._known[free] = given[0].repeat_interleave(free.times[-1], 0)
        else:
            assert isinstance(free.what, Kind), "what else is free is an operation"
            values = self._run(free.what, given)
            for port, value in enumerate(values):
                self._known[Free(free.what, port, free.sources, free.times, free.shape)] = value


def widened(rows: Tensor, times: int, width: int) -> Tensor:
    """Return rows (*times, channels, ...) with channels of zeros up to a width."""
    shape: Shape = (*rows.shape[:times], width - rows.shape[times], *rows.shape[times + 1 :])
    return torch.cat([rows, rows.new_zeros(shape)], times) if shape[times] else rows
