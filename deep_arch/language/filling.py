"""Filling: how the arguments of a recorded call come about once every value is known.

What a call was written with is taken apart once: plain values, open hyperparameters, parts that come in by edges. For
each object a row of values is laid out, in which lists, dicts and other containers are put together again, inner ones
first, without recursion.
"""

from __future__ import annotations

import functools
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from deep_arch.errors import wrong_kind
from deep_arch.language.domains import Choice
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.parts import StandIn, children, is_part, key_step, with_children
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.values import Value

if TYPE_CHECKING:
    from deep_arch.language.recording import Recording


class Hole(NamedTuple):
    """Stands among a module's arguments for what comes in by an edge, whose number drawings show."""

    edge: int

    def __repr__(self) -> str:
        return f"#{self.edge}"


class Form(NamedTuple):
    """Stands among a module's arguments for a container whose contents are arguments of their own."""

    kind: Any

    def __repr__(self) -> str:
        return getattr(self.kind, "__name__", repr(self.kind))


class _Place(NamedTuple):
    """Where a value is in the row: by what it is, one of the four below, and its number there."""

    of: int
    number: int


_TAKEN, _GIVEN, _CONSTANT, _BUILT = range(4)


class Filling:
    """How the arguments of a call come about.

    Attributes:
        arguments: what a module shows as its arguments: plain values, hyperparameters, and holes.
        inputs: the values that come in by edges, in the order of the holes.
        written: the arguments as they were written, each with its step.
        fixed: the arguments as written and as meant, where nothing is open; else None.
    """

    def __init__(self, recording: Recording, positional: Sequence[Any], named: Mapping[str, Any]) -> None:
        self.arguments: dict[str, Any] = {}
        self.inputs: list[Value] = []
        self._recording = recording
        self._n_taken = 0
        self._constants: list[Any] = []
        self._builders: list[tuple[Callable[[Any], Any], list[_Place]]] = []
        steps = [(f"[{i}]", value) for i, value in enumerate(positional)]
        steps += [(key_step(name).removeprefix("."), value) for name, value in named.items()]
        self.written = steps
        places = [self._placed(step, value) for step, value in steps]
        self._is_renewed = any(_has_more(h) for h in self.arguments.values() if isinstance(h, Hyperparameter))
        self._real = [value.stands_for if isinstance(value, StandIn) else value for value in self._constants]
        self._build = [(build, _taking(map(self._index, found))) for build, found in self._builders]
        self._take = _taking(map(self._index, places))
        self._n_positional, self._names = len(positional), tuple(named)
        self.fixed = None
        if not (self._n_taken or self.inputs or self._build):
            self.fixed = [self._split(self.row((), (), real)) for real in (False, True)]
        del self._recording, self._builders

    def row(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> tuple[Any, ...]:
        """Return the arguments in their order, containers made anew.

        Args:
            taken: the values of the open arguments.
            given: what comes in by the edges.
            real: whether what means something else, such as a symbol of a class, is what it means.
        """
        if real and self._is_renewed:
            taken = [meant(value) for value in taken]
        row = [*taken, *given, *(self._real if real else self._constants)]
        for build, take in self._build:
            row.append(build(take(row)))
        return self._take(row)

    def filled(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments by position and those by name, which are not to be changed; see `row`."""
        if self.fixed is not None:
            return self.fixed[real]
        return self._split(self.row(taken, given, real))

    def _split(self, row: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        n = self._n_positional
        return row[:n], dict(zip(self._names, row[n:] if n else row, strict=True))

    def _index(self, place: _Place) -> int:
        before = (0, self._n_taken, self._n_taken + len(self.inputs), None)[place.of]
        if before is None:
            before = self._n_taken + len(self.inputs) + len(self._constants)
        return before + place.number

    def _placed(self, path: str, value: Any) -> _Place:
        """Take a value apart, and return where it will be."""
        done: dict[int, list[_Place]] = {}
        todo: list[tuple[str, Any, int, bool]] = [(path, value, 0, False)]
        while True:
            path, value, around, entered = todo.pop()
            inner = () if entered else self._contents(value)
            if inner:
                depth = len(todo) + 1
                if value.__class__ is not list:
                    self.arguments[path] = Form(_form(value))
                todo.append((path, value, around, True))
                done[depth] = []
                todo += [(path + step, child, depth, False) for step, child in reversed(inner)]
                continue
            place = self._built(value, done.pop(len(todo) + 1)) if entered else self._leaf(path, value)
            if not todo:
                return place
            done[around].append(place)

    def _contents(self, value: Any) -> Sequence[tuple[str, Any]]:
        """Return what a container holds that is put together anew; nothing for what stays as it is."""
        if isinstance(value, Hyperparameter | StandIn) or is_part(value):
            return ()
        return children(value) if _is_open(value) else ()

    def _leaf(self, path: str, value: Any) -> _Place:
        recorded = self._recording.of(value) if isinstance(value, Hyperparameter) or is_part(value) else None
        if isinstance(value, Hyperparameter) and not is_part(value):
            self.arguments[path] = value if recorded is None else recorded
            self._n_taken += 1
            return _Place(_TAKEN, self._n_taken - 1)
        if recorded is not None:
            self.inputs.append(recorded)
            self.arguments[path] = Hole(len(self.inputs) - 1)
            return _Place(_GIVEN, len(self.inputs) - 1)
        if isinstance(value, Value):
            raise wrong_kind(
                self._recording.fragment.where(),
                "a function that returns values of a network, or a program of recorded calls",
                value,
                "A recorded call is given a whole network, da.space(function), and gets its architecture.",
            )
        self.arguments[path] = value.stands_for if isinstance(value, StandIn) else value
        self._constants.append(value)
        place = _Place(_CONSTANT, len(self._constants) - 1)
        if not _is_mutable(value):
            return place
        self._builders.append((_renewed_first, [place]))
        return _Place(_BUILT, len(self._builders) - 1)

    def _built(self, value: Any, places: list[_Place]) -> _Place:
        kind = value.__class__
        if kind in (list, tuple):
            build: Callable[[Any], Any] = kind
        elif kind in (dict, OrderedDict):
            build = functools.partial(_dict, kind, tuple(value))
        else:
            build = functools.partial(with_children, value)
        self._builders.append((build, places))
        return _Place(_BUILT, len(self._builders) - 1)


def _dict(kind: Any, keys: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
    return kind(zip(keys, values, strict=True))


def _is_mutable(value: Any) -> bool:
    """Return whether a plain container is one that each object is to have for itself, or holds such."""
    todo = [value]
    while todo:
        value = todo.pop()
        if value.__class__ in (list, dict, OrderedDict):
            return True
        if isinstance(value, tuple):
            todo += value
    return False


def _is_open(value: Any) -> bool:
    """Return whether a value holds a part, a hyperparameter, or what means something else."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, Hyperparameter | StandIn) or is_part(value):
            return True
        todo += [child for _, child in children(value)]
    return False


def _form(value: Any) -> Any:
    kind: Any = value.__class__
    return value.func if kind is functools.partial else kind


def meant(value: Any) -> Any:
    """Return what a value of a hyperparameter is for an object: what it stands for, and containers anew."""
    if isinstance(value, StandIn):
        return value.stands_for
    return renewed(value) if value.__class__ in _CONTAINERS else value


_CONTAINERS = (list, dict, OrderedDict, tuple)


def renewed(value: Any) -> Any:
    """Return a list, dict or tuple with lists and dicts of its own, as each object is to have them."""
    kind: Any = value.__class__
    if kind is tuple:
        return tuple([renewed(item) if item.__class__ in _CONTAINERS else item for item in value])
    new = kind(value)
    todo: list[Any] = [new]
    while todo:
        holder = todo.pop()
        for key, item in [*(enumerate(holder) if holder.__class__ is list else holder.items())]:
            if item.__class__ is tuple:
                holder[key] = renewed(item)
            elif item.__class__ in _CONTAINERS:
                holder[key] = item.__class__(item)
                todo.append(holder[key])
    return new


def _renewed_first(values: tuple[Any, ...]) -> Any:
    return renewed(values[0])


def _has_more(hyperparameter: Hyperparameter) -> bool:
    """Return whether a value may be more than itself for an object; see `meant`."""
    if not isinstance(hyperparameter, Independent) or hyperparameter.depending is not None:
        return True
    domain = hyperparameter.domain
    if not isinstance(domain, Choice | Subset | Permutation):
        return False
    kinds = (StandIn, *_CONTAINERS)
    return any(isinstance(option, kinds) for option in domain.options)


def _taking(indices: Iterable[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    indices = tuple(indices)
    if len(indices) > 1:
        return operator.itemgetter(*indices)
    return (lambda row: (row[indices[0]],)) if indices else (lambda row: ())
