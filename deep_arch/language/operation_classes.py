"""The kind of operation classes: dataclasses of their arguments, or classes with an `__init__` of their own.

An operation is registered with the function that runs once it is made, so its class need not see to that.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import BadArgument
from deep_arch.language.constructing import Constructed
from deep_arch.language.foreign import PLAIN, is_array, plain

_OF_MODULES: Final = frozenset(
    ("arguments", "open_arguments", "explicit_name", "base_name", "name_in_owner", "single", "shared", "owner")
)


class OperationClass(Constructed):
    """The kind of operation classes.

    Attributes:
        by_hand: whether `__init__` is the user's own, and not that of a dataclass.
        remade: whether an operation is made anew once its arguments have values, since its class computes with them.
    """

    by_hand: bool
    remade: bool

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, namespace, **options)
        if "by_hand" not in namespace:  # which the second class has that a dataclass with slots makes
            cls.by_hand = "__init__" in namespace or getattr(cls, "by_hand", False)
            own = "__post_init__" in namespace and any(isinstance(base, OperationClass) for base in bases)
            cls.remade = own or getattr(cls, "remade", False)
        if (
            "weights" in namespace
            and "stateless" not in namespace
            and any(isinstance(b, OperationClass) for b in bases)
        ):
            type.__setattr__(cls, "stateless", False)  # two of them hold two sets of weights
        if cls.__dict__.get("__hash__", ()) is None:  # there is an __eq__
            type.__setattr__(cls, "__hash__", object.__hash__)

    def __setattr__(cls, name: str, value: Any) -> None:
        """Take what the decorator of dataclasses sets, but for a comparison by arguments.

        Two operations with equal arguments have weights of their own, so each equals itself alone.
        """
        if name == "__dataclass_params__" and value.frozen:
            raise BadArgument(
                f"{cls.__name__}: expected a dataclass whose arguments can get values.\n  Got frozen=True.\n"
                "  Write @dataclasses.dataclass, without frozen."
            )
        if name == "__init__":
            cls.by_hand = False
        if name not in ("__eq__", "__hash__"):
            super().__setattr__(name, value)

    if not TYPE_CHECKING:  # constructors have the types of __init__

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if "_sound" not in cls.__dict__:
                _check_names(cls)
                cls._sound = True
            name = kwargs.pop("name", None) if cls.by_hand and "name" not in _parameters(cls) else None
            operation = super().__call__(*args, **kwargs)
            if hasattr(operation, "open_arguments"):
                return operation  # its own __init__ has called that of modules
            arguments = _bound(cls, operation, args, kwargs) if cls.by_hand or cls.remade else _fields(operation)
            operation._begin(fitted(cls, arguments), name or operation.name)
            return operation


def fitted(cls: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with plain numbers, and with tuples in place of arrays where their types are those of tuples."""
    return {name: _fitted(cls, name, value) for name, value in arguments.items()}


def _fitted(cls: Any, name: str, value: Any) -> Any:
    if value.__class__ in PLAIN:
        return value
    value = plain(value)
    if not is_array(value) or not _is_tuple(_types(cls).get(name)):
        return value
    return _tuples((value if hasattr(value, "tolist") else value.numpy()).tolist())


def _types(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls.__init__ if cls.by_hand else cls)
    except Exception:  # names that only type checkers know
        return {}


def _is_tuple(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(map(_is_tuple, typing.get_args(hint)))
    return (typing.get_origin(hint) or hint) in (tuple, list, Sequence)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]


def make_again(operation: Any) -> None:
    """Make a copy of an operation what its class makes of the arguments that the copy has."""
    signature = inspect.signature(operation.__class__)
    bound = inspect.BoundArguments(signature, {**operation.arguments})  # pyright: ignore[reportArgumentType]
    name = operation.name
    operation.__init__(*bound.args, **bound.kwargs)
    operation.name = name


def _fields(operation: Any) -> dict[str, Any]:
    return {f.name: getattr(operation, f.name) for f in dataclasses.fields(operation) if f.name != "name"}


def _bound(cls: Any, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the class was called with, by name."""
    bound = inspect.signature(cls).bind(*args, **kwargs)
    given = set(bound.arguments)
    bound.apply_defaults()
    fields = {} if cls.by_hand else _fields(operation)  # for the defaults that a dataclass makes
    arguments = {
        name: fields.get(name, value) if name not in given else value for name, value in bound.arguments.items()
    }
    return {name: value for name, value in arguments.items() if name != "name"}


def _parameters(cls: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls).parameters


def _check_names(cls: Any) -> None:
    """Raise BadArgument for an argument that is called like something that every operation has."""
    root = next(base for base in reversed(cls.__mro__) if isinstance(base, OperationClass))
    for name, parameter in _parameters(cls).items():
        taken = name in _OF_MODULES or hasattr(root, name)
        if parameter.default is not parameter.empty and name == "name":
            continue
        if taken:
            raise BadArgument(
                f"{cls.__name__}: {name!r} means something else in every operation.\n  Got an argument of that name.\n"
                f"  Call it otherwise, such as {'kind' if name == 'name' else 'target_' + name!r}."
            )
