"""Hyperparameters: named quantities that are open while a space is written.

An *independent* hyperparameter has a domain from which a searcher picks a value. A *dependent* one
is computed from others as soon as they all have values. Both belong to the fragment in whose
function they were made.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, cast

from deep_arch.errors import BadArgument, DependentFailed, is_kind
from deep_arch.language import scope
from deep_arch.language.arithmetic import Arithmetic
from deep_arch.language.depending import Depending, text
from deep_arch.language.domains import Choice, Domain
from deep_arch.language.foreign import PLAIN, unboxed
from deep_arch.language.late_binding import bound, check_bound
from deep_arch.language.values import Late

if TYPE_CHECKING:
    from deep_arch.language.parts import Part

_NAME = re.compile(r"[^\W\d]\w*\Z")


class Hyperparameter(Arithmetic):
    """What independent and dependent hyperparameters share: a name, an owner, and arithmetic.

    Attributes:
        name: the name that the user gave, or None for one made from the first module that uses it.
        tag: a word for predicates, such as those of `space.where`.
    """

    __slots__ = ("name", "owner", "slot", "tag")

    def __init__(self, name: str | None, tag: str | None) -> None:
        if name is not None and not (is_kind(name, str) and _NAME.match(name)):
            raise BadArgument(
                f"hyperparameter: name must be an identifier, since it becomes part of addresses.\n  Got {name!r}.\n"
                "  Use letters, digits and underscores, such as name='n_layers'."
            )
        self.name, self.tag = name, tag
        self.owner = scope.current()
        self.slot = -1 if self.owner is None else self.owner.add_hyperparameter(self)

    @property
    def text(self) -> str:
        """What it is called in words: by its name, by the module that uses it, or else by its kind."""
        if self.name is not None:
            return self.name
        suffixes: Sequence[str] = getattr(self.owner, "suffixes", ())
        return (suffixes[self.slot].lstrip("/") if 0 <= self.slot < len(suffixes) else "") or "hyperparameter"

    def computed(self, fn: Callable[..., Any], *parents: Any) -> Dependent:
        """Return the hyperparameter that is `fn` of the parents' values."""
        return Dependent(fn, parents)


def _undrawn(_: random.Random) -> NoReturn:
    raise AssertionError("what an unfolding asks for has a domain")


class Independent(Hyperparameter):
    """A hyperparameter whose value a searcher picks from `domain`.

    Where the domain depends on other hyperparameters, the one that a function made holds what it will be, a
    `Depending`; whoever is asked for a value, by an unfolding, is given one with the domain at their values.
    """

    __slots__ = ("domain", "draw")
    domain: Domain

    def __init__(self, domain: Domain | Depending, name: str | None = None, tag: str | None = None) -> None:
        self.domain = cast("Domain", domain)
        # At hand for the inner loop of sampling.
        self.draw: Callable[[random.Random], Any] = getattr(domain, "draw", _undrawn)
        super().__init__(name, tag)

    @property
    def depending(self) -> Depending | None:
        """What stands for the domain where it depends on other hyperparameters."""
        domain: object = self.domain
        return domain if isinstance(domain, Depending) else None

    @property
    def kind(self) -> type[Domain]:
        """The class of the domain, also where it depends on others."""
        depending = self.depending
        return type(self.domain) if depending is None else depending.kind

    @property
    def parents(self) -> tuple[Any, ...]:
        """What the domain depends on: hyperparameters and plain values."""
        depending = self.depending
        return () if depending is None else depending.parents

    @property
    def made(self) -> Independent:
        """The hyperparameter that a function made, if this is that one with another domain; else itself."""
        return self

    def at(self, arguments: Sequence[Any], where: str) -> Independent:
        """Return the hyperparameter with its domain at the parents' values.

        Raises:
            InvalidDomain: there is none at these values.
        """
        depending = self.depending
        assert depending is not None, "the domain depends on others"
        return depending.narrowed(self, depending.at(arguments, where))

    def narrowed(self, domain: Domain) -> Independent:
        """Return the hyperparameter with another domain."""
        return _Narrowed(self.made, domain)

    def _as_part(self) -> Part | None:
        """Return the choice between parts that it is in a program, where its options are hyperparameters; else None."""
        depending = self.depending
        if depending is None or depending.written is None:
            return None
        if depending.part is None:  # one and the same whenever it is asked
            from deep_arch.language.chosen_parts import among_hyperparameters

            depending.part = among_hyperparameters(self)
        return cast("Part | None", depending.part)

    def __repr__(self) -> str:
        return f"<{self.name or 'hyperparameter'}: {self.domain}>"


class _Narrowed(Independent):
    """An independent hyperparameter with another domain than it was made with; no fragment records it."""

    __slots__ = ("_made",)

    def __init__(self, made: Independent, domain: Domain) -> None:
        self.name, self.tag, self.owner, self.slot = made.name, made.tag, made.owner, made.slot
        self.domain, self.draw, self._made = domain, domain.draw, made

    @property
    def made(self) -> Independent:
        return self._made


class Dependent(Hyperparameter):
    """A hyperparameter computed from `parents`; a parent that is no hyperparameter stands for itself.

    Attributes:
        needs_shapes: whether it has a value only when shapes are known.
    """

    __slots__ = ("fn", "needs_shapes", "parents", "variables")

    def __init__(
        self, fn: Callable[..., Any], parents: Iterable[Any], name: str | None = None, tag: str | None = None
    ) -> None:
        self.fn = fn
        self.variables = bound(fn)
        self.parents = tuple(lift(parent) for parent in parents)
        self.needs_shapes: bool = any(isinstance(parent, Dependent) and parent.needs_shapes for parent in self.parents)
        super().__init__(name, tag)

    def of(self, parents: Iterable[Any]) -> Dependent:
        """Return the hyperparameter that is the same function of other parents."""
        return Dependent(self.fn, parents, None, self.tag)

    def compute(self, arguments: Sequence[Any], where: str) -> Any:
        """Return the value at the parents' values, or what stands for it until shapes are known.

        Raises:
            DependentFailed: the function raised.
            LateBinding: a variable that it uses was bound to something else since it was given.
        """
        return Late(self, arguments) if self.needs_shapes else self.call(arguments, where)

    def call(self, arguments: Sequence[Any], where: str) -> Any:
        """Return what the function makes of the arguments.

        Raises:
            DependentFailed: it raised.
        """
        if self.variables:
            check_bound(self.variables, where)
        try:
            value = self.fn(*arguments)
            return value if value.__class__ in PLAIN else unboxed(value)
        except Exception as error:
            raise DependentFailed(
                f"{where}: the function of a dependent hyperparameter raised {type(error).__name__}: {error}.\n"
                f"  Got {self.symbol}({', '.join(map(repr, arguments))}).\n"
                "  Let the function take every value that its parents can have."
            ) from error

    @property
    def symbol(self) -> str:
        """The function as drawings and messages show it."""
        return getattr(self.fn, "__name__", type(self.fn).__name__)

    @property
    def text(self) -> str:
        if self.name is not None:
            return self.name
        operands = [_enclosed(p) for p in self.parents]
        if self.symbol in _INFIX and len(operands) == 2:
            return f" {_INFIX[self.symbol]} ".join(operands)
        name = self.symbol if self.symbol.isidentifier() or not self.symbol else "f"
        return f"{name}({', '.join(map(text, self.parents))})"

    def __repr__(self) -> str:
        return f"<{self.name or 'dependent'}: {self.symbol} of {', '.join(map(repr, self.parents))}>"


_INFIX: Final = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"}


def _enclosed(parent: Any) -> str:
    """Return an operand in words, in parentheses where it is a formula itself."""
    shown = text(parent)
    return f"({shown})" if " " in shown and isinstance(parent, Dependent) else shown


def as_tuple(*items: Any) -> tuple[Any, ...]:
    """Return its arguments, as a tuple."""
    return items


def as_list(*items: Any) -> list[Any]:
    """Return its arguments, as a list."""
    return list(items)


@dataclasses.dataclass(frozen=True)
class AsDict:
    """Returns its arguments under keys, as a dict."""

    __name__: ClassVar[str] = "dict"
    keys: tuple[Any, ...]

    def __call__(self, *items: Any) -> dict[Any, Any]:
        return dict(zip(self.keys, items, strict=True))


as_tuple.__name__ = as_list.__name__ = ""  # formulas read (h, 3)


def lift(value: Any) -> Any:
    """Return `value`, or a dependent hyperparameter where it is a tuple, list or dict that holds one.

    So `kernel_size=(h, 3)` means what it seems to mean. Numbers of NumPy become Python's.
    """
    is_plain = value.__class__ in PLAIN or isinstance(value, Hyperparameter)
    return value if is_plain else _lifted(unboxed(value))


def _lifted(value: Any) -> Any:
    kind = value.__class__
    if kind in (tuple, list):
        items = [_lifted(item) for item in value]
        if any(isinstance(item, Hyperparameter) for item in items):
            return Dependent(as_tuple if kind is tuple else as_list, items)
    if kind is dict:
        items = [_lifted(item) for item in value.values()]
        if any(isinstance(item, Hyperparameter) for item in items):
            return Dependent(AsDict(tuple(value)), items)
    return value


def length_of(value: Any) -> int | None:
    """Return the length of a tuple or list, which may hold hyperparameters or be chosen among others of that length.

    Returns:
        None of anything else.
    """
    if value.__class__ in (tuple, list):
        return len(value)
    if isinstance(value, Dependent) and value.fn in (as_tuple, as_list):
        return len(value.parents)
    if isinstance(value, Independent) and isinstance(value.domain, Choice):
        lengths = {length_of(option) for option in value.domain.options}
        return lengths.pop() if len(lengths) == 1 else None
    return None
