"""Substitution modules: modules that stand for graph that is not built yet.

When its hyperparameters have values, a substitution is replaced by what its function returns for them.
A function `fn` is a function of values that returns values, or a callable without required arguments that
returns a module, or a module itself, every use of which shares its parameters. It must be pure: the same
values give the same graph.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from deep_arch.errors import ArityMismatch, BadArgument, InvalidDomain, ValueOutsideDomain, wrong_kind
from deep_arch.language.dependence import evaluate, roots
from deep_arch.language.domains import Choice, Domain, Integer, Permutation
from deep_arch.language.fragment import Fragment, recording
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.language.values import Value

Fn = Any
"""A function of values, a callable without required arguments that returns a module, or a module."""


class Substitution(Module):
    """A module that stands for graph that is not built yet."""

    substitution: ClassVar[bool] = True

    def __init__(self, arguments: Mapping[str, Any], name: str | None = None, default_name: str = "") -> None:
        self._memories: dict[int, dict[Any, Fragment]] = {}
        self._probing = False
        self.made_in = recording()
        super().__init__(arguments, name, default_name)

    @abstractmethod
    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        """Compose what stands in this module's place, and return its outputs."""

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        """Return what the addresses of everything inside add to this module's own.

        Raises:
            ValueOutsideDomain: the arguments have values that mean nothing here.
        """
        return ""

    def enclosing(self, program: Program) -> Fragment:
        """Return the fragment whose things the function may use."""
        return self.made_in or program.root

    def expansions(self, n_inputs: int) -> dict[Any, Fragment]:
        return self._memories.setdefault(n_inputs, {})

    def count_outputs(self, n_inputs: int) -> int:
        """Return how many values a call gives, by unfolding it once at the first values of its hyperparameters."""
        made_in = self.made_in
        if self._probing or made_in is None:
            raise ArityMismatch(
                f"{self.base_name}: the number of outputs is not known yet, so the result cannot be unpacked.\n"
                "  Index the outputs that you need: `pair = module(x); pair[0]`."
            )
        self._probing = True
        try:
            arguments = [h for _, h in self.open_arguments]
            first = {h: _first_value(h.domain) for h in roots(arguments)}
            values = tuple([evaluate(h, first) for h in arguments])
            fragment = made_in.program.expand(self, values, n_inputs, made_in.where(self))
            only = fragment.outputs[0]
            if len(fragment.outputs) > 1 or only.port is not None or only.levels or only.place < n_inputs:
                return len(fragment.outputs)
            call = fragment.call_at[only.place]
            return call.module.count_outputs(len(call.inputs))
        finally:
            self._probing = False


def _first_value(domain: Domain) -> Any:
    return next(domain.values()) if domain.size < float("inf") else getattr(domain, "low", None)


# --- applying functions ------------------------------------------------------------------------------------------


def _arity(fn: Callable[..., Any]) -> tuple[int, float]:
    """Return the least and the greatest number of positional arguments that `fn` takes."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return 1, float("inf")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    least = sum(p.default is p.empty for p in positional)
    return least, float("inf") if variadic else len(positional)


def apply(fn: Fn, inputs: Sequence[Value], where: str) -> Any:
    """Compose `fn` onto `inputs`, whichever of the three kinds of function it is.

    Raises:
        BadArgument: `fn` is none of the three.
        ArityMismatch: `fn` takes another number of values.
    """
    if isinstance(fn, Module):
        return fn(*inputs)
    check_fn(fn, where)
    least, most = _arity(fn)
    if least == 0 and most != float("inf"):
        made = fn()
        if isinstance(made, Value) or not callable(made):
            raise BadArgument(
                f"{where}: a function without required arguments returns a module.\n  Got {made!r} "
                f"({type(made).__name__}).\n  To return values, take the inputs as parameters: `lambda x: ...`."
            )
        return apply(made, inputs, where)
    if not least <= len(inputs) <= most:
        takes = f"{least}" if least == most else f"at least {least}" if most == float("inf") else f"{least} to {most}"
        raise ArityMismatch(
            f"{where}: the function {_shown(fn)} takes {takes} values.\n  Got {len(inputs)}.\n"
            "  Give the function one parameter for each value that the module is called on."
        )
    return fn(*inputs)


def check_fn(fn: Fn, where: str) -> None:
    """Raise BadArgument unless `fn` can be a function of a substitution."""
    if isinstance(fn, Value) or not callable(fn):
        raise BadArgument(
            f"{where}: expected a function of values, a function that makes a module, or a module.\n"
            f"  Got {fn!r} ({type(fn).__name__}).\n  Write `lambda x: ...` or `lambda: ops.ReLU()`."
        )
    if isinstance(fn, type) and issubclass(fn, Module) and _arity(fn)[0]:
        required = [p.name for p in inspect.signature(fn).parameters.values() if p.default is p.empty]
        raise BadArgument(
            f"{where}: {fn.__name__} cannot be made without {', '.join(required)}.\n  Got the class itself.\n"
            f"  Write a function that makes it: `lambda: ops.{fn.__name__}({', '.join(f'{r}=...' for r in required)})`."
        )


def _shown(fn: Any) -> str:
    return getattr(fn, "__name__", None) or repr(fn)


def _several(returned: Any, n: int, where: str) -> list[Value]:
    """Return `n` values out of what a function returned, where `n` of them go on.

    Raises:
        ArityMismatch: it is another number of values.
    """
    if isinstance(returned, Value):
        if n == 1:
            return [returned]
        if returned.port is None and returned.index >= returned.fragment.n_inputs:
            return [returned[i] for i in range(n)]
    values = _as_values(returned, where)
    if len(values) != n:
        raise ArityMismatch(
            f"{where}: the function must give as many values as it takes, {n}.\n  Got {len(values)}.\n"
            "  Return one value for each input."
        )
    return values


def _as_values(returned: Any, where: str) -> list[Value]:
    """Return what a function returned as a list of values."""
    if isinstance(returned, Value):
        return [returned]
    given: Any = [returned[key] for key in returned] if returned.__class__ is dict else returned
    values: list[Any] = list(given) if hasattr(given, "__iter__") else [given]
    if not all(isinstance(value, Value) for value in values):
        raise wrong_kind(where, "a function that returns values", returned, "Return what modules give when called.")
    return values


class _Copy(Substitution):
    """One of several copies of a function in the unfolding of a substitution.

    Copies of one function share what it unfolds to; their hyperparameters and parameters are their own.
    """

    def __init__(self, of: Substitution, fn: Fn, index: int, memories: dict[int, dict[Any, Fragment]]) -> None:
        super().__init__({}, default_name=f"[{index}]")
        self._of, self._fn, self._memories = of, fn, memories

    def lexical_levels(self, fragment: Fragment) -> int:
        return fragment.levels_to(self._of.owner, self)

    def enclosing(self, program: Program) -> Fragment:
        return self._of.enclosing(program)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return apply(self._fn, inputs, _here(self))


class _Parts(Substitution):
    """A substitution that composes copies of functions."""

    in_copies = True

    def __init__(self, fns: Sequence[Fn], arguments: Mapping[str, Any], name: str | None) -> None:
        self._fns = fns
        self._shared: list[dict[int, dict[Any, Fragment]]] = [{} for _ in fns]
        super().__init__(arguments, name)
        for fn in fns:
            check_fn(fn, _here(self))

    def _copy(self, index: int, inputs: Sequence[Value], of: int | None = None) -> Value:
        of = index if of is None else of
        return _Copy(self, self._fns[of], index, self._shared[of])(*inputs)


def _hashes(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _check_several(fns: object, where: str) -> None:
    if not hasattr(fns, "__iter__"):
        raise wrong_kind(where, "several functions, as a list", fns, "Write a list of functions that make modules.")


def _here(module: Module) -> str:
    return module.owner.where(module) if module.owner is not None else module.base_name


def _check_times(module: Substitution, times: Any) -> None:
    """Raise InvalidDomain if a plain `times`, or one that it could become, is not an int of at least 0."""
    domain = times.domain if isinstance(times, Independent) else None
    if isinstance(times, Dependent) or (isinstance(domain, Integer) and domain.low >= 0):
        return
    values = domain.values() if isinstance(domain, Choice) else [domain or times]
    for value in values:
        if type(value) is not int or value < 0:
            raise InvalidDomain(
                f"{_here(module)}: times must be an int of at least 0, or a hyperparameter of such.\n"
                f"  Got {value!r} ({type(value).__name__}).\n  Use da.choice([1, 2, 4]) or da.integer(0, 3)."
            )


def _times(times: Any, address: str) -> int:
    if type(times) is not int or times < 0:
        raise ValueOutsideDomain(
            f"{address}.times: {times!r} is not an int of at least 0.\n"
            f"  Got {times!r} ({type(times).__name__}) from the hyperparameters that it depends on.\n"
            "  Change their domains or the function that computes it; // divides into ints."
        )
    return times


# --- the substitutions -------------------------------------------------------------------------------------------


class Repeat(_Parts):
    """`fn` applied `times` times in a row; see `repeat`."""

    def __init__(self, fn: Fn, times: Any, name: str | None = None) -> None:
        super().__init__([fn], {"times": times}, name)
        _check_times(self, self.arguments["times"])

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        _times(arguments["times"], address)
        return ""

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        values = list(inputs)
        for i in range(arguments["times"]):
            values = _several(self._copy(i, values, 0), len(inputs), _here(self))
        return values


class Optional(Substitution):
    """`fn` or the identity; see `optional`."""

    def __init__(self, fn: Fn, use: Any = None, name: str | None = None) -> None:
        self._fn = fn
        super().__init__({"use": Independent(Choice((False, True))) if use is None else use}, name)
        check_fn(fn, _here(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return apply(self._fn, inputs, _here(self)) if arguments["use"] else inputs


class Or(Substitution):
    """One of several functions; see `or_`."""

    def __init__(self, fns: Iterable[Fn] | Mapping[Any, Fn], which: Any = None, name: str | None = None) -> None:
        self._fns: dict[Any, Fn] = dict(fns) if isinstance(fns, Mapping) else dict(enumerate(fns))  # pyright: ignore[reportUnknownArgumentType]
        if not self._fns:
            raise InvalidDomain(
                "or: expected at least one function.\n  Got none.\n  Give a list or a dict of functions."
            )
        super().__init__({"which": Independent(Choice(self._fns)) if which is None else which}, name)
        for fn in self._fns.values():
            check_fn(fn, _here(self))
        which = self.arguments["which"]
        if not isinstance(which, Hyperparameter):
            self.label({"which": which}, _here(self))
        elif isinstance(which, Independent) and which.domain.size < float("inf"):
            for value in which.domain.values():
                self.label({"which": value}, _here(self))

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        which = arguments["which"]
        if (
            not _hashes(which)
            or which not in self._fns
            or (isinstance(which, bool) and not any(key is which for key in self._fns))
        ):
            raise InvalidDomain(
                f"{address}.which: {which!r} names none of the functions {tuple(self._fns)!r}.\n"
                f"  Got {which!r} ({type(which).__name__}).\n"
                "  A list of functions is chosen by position from 0, a dict by key; change the domain of which."
            )
        return f"[{which}]"

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return apply(self._fns[arguments["which"]], inputs, _here(self))


class Permute(_Parts):
    """Several functions in some order; see `permute`."""

    order_immaterial = True

    def __init__(self, fns: Iterable[Fn], order: Any = None, name: str | None = None) -> None:
        fns = list(fns)
        super().__init__(fns, {"order": Independent(Permutation(range(len(fns)))) if order is None else order}, name)

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
            values = _several(self._copy(i, values), len(inputs), _here(self))
        return values


class SplitCombine(_Parts):
    """Copies of `fn` side by side, combined; see `split_combine`."""

    def __init__(self, fn: Fn, combine: Fn, times: Any, name: str | None = None) -> None:
        self._combine = combine
        super().__init__([fn], {"times": times}, name)
        check_fn(combine, _here(self))
        _check_times(self, self.arguments["times"])

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        _times(arguments["times"], address)
        return ""

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        branches = [self._copy(i, inputs, 0) for i in range(arguments["times"])]
        return apply(self._combine, branches, _here(self)) if branches else inputs


class DenseBlock(_Parts):
    """Copies of `fn`, each on all before it; see `dense_block`."""

    def __init__(self, fn: Fn, times: Any, combine: Fn, name: str | None = None) -> None:
        self._combine = combine
        super().__init__([fn], {"times": times}, name)
        check_fn(combine, _here(self))
        _check_times(self, self.arguments["times"])

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        _times(arguments["times"], address)
        return ""

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        if len(inputs) != 1:
            raise ArityMismatch(
                f"{_here(self)}: a dense block takes one value.\n  Got {len(inputs)}.\n  Combine them before it."
            )
        features, combined = list(inputs), inputs[0]
        for i in range(arguments["times"]):
            features.append(self._copy(i, [combined], 0))
            combined = apply(self._combine, features, _here(self))
        return combined


class Residual(Substitution):
    """`fn` beside a shortcut; see `residual`."""

    def __init__(self, fn: Fn, combine: Fn, project: Fn | None, name: str | None = None) -> None:
        self._fn, self._combine, self._project = fn, combine, project
        super().__init__({}, name)
        for each in (fn, combine, project):
            if each is not None:
                check_fn(each, _here(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        here = _here(self)
        main = _several(apply(self._fn, inputs, here), len(inputs), here)
        shortcut: Sequence[Value] = inputs
        if self._project is not None:
            shortcut = _several(apply(self._project, inputs, here), len(inputs), here)
        return [apply(self._combine, pair, _here(self)) for pair in zip(main, shortcut, strict=True)]


class Sequential(Substitution):
    """Functions one after another; see `sequential`."""

    def __init__(self, fns: Sequence[Fn], name: str | None = None) -> None:
        self._fns = fns
        super().__init__({}, name)
        for fn in fns:
            check_fn(fn, _here(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        values = list(inputs)
        for fn in self._fns:
            if len(values) == 1 and not isinstance(fn, Module) and (least := _arity(fn)[0]) > 1:
                values = _several(values[0], least, _here(self))
            values = _as_values(apply(fn, values, _here(self)), _here(self))
        return values


class Substitute(Substitution):
    """What a function of hyperparameter values makes; see `substitute`."""

    def __init__(self, fn: Callable[..., Any], arguments: Mapping[str, Any], name: str | None = None) -> None:
        self._fn = fn
        super().__init__(arguments, name)
        if isinstance(fn, Module) or not callable(fn):
            raise BadArgument(
                f"{_here(self)}: expected a function of the hyperparameters' values.\n  Got {fn!r}.\n"
                "  Write da.substitute(lambda n: ..., n=h)."
            )

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        try:
            inspect.signature(self._fn).bind(**arguments)
        except TypeError as error:
            raise BadArgument(
                f"{_here(self)}: the function {_shown(self._fn)} does not take the hyperparameters by name: {error}.\n"
                f"  Got {', '.join(arguments) or 'none'}.\n"
                "  Let its parameters have the names that substitute is given."
            ) from error
        return apply(self._fn(**arguments), inputs, _here(self))


def repeat(fn: Fn, times: Any, *, name: str | None = None) -> Repeat:
    """Return a module that is `fn` applied `times` times in a row; 0 times is the identity.

    Hyperparameters made inside `fn` are decided for each copy; those made outside are shared by all.
    `fn` must give as many values as it takes.

    Raises:
        InvalidDomain: `times` can be something else than an int of at least 0.
    """
    return Repeat(fn, times, name)


def optional(fn: Fn, use: Any = None, *, name: str | None = None) -> Optional:
    """Return a module that is `fn` where `use` is true and the identity where it is not."""
    return Optional(fn, use, name)


def or_(fns: Iterable[Fn] | Mapping[Any, Fn], which: Any = None, *, name: str | None = None) -> Or:
    """Return a module that is one of `fns`, chosen by position or, for a dict, by key.

    Raises:
        InvalidDomain: `which` can be something that names none of the functions.
    """
    _check_several(fns, "or")
    return Or(fns, which, name)


def permute(fns: Iterable[Fn], order: Any = None, *, name: str | None = None) -> Permute:
    """Return a module that is all of `fns` one after another, in an `order` of their positions."""
    _check_several(fns, "permute")
    return Permute(fns, order, name)


def split_combine(fn: Fn, combine: Fn, times: Any, *, name: str | None = None) -> SplitCombine:
    """Return a module that is `times` copies of `fn` on the same input, and `combine` of their results."""
    return SplitCombine(fn, combine, times, name)


def residual(fn: Fn, combine: Fn = None, project: Fn | None = None, *, name: str | None = None) -> Residual:
    """Return a module that is `combine(fn(x), x)`, or `combine(fn(x), project(x))`; `combine` is `ops.Add` if left out.

    References:
        He et al., Deep residual learning for image recognition (2016), equations 1 and 2.
    """
    from deep_arch import ops

    return Residual(fn, ops.Add if combine is None else combine, project, name)


def dense_block(fn: Fn, times: Any, combine: Fn = None, *, name: str | None = None) -> DenseBlock:
    """Return a module of `times` copies of `fn`, each on `combine` of the input and all results before it.

    The result is `combine` of the input and all results; `combine` is `ops.Concatenate` if left out.

    References:
        Huang et al., Densely connected convolutional networks (2017), equation 2.
    """
    from deep_arch import ops

    return DenseBlock(fn, times, ops.Concatenate if combine is None else combine, name)


def sequential(*fns: Fn, name: str | None = None) -> Sequential:
    """Return a module that is `fns` one after another."""
    return Sequential(fns, name)


def substitute(fn: Callable[..., Any], /, *, name: str | None = None, **hyperparameters: Any) -> Substitute:
    """Return a module that is what `fn` makes of the hyperparameters' values, given to it by name.

    `fn` returns a function of values, a function that makes a module, or a module.
    """
    return Substitute(fn, hyperparameters, name)
