"""Forms: what is written of each kind of value in a program, and how the value is made of it again."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType, ModuleType
from typing import Any, Final, NamedTuple

from deep_arch.errors import BadArgument, is_kind
from deep_arch.language.chosen_parts import Copies, ManyOf, OneOf
from deep_arch.language.depending import Depending
from deep_arch.language.domains import Choice, Domain, Integer, Real
from deep_arch.language.foreign import is_array
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.making import MADE_BY
from deep_arch.language.parts import as_part, children, key_step
from deep_arch.language.rules import Grown
from deep_arch.language.stepped import Stepped
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.weighted import Weighted
from deep_arch.language.wrapping import name_of
from deep_arch.symbolic.calls import Symbolic, said
from deep_arch.symbolic.naming import found_by, meant, name_held_by_module, name_leading_to
from deep_arch.symbolic.networks import Network
from deep_arch.symbolic.symbols import Symbol, symbolize

Held = list[tuple[str, Any]]


class Form(NamedTuple):
    """What is written of a value.

    Attributes:
        kind: how it is read.
        held: what it is made of, each with what it adds to the path.
        said: what else is written, as JSON holds it.
    """

    kind: str
    held: Sequence[tuple[str, Any]] = ()
    said: Mapping[str, Any] = MappingProxyType({})


_DOMAINS: Final[Mapping[str, tuple[type[Domain], tuple[str, ...]]]] = {
    "choice": (Choice, ("options",)),
    "weighted": (Weighted, ("options", "weights")),
    "integer": (Integer, ("low", "high", "step", "log")),
    "real": (Real, ("low", "high", "log")),
    "stepped": (Stepped, ("low", "high", "step", "log")),
    "subset": (Subset, ("options", "length", "distinct", "ordered")),
    "permutation": (Permutation, ("options",)),
}
"""The domains, with the attributes that they are made of, in that order."""

_WORDS: Final[Mapping[Any, str]] = {kind: word for word, (kind, _) in _DOMAINS.items()}


def form_of(value: Any, where: object) -> Form:
    """Return what is written of a value that JSON does not hold as it is.

    Args:
        value: of whatever kind.
        where: what the place is called in messages.

    Raises:
        BadArgument: no text says what it is.
    """
    kind: Any = value.__class__
    if kind in _SIMPLE:
        return _SIMPLE[kind](value)
    if is_kind(value, Symbol):
        return Form("symbol", [("", value.factory)])
    if isinstance(value, Hyperparameter):
        return _of_hyperparameter(value, where)
    if isinstance(value, Domain | Depending):
        return _of_domain(value, where)
    if (part := as_part(value)) is not None:
        return _of_part(part, where)
    if isinstance(value, Enum):
        return _of_member(value, where)
    if is_kind(value, tuple) and hasattr(kind, "_fields"):
        return Form("named tuple", children(value), {"name": _name(kind, where)})
    if dataclasses.is_dataclass(kind):
        return _of_dataclass(value, where)
    if kind is ModuleType:
        return Form("module", (), {"name": value.__name__})
    return Form("name", (), {"name": _name(value, where)})


def _steps(items: Iterable[Any]) -> Held:
    return [(f"[{i}]", item) for i, item in enumerate(items)]


def _of_dict(value: Any) -> Held:
    return [(key_step(key), held) for key, item in value.items() for held in (key, item)]


def _of_partial(value: Any) -> Form:
    return Form("partial", [("", value.func), *children(value)], {"keys": [*value.keywords]})


def _of_set(value: Any) -> Held:
    return _steps(sorted(value, key=repr))  # in the same order in each process


_SIMPLE: Final[Mapping[type, Callable[[Any], Form]]] = {
    int: lambda value: Form("int", (), {"hex": hex(value)}),
    float: lambda value: Form("float", (), {"text": repr(value)}),
    complex: lambda value: Form("complex", _steps([value.real, value.imag])),
    bytes: lambda value: Form("bytes", (), {"hex": value.hex()}),
    bytearray: lambda value: Form("bytearray", (), {"hex": value.hex()}),
    range: lambda value: Form("range", _steps([value.start, value.stop, value.step])),
    slice: lambda value: Form("slice", _steps([value.start, value.stop, value.step])),
    list: lambda value: Form("list", _steps(value)),
    tuple: lambda value: Form("tuple", _steps(value)),
    set: lambda value: Form("set", _of_set(value)),
    frozenset: lambda value: Form("frozenset", _of_set(value)),
    dict: lambda value: Form("dict", _of_dict(value)),
    OrderedDict: lambda value: Form("OrderedDict", _of_dict(value)),
    functools.partial: _of_partial,
}


def _of_hyperparameter(value: Any, where: object) -> Form:
    rest: Held = [("", value.name), ("", value.tag)]
    if isinstance(value, Independent):
        return Form("hyperparameter", [("", value.depending or value.domain), *rest])
    if isinstance(value, Dependent) and not value.needs_shapes:
        return Form("dependent", [*rest, ("", value.fn), *[("", parent) for parent in value.parents]])
    raise _has_no_text(value, where, "Give the module that the shape goes into to a network, and that to the call.")


def _of_domain(value: Any, where: object) -> Form:
    if isinstance(value, Depending) and value.kind in MADE_BY:
        held = [("", value.written), *[("", parent) for parent in value.parents]]
        return Form("depending", held, {"domain": _WORDS[value.kind]})
    if type(value) in _WORDS:
        word = _WORDS[type(value)]
        names = _DOMAINS[word][1]
        return Form("domain", [(f".{name}", getattr(value, name)) for name in names], {"domain": word})
    raise _has_no_text(value, where, "Use the domains of deep_arch: da.choice, da.integer, da.real and their like.")


def _of_part(part: Any, where: object) -> Form:
    if isinstance(part, Symbolic):
        return _of_call(part)
    if isinstance(part, OneOf):
        which: Held = [(".which", part.which)]
        keyed = zip(part.candidates, part.__class__.held(part), strict=False)
        return Form("one of", which + [pair for k, held in keyed for pair in (("", k), held)], {"given": part.given})
    if isinstance(part, ManyOf):
        return Form("many of", [("", part.taken), *part.held()])
    if isinstance(part, Copies):
        return Form("copies", part.held())
    if isinstance(part, Grown):
        name = _name(part.rule, where, name_held_by_module)
        return Form("grown", part.held(), {"name": name, "keys": [*part.kwargs]})
    if isinstance(part, Network):
        return Form("space", (), {"name": _name(part.space, where, name_held_by_module)})
    raise _has_no_text(part, where, "Write a function that makes it, and record a call of that: da.symbolize(fn)().")


def _of_call(call: Any) -> Form:
    symbol, _, kwargs, is_partial, _ = said(call)
    return Form("call", [("", symbol), *Symbolic.held(call)], {"partial": is_partial, "keys": [*kwargs]})


def _of_member(value: Any, where: object) -> Form:
    kind: Any = value.__class__
    if value._name_ in kind.__members__:
        return Form("member", (), {"name": _name(kind, where), "member": value._name_})
    return Form("member", [("", value.value)], {"name": _name(kind, where)})  # of several flags


def _of_dataclass(value: Any, where: object) -> Form:
    held = children(value)
    kind: Any = value.__class__
    keys = [step[1:] for step, _ in held]
    try:
        inspect.signature(kind).bind(**dict.fromkeys(keys))
    except TypeError as error:
        mend = f"It does not keep what it is made of ({error}): symbolize its class."
        raise _has_no_text(value, where, mend) from error
    return Form("dataclass", held, {"name": _name(kind, where), "keys": keys})


# --- names -----------------------------------------------------------------------------------------------------------


def _name(thing: Any, where: object, find: Callable[[Any], str | None] = name_leading_to) -> str:
    """Return the name that leads to something.

    Raises:
        BadArgument: there is none.
    """
    name = find(thing)
    if name is not None:
        return name
    if isinstance(thing, type) or inspect.isroutine(thing) or find is name_held_by_module:
        raise BadArgument(
            f"{where}: {name_of(thing)} is not found again by a name, so it has no JSON.\n"
            f"  Got {thing!r:.200}.\n  {_NAME_IT}"
        )
    mend = f"Symbolize its class, da.symbolize({type(thing).__name__}), so that its call is recorded."
    if is_array(thing):
        mend = "Record a call that loads or makes it, da.symbolize(numpy.load)('a.npy'); of one number, take .item()."
    raise _has_no_text(thing, where, mend)


_NAME_IT: Final = (
    "Define it at the top of a module and keep it under its name there; a lambda has none, nor has what a function "
    "defines."
)


def _has_no_text(value: Any, where: object, mend: str) -> BadArgument:
    return BadArgument(
        f"{where}: an object of this kind has no JSON.\n  Got {value!r:.200} ({type(value).__name__}).\n  {mend}"
    )


# --- reading ---------------------------------------------------------------------------------------------------------


def _dict(held: Sequence[Any]) -> dict[Any, Any]:
    return dict(zip(held[::2], held[1::2], strict=True))


def _arguments(node: Mapping[str, Any], held: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    n = len(held) - len(node["keys"])
    return tuple(held[:n]), dict(zip(node["keys"], held[n:], strict=True))


def _call(node: Any, held: Any) -> Any:
    symbol, *rest = held
    args, kwargs = symbol.takes.in_order(*_arguments(node, rest), node["partial"])
    return Symbolic(symbol, args, kwargs, node["partial"])


def _partial(node: Any, held: Any) -> Any:
    (fn, *args), kwargs = _arguments(node, held)
    return functools.partial(fn, *args, **kwargs)


def _member(node: Any, held: Any) -> Any:
    kind = meant(found_by(node["name"]))
    return kind[node["member"]] if "member" in node else kind(*held)


def _grown(node: Any, held: Any) -> Any:
    return Grown(found_by(node["name"]), *_arguments(node, held))


def _depending(node: Any, held: Any) -> Any:
    kind = _DOMAINS[node["domain"]][0]
    written, *parents = held
    return Depending(kind, MADE_BY[kind], parents, written)


def _dependent(_: Any, held: Any) -> Any:
    name, tag, fn, *parents = held
    return Dependent(fn, parents, name, tag)


READERS: Final[Mapping[str, Callable[[Any, list[Any]], Any]]] = {
    "int": lambda node, _: int(node["hex"], 16),
    "float": lambda node, _: float(node["text"]),
    "complex": lambda _, held: complex(*held),
    "bytes": lambda node, _: bytes.fromhex(node["hex"]),
    "bytearray": lambda node, _: bytearray.fromhex(node["hex"]),
    "range": lambda _, held: range(*held),
    "slice": lambda _, held: slice(*held),
    "list": lambda _, held: held,
    "tuple": lambda _, held: tuple(held),
    "set": lambda _, held: set(held),
    "frozenset": lambda _, held: frozenset(held),
    "dict": lambda _, held: _dict(held),
    "OrderedDict": lambda _, held: OrderedDict(_dict(held)),
    "named tuple": lambda node, held: meant(found_by(node["name"]))(*held),
    "dataclass": lambda node, held: meant(found_by(node["name"]))(**_arguments(node, held)[1]),
    "partial": _partial,
    "member": _member,
    "module": lambda node, _: importlib.import_module(node["name"]),
    "name": lambda node, _: meant(found_by(node["name"])),
    "symbol": lambda _, held: symbolize(*held),
    "call": _call,
    "hyperparameter": lambda _, held: Independent(*held),
    "dependent": _dependent,
    "domain": lambda node, held: _DOMAINS[node["domain"]][0](*held),
    "depending": _depending,
    "one of": lambda node, held: OneOf(_dict(held[1:]), held[0], node["given"]),
    "many of": lambda _, held: ManyOf(held[1:], held[0]),
    "copies": lambda _, held: Copies(*held),
    "grown": _grown,
    "space": lambda node, _: found_by(node["name"]),
}
"""How the value of each kind is made of a node of the text and of what that is of."""
