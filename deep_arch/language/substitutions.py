"""The substitutions: repeat, optional, or, permute, split and combine, sequential, and the general one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import BadArgument, InvalidDomain, ValueOutsideDomain, is_kind, wrong_kind
from deep_arch.language.applying import Fn, apply, apply_part, arity, as_values, check_fn, several, shown
from deep_arch.language.copies import Copies, Parts
from deep_arch.language.domains import Choice
from deep_arch.language.foreign import plain
from deep_arch.language.formulas import needs_shapes
from deep_arch.language.holes import HOLE, Holed
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.modules import Module
from deep_arch.language.selection import OptionalByShape, OrByShape
from deep_arch.language.subsets import Permutation
from deep_arch.language.substitution import Substitution, where_is
from deep_arch.language.values import Value


class Repeat(Copies):
    """`fn` applied `times` times in a row; see `repeat`."""

    nested = True

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        values = list(inputs)
        for i in range(arguments["times"]):
            values = several(self.copy_of(i, values, 0), len(inputs), where_is(self))
        return values


class Optional(Substitution):
    """`fn` or the identity; see `optional`."""

    def __init__(self, fn: Fn, use: Any = None, name: str | None = None) -> None:
        self._fn = fn
        super().__init__({"use": Independent(Choice((False, True))) if use is None else use}, name)
        check_fn(fn, where_is(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return apply(self._fn, inputs, where_is(self)) if arguments["use"] else inputs


class Or(Substitution):
    """One of several functions; see `or_`."""

    def __init__(
        self, fns: Iterable[Fn] | Mapping[Any, Fn], which: Any = None, name: str | None = None, hole: Fn | None = None
    ) -> None:
        self._fns, self._hole = _by_key(fns), hole
        kind = Choice if hole is None else Holed
        super().__init__({"which": Independent(kind(self._fns)) if which is None else which}, name)
        for fn in self._everything.values():
            check_fn(fn, where_is(self))
        check_keys(self.arguments["which"], self._fns, where_is(self))
        if hole is not None:
            _check_hole(which, self._fns, where_is(self))

    @property
    def candidates(self) -> Mapping[Any, Fn]:
        """The functions by what chooses them, without the hole."""
        return self._fns

    @property
    def _everything(self) -> Mapping[Any, Fn]:
        return self._fns if self._hole is None else {**self._fns, HOLE: self._hole}

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        check_key(arguments["which"], self._everything, address)
        return f"[{arguments['which']}]"

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return apply(self._everything[arguments["which"]], inputs, where_is(self))


class Permute(Parts):
    """Several functions in some order; see `permute`."""

    order_immaterial = True

    def __init__(self, fns: Iterable[Fn], order: Any = None, name: str | None = None) -> None:
        fns = list(fns)
        order = tuple(order.tolist()) if hasattr(order.__class__, "tolist") else order  # of an array
        super().__init__(fns, {"order": Independent(Permutation(range(len(fns)))) if order is None else order}, name)

    @property
    def candidates(self) -> Mapping[Any, Fn]:
        """The functions by their positions."""
        return dict(enumerate(self._fns))

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        order: Any = arguments["order"]
        if order.__class__ not in (tuple, list) or [*map(order.count, range(len(self._fns)))] != [1] * len(order):
            raise ValueOutsideDomain(
                f"{address}.order: {order!r} is not an order of the {len(self._fns)} functions.\n"
                f"  Got {order!r}.\n  Use da.permutation(range({len(self._fns)}))."
            )
        return ""

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        values = list(inputs)
        for i in arguments["order"]:
            values = several(self.copy_of(i, values), len(inputs), where_is(self))
        return values


class SplitCombine(Copies):
    """Copies of `fn` side by side, combined; see `split_combine`."""

    def __init__(self, fn: Fn, combine: Fn, times: Any, name: str | None = None) -> None:
        self._combine = combine
        super().__init__(fn, times, name)
        check_fn(combine, where_is(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        branches = [self.copy_of(i, inputs, 0) for i in range(arguments["times"])]
        return apply(self._combine, branches, where_is(self)) if branches else inputs


class Sequential(Substitution):
    """Functions one after another; see `sequential`."""

    lead = "/"

    def __init__(self, fns: Sequence[Fn], name: str | None = None) -> None:
        self._fns = fns
        super().__init__({}, name)
        for fn in fns:
            check_fn(fn, where_is(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        values = list(inputs)
        for i, fn in enumerate(self._fns):
            if len(values) == 1 and not isinstance(fn, Module) and (least := arity(fn)[0]) > 1:
                values = several(values[0], least, where_is(self))
            values = as_values(apply_part(fn, values, i, where_is(self)), where_is(self))
        return values


class Substitute(Substitution):
    """What a function of hyperparameter values makes; see `substitute`."""

    def __init__(
        self, fn: Callable[..., Any], arguments: Mapping[str, Any], name: str | None = None, closed: bool = False
    ) -> None:
        self._fn, self.closed = fn, closed
        super().__init__(arguments, name)
        if not is_kind(closed, bool):
            raise wrong_kind(where_is(self), "closed to be True or False", closed, "Give it a bool, or leave it out.")
        if isinstance(fn, Module | Hyperparameter) or not callable(fn):
            raise BadArgument(
                f"{where_is(self)}: expected a function of the hyperparameters' values.\n  Got {fn!r}.\n"
                "  Write da.substitute(lambda n: ..., n=h)."
            )

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        try:
            inspect.signature(self._fn).bind(**arguments)
        except TypeError as error:
            raise BadArgument(
                f"{where_is(self)}: the function {shown(self._fn)} does not take the hyperparameters by "
                f"name: {error}.\n"
                f"  Got {', '.join(arguments) or 'none'}.\n"
                f"  Let its parameters have the names that substitute is given. {_INPUTS}"
            ) from error
        made = self._fn(**arguments)
        if is_kind(made, Value | tuple | list) or made is None:
            raise BadArgument(
                f"{where_is(self)}: expected {shown(self._fn)} to return a function of values, a function that makes "
                f"a module, or a module.\n  Got {made!r} ({made.__class__.__name__}).\n  {_INPUTS}"
            )
        return apply(made, inputs, where_is(self))


_INPUTS: Final = (
    "The values of the hyperparameters reach it, and the inputs reach the function that it returns: "
    "da.substitute(lambda n: lambda x: ops.Dense(n)(x), n=h)(x)."
)


def repeat(fn: Fn, times: Any, *, name: str | None = None) -> Repeat:
    """Return a module that is `fn` applied `times` times in a row; 0 times is the identity.

    Hyperparameters made inside `fn` are decided for each copy; those made outside are shared by all.
    `fn` must give as many values as it takes.

    Raises:
        InvalidDomain: `times` can be something else than an int of at least 0.
    """
    return Repeat(fn, times, name)


def optional(fn: Fn, use: Any = None, *, name: str | None = None) -> Optional | OptionalByShape:
    """Return a module that is `fn` where `use` is true and the identity where it is not.

    Where `use` is a formula of shapes (see `channels`), `fn` is part of the graph until these are known.
    """
    return OptionalByShape(fn, use, name) if needs_shapes(use) else Optional(fn, use, name)


def or_(
    fns: Iterable[Fn] | Mapping[Any, Fn], which: Any = None, *, name: str | None = None, hole: Fn | None = None
) -> Or | OrByShape:
    """Return a module that is one of `fns`, chosen by position or, for a dict, by key.

    Where `which` is a formula of shapes (see `channels`), all of `fns` are part of the graph until these are known.

    Args:
        fns: the alternatives.
        which: what chooses; a choice of its own if left out.
        name: of the module.
        hole: what stands in while nothing is chosen, such as a network in place of a part of a program that is not
            written yet. It is called like an alternative, under the value "hole", which states and architectures may
            have (`space.partial`, `assign`, `Architecture.completed`); no program has it, so it is not counted, listed,
            drawn or searched, and `space.at` refuses it.

    Raises:
        InvalidDomain: no functions, or `which` can be something that names none of them; an alternative is called
            "hole", where there is a hole.
        BadArgument: a hole beside `which`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.rule
        ... def expr():
        ...     parts = {"leaf": ops.ReLU, "pair": lambda x: ops.Add()(expr()(x), expr()(x))}
        ...     return da.or_(parts, hole=lambda: ops.Dense(16))
        >>> net = da.space(lambda x: expr()(x))
        >>> net.limit(max_depth=2).size()
        2
        >>> net.partial({"expr/or.which": "pair"}).completed().values
        {'expr/or.which': 'pair', 'expr/or[pair]/expr/or.which': 'hole', 'expr/or[pair]/expr_1/or.which': 'hole'}
    """
    _check_several(fns, "or")
    if needs_shapes(which) and hole is None:
        return OrByShape(_by_key(fns), which, name)
    return Or(fns, which, name, hole)


def permute(fns: Iterable[Fn], order: Any = None, *, name: str | None = None) -> Permute:
    """Return a module that is all of `fns` one after another, in an `order` of their positions."""
    _check_several(fns, "permute")
    return Permute(fns, order, name)


def split_combine(fn: Fn, combine: Fn, times: Any, *, name: str | None = None) -> SplitCombine:
    """Return a module that is `times` copies of `fn` on the same input, and `combine` of their results."""
    return SplitCombine(fn, combine, times, name)


def sequential(*fns: Fn, name: str | None = None) -> Sequential:
    """Return a module that is `fns` one after another.

    Each function is a part of its own: what it names is addressed as `sequential[0]/...`, `sequential[1]/...`, so that
    one function may be given twice. A module keeps the name that it has where it was made.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> block = lambda: ops.Dense(da.choice([8, 16], name="width"))
        >>> da.space(lambda x: da.sequential(block, ops.ReLU, block)(x)).sample(seed=0).values
        {'sequential[0]/width': 16, 'sequential[2]/width': 16}
    """
    return Sequential(fns, name)


def substitute(
    fn: Callable[..., Any], /, *, name: str | None = None, closed: bool = False, **hyperparameters: Any
) -> Substitute:
    """Return a module that is what `fn` makes of the hyperparameters' values, given to it by name.

    `fn` returns a function of values, a function that makes a module, or a module; the inputs of the module reach
    what it returns, and never `fn` itself.

    Args:
        fn: the function.
        name: of the module.
        closed: whether `fn` decides nothing more than it is given, whatever that is: it makes and uses no other
            hyperparameter, and its result depends on all inputs. Then the space is counted without running it, for
            any number of values. This is checked whenever it runs.
        hyperparameters: what is given to `fn`, by name.

    Raises:
        BadArgument: `fn` is no function; when it runs, it does not take the hyperparameters by name, returns none of
            the three, or is not closed where that is declared.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> def tower(depth, width):  # values of the hyperparameters
        ...     def build(x):  # the inputs
        ...         for _ in range(depth):
        ...             x = ops.Dense(units=width)(x)
        ...         return x
        ...     return build
        >>> net = da.space(lambda x: da.substitute(tower, depth=da.integer(1, 3), width=da.choice([8, 16]))(x))
        >>> net.size()
        6
    """
    return Substitute(fn, hyperparameters, name, closed)


def _by_key(fns: Iterable[Fn] | Mapping[Any, Fn]) -> dict[Any, Fn]:
    by_key: dict[Any, Fn] = dict(fns) if isinstance(fns, Mapping) else dict(enumerate(fns))  # pyright: ignore[reportUnknownArgumentType]
    if not by_key:
        raise InvalidDomain("or: expected at least one function.\n  Got none.\n  Give a list or a dict of functions.")
    return {plain(key): fn for key, fn in by_key.items()}


def check_key(which: Any, among: Mapping[Any, Any], address: str, what: str = "functions") -> None:
    """Raise InvalidDomain unless `which` is one of the keys."""
    if not _hashes(which) or which not in among or (isinstance(which, bool) and not any(key is which for key in among)):
        raise InvalidDomain(
            f"{address}.which: {which!r} names none of the {what} {tuple(among)!r}.\n"
            f"  Got {which!r} ({type(which).__name__}).\n"
            f"  A list of {what} is chosen by position from 0, a dict by key; change the domain of which."
        )


def check_keys(which: Any, among: Mapping[Any, Any], address: str, what: str = "functions") -> None:
    """Raise InvalidDomain if `which`, or what it is known to become, is none of the keys."""
    if not isinstance(which, Hyperparameter):
        check_key(which, among, address, what)
    elif isinstance(which, Independent) and which.depending is None and which.domain.size < float("inf"):
        for value in which.domain.values():
            check_key(value, among, address, what)


def _check_hole(which: Any, fns: Mapping[Any, Fn], address: str) -> None:
    if which is not None:
        raise wrong_kind(
            address, "a hole in a choice of its own", which, "Leave out which=, or the hole: da.or_(fns, hole=fn)."
        )
    if HOLE in fns:
        raise InvalidDomain(
            f"{address}: the alternative {HOLE!r} is the one that hole= gives.\n"
            f"  Got {tuple(fns)!r} beside a hole.\n  Rename the alternative, or leave out hole=."
        )


def _hashes(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _check_several(fns: object, where: str) -> None:
    if not hasattr(fns, "__iter__"):
        raise wrong_kind(where, "several functions, as a list", fns, "Write a list of functions that make modules.")
