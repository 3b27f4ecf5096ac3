"""Making hyperparameters: the functions by which a user writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import BadArgument, InvalidDomain, is_kind
from deep_arch.language.chosen_parts import ManyOf, chosen
from deep_arch.language.depending import Depending
from deep_arch.language.domains import Choice, Domain, Integer, Numeric, Real
from deep_arch.language.foreign import PLAIN
from deep_arch.language.formulas import needs_shapes
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent, lift
from deep_arch.language.late_binding import check_distinct
from deep_arch.language.options import distinct
from deep_arch.language.parts import is_part, things
from deep_arch.language.stepped import Stepped
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.weighted import Weighted, merged


def _listed(options: Any, kind: str) -> tuple[Any, ...]:
    mend = ""
    if is_kind(options, str | bytes | bytearray):
        mend = f"A text is one option. Did you mean da.{kind}([{options!r}])? Its letters are list({options!r})."
    elif is_kind(options, set | frozenset):
        mend = f"A set has another order in each process, and so would what is drawn: write da.{kind}(sorted(options))."
    elif hasattr(options.__class__, "columns"):
        mend = f"A table has columns and rows: write da.{kind}(list(options)) for the names of its columns."
    elif isinstance(options, Hyperparameter) or not hasattr(options, "__iter__") or getattr(options, "shape", 0) == ():
        mend = f"Write da.{kind}([1, 2, 3]), or da.{kind}(range(3))."
    if mend:
        raise InvalidDomain(
            f"{kind}: expected the options, as a list or another iterable.\n"
            f"  Got {options!r} ({type(options).__name__}).\n  {mend}"
        )
    return tuple(options)  # pyright: ignore[reportUnknownVariableType]


def _options(options: Any, kind: str) -> Any:
    """Return the options as a tuple, or the hyperparameter whose value they are."""
    if not isinstance(options, Hyperparameter):
        return lift(_listed(options, kind))
    if isinstance(options, Independent) and isinstance(options.domain, Numeric):
        raise InvalidDomain(
            f"{kind}: a hyperparameter that gives the options has lists for its values.\n  Got {options!r}.\n"
            f"  For a number up to it write da.integer(1, n); for some options out of several, "
            f"da.{kind}(da.dependent(lambda n: list(range(n)), n))."
        )
    return options


def _depending(
    kind: type[Domain], make: Callable[..., Domain], parents: Sequence[Any], written: Any = None
) -> Depending:
    """Return what stands for a domain until what it depends on has values; `written` are the options, if listed."""
    if any(map(needs_shapes, parents)):
        raise InvalidDomain(
            f"{kind.word}: a domain cannot depend on a shape, since values are chosen before shapes are known.\n"
            f"  Got {', '.join([repr(parent) for parent in parents if needs_shapes(parent)])}.\n"
            "  Choose within plain bounds, and compute the argument from both: da.dependent(min, h, da.channels(x))."
        )
    return Depending(kind, make, parents, None if isinstance(written, Hyperparameter) else written)


def _domain(
    kind: type[Domain], make: Callable[..., Domain], *arguments: Any, written: Any = None
) -> Domain | Depending:
    """Return the domain, or, where an argument is a hyperparameter, what stands for it."""
    if any(isinstance(argument, Hyperparameter) for argument in arguments):
        return _depending(kind, make, arguments, written)
    return kind(*arguments)


def _read(options: Any) -> Any:
    """Return options that can be looked at more than once."""
    return tuple(options) if isinstance(options, Iterator) else options  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _has_parts(options: Any) -> bool:
    """Return whether there are parts of programs among the options, or in lists and the like among them."""
    if is_kind(options, Mapping):
        options = [*options.values()]
    elif not is_kind(options, list | tuple):  # what is read only once, such as a generator, is listed before
        return False
    return any(is_part(held) for option in options if option.__class__ not in PLAIN for held in things(option))


def choice(
    options: Any,
    *,
    which: Any = None,
    weights: Sequence[float] | None = None,
    name: str | None = None,
    tag: str | None = None,
) -> Any:
    """Return a hyperparameter that is one of `options`, which may be anything, also unhashable.

    Where parts of a program are among the options (see `symbolize`), or in lists and the like among them, the
    result is a part itself: a choice between candidates, whose own hyperparameters are decided only where they are
    chosen. The value of such a choice is the candidate's position, or its key where `options` is a dict; both are
    part of addresses: `optimizer[sgd].lr`.

    Args:
        options: a list or another iterable; or a hyperparameter whose value is such a list. Hyperparameters among
            the options stand for their values, and options that are equal at some values are one there.
        which: for a choice between parts, a hyperparameter of positions or keys that decides it, so that several
            are decided together, or one by another.
        weights: how often each option is drawn, beside the others; all equally often if left out. `space.sample`,
            and whatever else draws from the domain, goes by them; counting, enumeration and equality do not.
        name: what its address ends in; if left out, it is called by what uses it.
        tag: a word for predicates, such as those of `space.where`.

    Raises:
        InvalidDomain: no options, two equal ones of one type, or weights that are not one number of at least 0 for
            each option.
    """
    options = _read(options)
    if which is not None or _has_parts(options):
        return chosen(
            options if isinstance(options, Mapping) else _listed(options, "choice"), which, weights, name, tag
        )
    written, options = options, _options(options, "choice")
    if isinstance(options, Hyperparameter):
        return Independent(_depending(Choice, _choice, (options, lift(weights)), written), name, tag)
    if any(map(callable, options)):
        check_distinct(options, "choice")
    return Independent(Choice(options) if weights is None else Weighted(options, weights), name, tag)


def _choice(options: Any, weights: Sequence[float] | None) -> Domain:
    return merged(_listed(options, "choice"), weights)


def boolean(*, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is False or True."""
    return Independent(Choice((False, True)), name, tag)


def integer(
    low: Any, high: Any, step: Any = 1, log: bool = False, *, name: str | None = None, tag: str | None = None
) -> Any:
    """Return a hyperparameter that is an integer from `low` to `high`, both included.

    Each of `low`, `high` and `step` is an int or a hyperparameter that gives one: `da.integer(1, n)`. With a `step`,
    the numbers are `low`, `low + step`, ...; on a `log` scale these too are drawn by their ratios.

    Raises:
        InvalidDomain: low > high, step < 1, or a log scale with low < 1. Where a bound is a hyperparameter, this is
            found out once it has a value; the error has the address and the values.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.space
        ... def net(x):
        ...     n = da.integer(1, 3, name="n")
        ...     return da.repeat(lambda: ops.Dense(units=da.integer(1, n)), 1)(x)
        >>> [tuple(architecture.values.values()) for architecture in net.enumerate()]
        [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)]
    """
    return Independent(_domain(Integer, Integer, low, high, step, log), name, tag)


def real(
    low: Any, high: Any, log: bool = False, step: Any = None, *, name: str | None = None, tag: str | None = None
) -> Any:
    """Return a hyperparameter that is a real number from `low` to `high`, both included.

    Each of `low`, `high` and `step` is a number or a hyperparameter that gives one. With a `step`, it is one of
    `low`, `low + step`, ..., exactly as one writes these, up to `high`: `da.real(0.1, 0.5, step=0.1)` has 5 values.

    Raises:
        InvalidDomain: low >= high, a bound that is not finite, step <= 0, or a log scale with low <= 0.
    """
    if step is None:
        return Independent(_domain(Real, Real, low, high, log), name, tag)
    return Independent(_domain(Stepped, Stepped, low, high, step, log), name, tag)


def subset(
    options: Any,
    size: Any,
    distinct: bool = True,
    ordered: bool = False,
    *,
    name: str | None = None,
    tag: str | None = None,
) -> Any:
    """Return a hyperparameter that is a tuple of `size` of the options.

    Unordered tuples stand in the order of the options. Of three options two can be taken in 3 ways,
    6 if `ordered`, 6 if not `distinct`, 9 if ordered and not distinct. The options, and the size, may be given by
    hyperparameters, as those of `choice`.

    Raises:
        InvalidDomain: no options, two equal ones, or a size that cannot be taken.
    """
    options = _read(options)
    if _has_parts(options):
        parts = _listed(options, "subset")
        return ManyOf(parts, Independent(Subset(range(len(parts)), size, distinct, ordered), name, tag))
    listed = _options(options, "subset")
    return Independent(_domain(Subset, _subset, listed, size, distinct, ordered, written=options), name, tag)


def _subset(options: Any, size: Any, distinct: bool, ordered: bool) -> Domain:
    return Subset(_differing(options, "subset"), size, distinct, ordered)


def permutation(options: Any, *, name: str | None = None, tag: str | None = None) -> Any:
    """Return a hyperparameter that is an order of all the options, as a tuple.

    The options may be given by hyperparameters, as those of `choice`.

    Raises:
        InvalidDomain: no options, or two equal ones.
    """
    options = _read(options)
    if _has_parts(options):
        parts = _listed(options, "permutation")
        return ManyOf(parts, Independent(Permutation(range(len(parts))), name, tag))
    listed = _options(options, "permutation")
    return Independent(_domain(Permutation, _permutation, listed, written=options), name, tag)


def _permutation(options: Any) -> Domain:
    return Permutation(_differing(options, "permutation"))


def _differing(options: Any, kind: str) -> tuple[Any, ...]:
    return distinct(_listed(options, kind))


MADE_BY: Final[Mapping[type[Domain], Callable[..., Domain]]] = {
    Choice: _choice,
    Integer: Integer,
    Real: Real,
    Stepped: Stepped,
    Subset: _subset,
    Permutation: _permutation,
}
"""What makes the domain of each kind where it depends on other hyperparameters, from the values of these."""


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
