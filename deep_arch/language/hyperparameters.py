"""Hyperparameters: named quantities that are open while a space is written.

An *independent* hyperparameter has a domain from which a searcher picks a value. A *dependent* one
is computed from others as soon as they all have values. Both belong to the fragment in whose
function they were made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from deep_arch.errors import BadArgument, DependentFailed, InvalidDomain, is_kind
from deep_arch.language import scope
from deep_arch.language.arithmetic import Arithmetic
from deep_arch.language.domains import Choice, Domain, Integer, Real
from deep_arch.language.foreign import PLAIN, unboxed
from deep_arch.language.subsets import Permutation, Subset

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

    def computed(self, fn: Callable[..., Any], *parents: Any) -> Dependent:
        """Return the hyperparameter that is `fn` of the parents' values."""
        return Dependent(fn, parents)


class Independent(Hyperparameter):
    """A hyperparameter whose value a searcher picks from `domain`."""

    __slots__ = ("domain", "draw")

    def __init__(self, domain: Domain, name: str | None = None, tag: str | None = None) -> None:
        self.domain = domain
        self.draw = domain.draw  # at hand for the inner loop of sampling
        super().__init__(name, tag)

    def __repr__(self) -> str:
        return f"<{self.name or 'hyperparameter'}: {self.domain}>"


class Dependent(Hyperparameter):
    """A hyperparameter computed from `parents`; a parent that is no hyperparameter stands for itself."""

    __slots__ = ("fn", "parents")

    def __init__(
        self, fn: Callable[..., Any], parents: Iterable[Any], name: str | None = None, tag: str | None = None
    ) -> None:
        self.fn = fn
        self.parents = tuple(lift(parent) for parent in parents)
        super().__init__(name, tag)

    def compute(self, arguments: Sequence[Any], where: str) -> Any:
        """Return the value at the parents' values.

        Raises:
            DependentFailed: the function raised.
        """
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

    def __repr__(self) -> str:
        return f"<{self.name or 'dependent'}: {self.symbol} of {', '.join(map(repr, self.parents))}>"


def _as_tuple(*items: Any) -> tuple[Any, ...]:
    return items


def _as_list(*items: Any) -> list[Any]:
    return list(items)


_as_tuple.__name__ = _as_list.__name__ = ""  # formulas read (h, 3)


def lift(value: Any) -> Any:
    """Return `value`, or a dependent hyperparameter where it is a tuple, list or dict that holds one.

    So `kernel_size=(h, 3)` means what it seems to mean. Numbers of NumPy become Python's.
    """
    return _lifted(unboxed(value))


def _lifted(value: Any) -> Any:
    kind = value.__class__
    if kind in (tuple, list):
        items = [_lifted(item) for item in value]
        if any(isinstance(item, Hyperparameter) for item in items):
            return Dependent(_as_tuple if kind is tuple else _as_list, items)
    if kind is dict:
        items = [_lifted(item) for item in value.values()]
        if any(isinstance(item, Hyperparameter) for item in items):
            keys = tuple(value)
            return Dependent(lambda *found: dict(zip(keys, found, strict=True)), items)
    return value


def _holds_hyperparameter(value: Any) -> bool:
    if value.__class__ in (tuple, list):
        return any(map(_holds_hyperparameter, value))
    return isinstance(value, Hyperparameter)


def _listed(options: Any, kind: str) -> tuple[Any, ...]:
    mend = ""
    if is_kind(options, str | bytes | bytearray):
        mend = f"A text is one option. Did you mean da.{kind}([{options!r}])? Its letters are list({options!r})."
    elif is_kind(options, Mapping) or hasattr(options.__class__, "columns"):  # a dict, or a table
        mend = (
            f"A choice is among keys or among values: write da.{kind}(list(options)), or da.{kind}(options.values())."
        )
    elif isinstance(options, Hyperparameter) or not hasattr(options, "__iter__") or getattr(options, "shape", 0) == ():
        mend = f"Write da.{kind}([1, 2, 3]), or da.{kind}(range(3))."
    if mend:
        raise InvalidDomain(
            f"{kind}: expected the options, as a list or another iterable.\n"
            f"  Got {options!r} ({type(options).__name__}).\n  {mend}"
        )
    given: Any = options
    return tuple(given)


def choice(options: Iterable[Any], *, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is one of `options`, which may be anything, also unhashable.

    Raises:
        InvalidDomain: no options, two equal ones of one type, or a hyperparameter among them.
    """
    options = _listed(options, "choice")
    if any(_holds_hyperparameter(option) for option in options):
        raise InvalidDomain(
            f"choice: options must be plain values.\n  Got a hyperparameter among {options!r}.\n"
            "  Choose between parts of a space with da.or_, or combine two choices with da.dependent."
        )
    return Independent(Choice(options), name, tag)


def boolean(*, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is False or True."""
    return Independent(Choice((False, True)), name, tag)


def integer(
    low: int, high: int, step: int = 1, log: bool = False, *, name: str | None = None, tag: str | None = None
) -> Any:
    """Return a hyperparameter that is an integer from `low` to `high`, both included.

    Raises:
        InvalidDomain: low > high, step < 1, or a log scale with low < 1 or a step.
    """
    return Independent(Integer(low, high, step, log), name, tag)


def real(low: float, high: float, log: bool = False, *, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is a real number from `low` to `high`, both included.

    Raises:
        InvalidDomain: low >= high, a bound that is not finite, or a log scale with low <= 0.
    """
    return Independent(Real(low, high, log), name, tag)


def subset(
    options: Iterable[Any],
    size: int,
    distinct: bool = True,
    ordered: bool = False,
    *,
    name: str | None = None,
    tag: str | None = None,
) -> Any:
    """Return a hyperparameter that is a tuple of `size` of the options.

    Unordered tuples stand in the order of the options. Of three options two can be taken in 3 ways,
    6 if `ordered`, 6 if not `distinct`, 9 if ordered and not distinct.

    Raises:
        InvalidDomain: no options, two equal ones, or a size that cannot be taken.
    """
    return Independent(Subset(_listed(options, "subset"), size, distinct, ordered), name, tag)


def permutation(options: Iterable[Any], *, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is an order of all the options, as a tuple.

    Raises:
        InvalidDomain: no options, or two equal ones.
    """
    return Independent(Permutation(_listed(options, "permutation")), name, tag)


def dependent(fn: Callable[..., Any], *parents: Any, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is `fn` of the parents' values, computed once they all have values.

    Parents may be independent, dependent, or plain values; one may appear twice.

    Raises:
        BadArgument: `fn` is not callable.
    """
    if not callable(fn) or isinstance(fn, Hyperparameter):
        raise BadArgument(
            f"dependent: the first argument is the function, the others its parents.\n  Got {fn!r}.\n"
            "  Write da.dependent(lambda a, b: a + b, first, second)."
        )
    return Dependent(fn, parents, name, tag)
