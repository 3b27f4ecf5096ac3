"""Moving: what belongs to addresses, such as weights, where a graft moved what stood there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from deep_arch.measures.module_names import ModuleNames
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.place import below

_Held = TypeVar("_Held")

Moves = Mapping[str, str | None]
"""From a place to the one that it came from, or None where what stands there is new; all else stayed where it was."""


def moved(held: Mapping[str, _Held], addresses: Iterable[str], moves: Moves) -> dict[str, _Held]:
    """Return what is held by address, at the addresses that it has after moves; what is new has nothing.

    Of several moves whose places are nested, the innermost counts.

    Example:
        >>> moved({"a/dense": 1, "b": 2}, ["a/or[Add]/a/dense", "a/or[Add]/a_1/dense", "b"],
        ...       {"a": None, "a/or[Add]/a": "a"})
        {'a/or[Add]/a/dense': 1, 'b': 2}
    """
    places = sorted(moves, key=len, reverse=True)
    found: dict[str, _Held] = {}
    for address in addresses:
        place = next((p for p in places if below(address, p)), None)
        came_from = address if place is None else _came_from(address, place, moves[place])
        if came_from is not None and came_from in held:
            found[address] = held[came_from]
    return found


def _came_from(address: str, place: str, origin: str | None) -> str | None:
    if origin is None:
        return None
    rest = address[len(place) :] if place else f"/{address}"
    return origin + rest if origin else rest.removeprefix("/")


def moved_weights(
    weights: Mapping[str, _Held], before: Architecture, after: Architecture, moves: Moves
) -> dict[str, _Held]:
    """Return weights of one architecture under the names that they have in another, to which parts of it were moved.

    Weights of what is new are not among them, so give `set_weights` these beside a fresh model's. Where a module stands
    that takes inputs of another shape than before, its weights do not fit any more.

    Args:
        weights: what `get_weights` of any backend returned for `before`.
        before: where the weights are from.
        after: where they go.
        moves: from places of `after` to places of `before`, such as `{at: None, at + "/or[Add]/expr": at}`; what stands
            below none of them stayed where it was.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.programs import moved_weights
        >>> @da.rule
        ... def expr():
        ...     return da.or_({"leaf": lambda: ops.Dense(3), "pair": lambda: da.sequential(expr, expr)})
        >>> leaf = da.space(lambda x: expr()(x)).at({"expr/or.which": "leaf"})
        >>> kept, new = "or[pair]/sequential[1]/expr", {"or[pair]/sequential[0]/expr/or.which": "leaf"}
        >>> pair = leaf.graft("expr", {"or.which": "pair", **new, **leaf.subtree("expr").below(kept)})
        >>> moved_weights({"expr.or_leaf.dense.bias": 1.0}, leaf, pair, {"expr": None, f"expr/{kept}": "expr"})
        {'expr.or_pair.sequential_1.expr.or_leaf.dense.bias': 1.0}
    """
    paths = module_paths(after)
    found = moved(of_modules(weights, before), paths, moves)
    return {f"{paths[address]}.{kind}": weights[name] for address, part in found.items() for kind, name in part.items()}


def of_modules(weights: Iterable[str], architecture: Architecture) -> dict[str, dict[str, str]]:
    """Return for each module that has some of these weights its address, and what they are to it to their names."""
    addresses = {path: address for address, path in module_paths(architecture).items()}
    held: dict[str, dict[str, str]] = {}
    for name in weights:
        path = name.rpartition(".")[0]
        while path and path not in addresses:  # modules of frameworks have names with dots in them
            path = path.rpartition(".")[0]
        if path:
            held.setdefault(addresses[path], {})[name[len(path) + 1 :]] = name
    return held


def module_paths(architecture: Architecture) -> dict[str, str]:
    """Return the address of each called module to its path in a model, which the names of its weights begin with."""
    names = ModuleNames()
    return {call.module_address: names.path(call.module_address) for call in architecture.graph.calls}
