"""Parts: what programs of recorded calls are made of, and how one looks into them.

A part is a value that stands for an object which is not made yet: a recorded call, a choice between such, a list of
copies, a space of networks. Parts stand among the arguments of calls, also inside lists, tuples, dicts, named tuples,
dataclasses and partials. They never change.
"""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from deep_arch.errors import BadArgument, HyperparameterMisuse, is_kind
from deep_arch.language.foreign import PLAIN
from deep_arch.language.hyperparameters import Hyperparameter

if TYPE_CHECKING:
    from deep_arch.language.recording import Recording
    from deep_arch.language.values import Value


class Part(ABC):
    """What may stand for an object in a program.

    Laws:
        holds_what_it_holds: `holding([v for _, v in held()])` is equal to it.
        says_what_it_needs: `recorded` is called once all that `needs()` leads to is recorded in the running fragment.
    """

    __slots__ = ()

    opens: ClassVar[bool] = True
    """Whether there may be something to decide in it, beside hyperparameters that it holds."""

    @abstractmethod
    def held(self) -> list[tuple[str, Any]]:
        """Return what it holds, each with what it adds to the path, such as `.filters` or `[2]`."""

    @abstractmethod
    def holding(self, held: Sequence[Any]) -> Any:
        """Return a part of the same kind that holds other things, in the order of `held`, without those DELETE."""

    @abstractmethod
    def needs(self) -> list[tuple[str, Any]]:
        """Return what of it is recorded beside it, and not only when it is chosen."""

    @abstractmethod
    def recorded(self, recording: Recording, path: str) -> Value:
        """Record it into the running fragment, in which what it needs is recorded."""

    @abstractmethod
    def likeness(self) -> Any:
        """Return what is equal for equal parts, beside what they hold: a value that hashes."""

    def decided_by(self) -> Any:
        """Return the hyperparameter that decides it, where that is its own; else None."""
        return None

    def title(self) -> str:
        """Return what a space of it is called, and addresses call it where it is the whole program."""
        return type(self).__name__.lower()

    def pieces(self) -> list[Any]:
        """Return the code that makes it, as pieces of `Code` with what it holds in between; see `expression`."""
        from deep_arch.language.expressions import call_pieces  # late: it looks into parts

        return call_pieces(type(self).__name__, [value for _, value in self.held()], ())

    def __repr__(self) -> str:
        from deep_arch.language.expressions import expression

        return expression(self)

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Part):
            return self is other
        from deep_arch.language.likeness import alike  # late: it compares parts

        return alike(self, other)

    def __hash__(self) -> int:
        from deep_arch.language.likeness import content_hash

        return content_hash(self)

    def __bool__(self) -> bool:
        raise HyperparameterMisuse(
            f"{self!r}: is recorded, not made, so it has no truth value.\n"
            "  Got it where True or False is needed.\n  Make it first, with da.build(program)."
        )


class StandIn:
    """What means something else wherever it stands among plain values: a symbol of a class means the class."""

    stands_for: Any


class _Delete:
    def __repr__(self) -> str:
        return "DELETE"

    def __reduce__(self) -> str:
        return "DELETE"


DELETE: Final = _Delete()
"""Stands for what is to go from its list, dict or call, or is not there."""


_SEQUENCES: Final[tuple[Any, ...]] = (list, tuple)
_DICTS: Final[tuple[Any, ...]] = (dict, OrderedDict)


def as_part(value: Any) -> Part | None:
    """Return the part that a value is or stands for, such as a choice among hyperparameters; None for any other."""
    if isinstance(value, Part):
        return value
    convert = getattr(value.__class__, "_as_part", None)
    return None if convert is None or isinstance(value, type) else convert(value)


def children(value: Any) -> list[tuple[str, Any]]:
    """Return what a value of a program holds, each with what it adds to the path; nothing for a plain value."""
    kind: Any = value.__class__
    if kind in PLAIN:
        return []
    if kind in _SEQUENCES or (is_kind(value, tuple) and hasattr(kind, "_fields")):
        return [(f"[{i}]", item) for i, item in enumerate(value)]
    if kind in _DICTS:
        return [(key_step(key), item) for key, item in value.items()]
    if (part := as_part(value)) is not None:
        return part.__class__.held(part)  # by the class: a recorded call may have an argument of that name
    if isinstance(value, Hyperparameter | type):
        return []
    if kind is functools.partial:
        by_position = [(f"[{i}]", item) for i, item in enumerate(value.args)]
        return [*by_position, *[(key_step(key), item) for key, item in value.keywords.items()]]
    if dataclasses.is_dataclass(kind):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return [(f".{name}", getattr(value, name)) for name in fields if hasattr(value, name)]
    return []


def with_children(value: Any, held: Sequence[Any]) -> Any:
    """Return a value of the same kind that holds other things, in the order of `children`, without those DELETE.

    Raises:
        BadArgument: something is deleted that its holder cannot be without.
    """
    kind: Any = value.__class__
    if kind in _SEQUENCES:
        return kind([item for item in held if item is not DELETE])
    if kind in _DICTS:
        return kind([(key, item) for key, item in zip(value, held, strict=True) if item is not DELETE])
    if (part := as_part(value)) is not None:
        return part.__class__.holding(part, held)
    if kind is functools.partial:
        n = len(value.args)
        kept = {key: item for key, item in zip(value.keywords, held[n:], strict=True) if item is not DELETE}
        return functools.partial(value.func, *[item for item in held[:n] if item is not DELETE], **kept)
    if any(item is DELETE for item in held):
        raise BadArgument(
            f"{kind.__name__}: has each of its fields.\n  Got DELETE for one of {value!r}.\n"
            "  Give the field another value, or replace the whole."
        )
    if is_kind(value, tuple):
        return kind(*held)
    names = [step[1:] for step, _ in children(value)]
    return dataclasses.replace(value, **dict(zip(names, held, strict=True)))


def key_step(key: Any) -> str:
    """Return what a key of a dict, or the name of an argument, adds to the path."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


def candidate_step(key: Any) -> str:
    """Return what the key of a candidate adds to the path: `[2]`, `[sgd]`."""
    return f"[{key}]" if not isinstance(key, str) or key.isidentifier() else f"[{key!r}]"


def walk(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, value and parent of everything in a program, parents first; what stands in two places, twice.

    Example:
        >>> [(path, value) for path, value, _ in walk({"lr": 0.1, "layers": [8]})][1:]
        [('lr', 0.1), ('layers', [8]), ('layers[0]', 8)]
    """
    todo: list[tuple[str, Any, Any]] = [("", value, None)]
    while todo:
        path, value, parent = todo.pop()
        yield path.lstrip("."), value, parent
        todo += [(path + step, child, value) for step, child in reversed(children(value))]


def things(value: Any) -> Iterator[Any]:
    """Yield everything in a program, parents first, and what stands in several places once."""
    seen: dict[int, Any] = {}  # which keeps what it knows by identity
    todo = [value]
    while todo:
        value = todo.pop()
        if value.__class__ in PLAIN:
            yield value
        elif id(value) not in seen:
            seen[id(value)] = value
            yield value
            todo += [child for _, child in reversed(children(value))]


def is_part(value: Any) -> bool:
    """Return whether a value stands for an object that is not made yet."""
    return as_part(value) is not None


def is_plain(value: Any) -> bool:
    """Return whether a value holds no part and no hyperparameter."""
    return not any(isinstance(held, Hyperparameter) or is_part(held) for held in things(value))


def is_open(value: Any) -> bool:
    """Return whether a value holds something that is to be decided."""
    for held in things(value):
        part = as_part(held)
        if isinstance(held, Hyperparameter) or (part is not None and part.__class__.opens):
            return True
    return False
