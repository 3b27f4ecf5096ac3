"""Reading aloud: what the weights of a program say, in words and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import BadArgument, is_kind, nearest, wrong_kind
from deep_arch.ops.dense import Dense
from deep_arch.programs.moving import of_modules
from deep_arch.programs.terms import word
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Graph, GraphCall

_MOST: Final = 40
"""Numbers of one module that are said; of more, the shapes of its weights."""

_SAME_CHANNELS: Final = frozenset(
    (
        *("Identity", "Dropout", "WindowAverage", "AveragePooling1D", "MaxPooling1D", "Cropping1D", "ZeroPadding1D"),
        *("GlobalAveragePooling1D", "GlobalMaxPooling1D"),
    )
)
"""Operations whose every output channel is about one input channel."""


def remarks(
    architecture: Architecture, weights: Mapping[str, Any], names: Sequence[str] | None
) -> Iterator[tuple[str, str]]:
    """Yield the address of each module that has weights, and what these are.

    Raises:
        BadArgument: a weight is of no module, or there are too few or too many names.
    """
    _check_names(names)
    graph, held = architecture.graph, of_modules(weights, architecture)
    known = {name for part in held.values() for name in part.values()}
    for name in weights:
        if name not in known:
            raise BadArgument(
                f"{name}: a weight of no module of this architecture.\n  Got {len(weights)} weights.\n"
                "  Give what get_weights returned for a model of this architecture." + nearest(name, known)
            )
    channels = _channels(graph, names)
    for call in graph.calls:
        part = held.pop(call.module_address, None)
        if part:
            given = {kind: weights[name] for kind, name in part.items()}
            yield call.module_address, _remark(call, given, channels.get(call.inputs[0]) if call.inputs else None)


def _check_names(names: object) -> None:
    given: Any = names
    if names is None or (is_kind(names, list | tuple) and all(isinstance(name, str) for name in given)):
        return
    raise wrong_kind("text", "names of channels as a list of texts", names, "Write names=['speed', 'angle'].")


def _remark(call: GraphCall, weights: Mapping[str, Any], channels: Sequence[str] | None) -> str:
    import numpy as np

    arrays: dict[str, Any] = {kind: np.asarray(array) for kind, array in weights.items()}
    if sum(array.size for array in arrays.values()) > _MOST:
        return ", ".join([f"{kind} {'x'.join(map(str, array.shape))}" for kind, array in arrays.items()])
    kernel = arrays.get("kernel")
    if isinstance(call.module, Dense) and kernel is not None:
        rows = kernel.shape[0]
        if channels is not None and len(channels) != rows:
            raise BadArgument(
                f"{call.address}: reads {rows} channels, which need a name each.\n  Got {len(channels)}: "
                f"{', '.join(channels)}.\n  Give names= of the channels of the first input, in their order."
            )
        bias = arrays.get("bias", np.zeros(kernel.shape[1]))
        read = channels or [f"x{i}" for i in range(rows)]
        units = [affine(column, read, float(b)) for column, b in zip(kernel.T, bias, strict=True)]
        return units[0] if len(units) == 1 else f"({', '.join(units)})"
    return ", ".join([f"{kind}={_numbers(array)}" for kind, array in arrays.items()])


def _numbers(array: Any) -> str:
    said = [f"{number:.3g}" for number in array.ravel().tolist()]
    return said[0] if len(said) == 1 else f"[{', '.join(said)}]"


def affine(factors: Sequence[float], names: Sequence[str], constant: float) -> str:
    """Return a weighted sum as text.

    Example:
        >>> affine([0.314, -2.0, 0.0], ["speed", "nose dist", "angle"], -1.2)
        '0.314*speed - 2*"nose dist" - 1.2'
    """
    addends = [(float(f), f"*{word(name)}") for f, name in zip(factors, names, strict=True) if f]
    (first, name), *rest = [*addends, *([(constant, "")] if constant or not addends else [])]
    return f"{first:.3g}{name}" + "".join([f" {'-' if f < 0 else '+'} {abs(f):.3g}{name}" for f, name in rest])


def _channels(graph: Graph, names: Sequence[str] | None) -> dict[int, Sequence[str]]:
    """Return the names of the channels of each value, as far as they are known."""
    known: dict[int, Sequence[str]] = {} if names is None else {0: names}
    for call in graph.calls:
        given = [known.get(i) for i in call.inputs]
        out = _of_outputs(call.module, given)
        if out is not None:
            known.update(dict.fromkeys(call.outputs, out))
    return known


def _of_outputs(module: Any, given: Sequence[Sequence[str] | None]) -> Sequence[str] | None:
    kind: str = type(module).__name__
    read: list[Sequence[str]] = [names for names in given if names is not None]
    if not read or len(read) < len(given):
        return None
    if kind == "Concatenate":
        return [*itertools.chain(*read)] if module.axis == 0 else None
    first: list[str] = list(read[0])
    if kind == "Take":
        n, indices = len(first), tuple[int, ...](module.indices)
        return [first[i] for i in indices] if all(-n <= i < n for i in indices) else None
    return first if kind in _SAME_CHANNELS else None
