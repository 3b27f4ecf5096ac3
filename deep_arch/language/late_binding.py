"""Late binding: variables that change between a function's being given to something and its running.

A function finds in the variables around it what they hold when it runs, which for functions given to substitutions is
later than they are written: a loop's variable has its last value by then. So what takes a function remembers what its
variables hold, by `bound`, and compares when the function runs, by `check_bound`; what takes several refuses, by
`check_distinct`, those that a loop made of one variable.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from types import CellType, FunctionType, MethodType
from typing import Any, Final, NamedTuple

from deep_arch.errors import LateBinding, is_kind
from deep_arch.language import bytecode
from deep_arch.language.options import same
from deep_arch.language.values import Value

_MOST_PARTS: Final = 100
"""Of a list or dict, so many items are searched for functions."""

_PLAIN: Final = (bool, int, float, complex, str, bytes)

_HOLDERS: Final = (list, tuple, dict)

_EMPTY: Final = object()
"""What a variable holds before it is bound: a function may use what is defined further down, and itself."""


class Bound(NamedTuple):
    """What a variable that a function uses held once: one of a function around it, or a global, which has no cell."""

    fn: Any
    name: str
    cell: CellType | None
    value: Any

    def now(self) -> Any:
        """Return what the variable holds now."""
        return self.fn.__globals__.get(self.name, _EMPTY) if self.cell is None else _content(self.cell)


def bound(*given: Any, global_too: bool = True) -> tuple[Bound, ...]:
    """Return what the variables hold that functions use, and that functions use which these lead to.

    Args:
        given: functions, whatever holds functions, such as lists and partials, and other things, which are ignored.
        global_too: whether to look at global numbers, texts and tuples; others, such as functions, are defined anew
            where a cell of a notebook runs again.
    """
    found: list[Bound] = []
    todo, seen = list(given), dict[int, Any]()
    while todo:
        thing = todo.pop()
        if not (callable(thing) or is_kind(thing, _HOLDERS)) or isinstance(thing, type) or id(thing) in seen:
            continue
        seen[id(thing)] = thing  # which keeps it, and its identity
        if isinstance(thing, FunctionType):
            here = [*_cells(thing), *(_globals(thing) if global_too else ())]
            found += here
            todo += [variable.value for variable in here]
            todo += (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
        else:
            todo += _parts(thing)
    return tuple(found)


def _cells(fn: FunctionType) -> Iterator[Bound]:
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        if (value := _content(cell)) is not _EMPTY:
            yield Bound(fn, name, cell, value)


def _globals(fn: FunctionType) -> Iterator[Bound]:
    for name in bytecode.names(fn.__code__):
        value = fn.__globals__.get(name, _EMPTY)
        if value.__class__ in _PLAIN or value.__class__ is tuple:
            yield Bound(fn, name, None, value)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _parts(thing: Any) -> Iterable[Any]:
    """Return what may be functions in something that is none itself."""
    if is_kind(thing, _HOLDERS):
        return itertools.islice(_items(thing), _MOST_PARTS)
    if is_kind(thing, functools.partial):
        return thing.func, thing.args, thing.keywords
    if isinstance(thing, MethodType):
        return (thing.__func__,)
    held = type(thing).__call__, *getattr(thing, "__dict__", {}).values()
    return [part for part in held if isinstance(part, FunctionType | MethodType | functools.partial)]


def _items(holder: Any) -> Iterable[Any]:
    items: Iterable[Any] = holder.values() if is_kind(holder, dict) else holder
    return items


def check_bound(variables: Iterable[Bound], where: str) -> None:
    """Check that variables hold what they held, as the functions that use them are about to run.

    Raises:
        LateBinding: one was bound to something else since. What the function itself binds does not count, nor what
            is equal: functions are if they have equal code and variables.
    """
    for variable in variables:
        now = variable.now()
        if now is variable.value or now is _EMPTY or _alike(variable.value, now):
            continue
        fn, name = variable.fn, variable.name
        if fn is now or fn is getattr(now, "__wrapped__", None) or bytecode.binds(fn.__code__, name):
            continue
        if variable.cell is None and not bytecode.reads_global(fn.__code__, name):
            continue
        raise LateBinding(
            f"{where}: {_named(fn)} was given while {name} was {_shown(variable.value)}, and runs after {name} was "
            f"bound to something else{_place(fn, name)}.\n"
            f"  Got {_shown(now)} ({type(now).__name__}), which is what the function would find in {name}.\n"
            + _mend(fn, name)
        )


def checked(fn: Callable[..., Any], where: str) -> Callable[..., Any]:
    """Return a function that checks the variables of `fn` whenever it runs; `fn` itself where it has none."""
    variables = bound(fn, global_too=False)
    if not variables:
        return fn

    @functools.wraps(fn)
    def checking(*args: Any) -> Any:
        check_bound(variables, where)
        return fn(*args)

    return checking


def check_distinct(given: Iterable[Any], where: str) -> None:
    """Check that functions given together are not one function, made several times around one variable of a loop.

    Args:
        given: functions, lists and dicts of them, and other things, which are ignored.
        where: for the message.

    Raises:
        LateBinding: they are, so that each would find the variable's last value.
    """
    listed = [fn for thing in given for fn in (_items(thing) if is_kind(thing, _HOLDERS) else (thing,))]
    functions = {id(fn): fn for fn in listed if isinstance(fn, FunctionType)}.values()
    if len({id(fn.__code__) for fn in functions}) == len(functions):
        return
    users: dict[Any, list[tuple[FunctionType, Bound]]] = {}
    for fn in functions:
        for variable in bound(fn):
            place = id(variable.cell) if variable.cell else (id(variable.fn.__globals__), variable.name)
            users.setdefault((fn.__code__, place), []).append((fn, variable))
    for (made, (fn, name, _, value)), *others in users.values():
        if others and bytecode.is_rebound_between(name, made, fn):
            raise LateBinding(
                f"{where}: {1 + len(others)} of the functions are one, {_named(made)}, made again and again in a loop "
                f"that binds {name} anew{_place(fn, name)}, so that each would find its last value.\n"
                f"  Got {_shown(value)} ({type(value).__name__}) as {name} in each.\n" + _mend(fn, name)
            )


def _alike(a: Any, b: Any, within: tuple[tuple[int, int], ...] = ()) -> bool:
    """Return whether two things that a variable held mean the same."""
    if a is b or (id(a), id(b)) in within:
        return True
    if type(a) is not type(b):
        return False
    within = (*within, (id(a), id(b)))
    if isinstance(a, Value):
        return a.fragment is b.fragment and (a.index, a.port) == (b.index, b.port)
    if isinstance(a, FunctionType):
        return a.__code__ == b.__code__ and _all_alike(_state(a), _state(b), within)
    if is_kind(a, functools.partial):
        return _all_alike([a.func, a.args, a.keywords], [b.func, b.args, b.keywords], within)
    if is_kind(a, _HOLDERS):
        other_keys = is_kind(a, dict) and [*a] != [*b]
        return not other_keys and _all_alike([*_items(a)], [*_items(b)], within)
    if hasattr(a, "__wrapped__"):  # rules and spaces are as alike as their functions
        return _alike(a.__wrapped__, getattr(b, "__wrapped__", None), within)
    try:
        return same(a, b)
    except Exception:  # whatever the user's own kinds raise, such as tensors of other shapes
        return False


def _all_alike(a: list[Any], b: list[Any], within: tuple[tuple[int, int], ...]) -> bool:
    return len(a) == len(b) and all(_alike(x, y, within) for x, y in zip(a, b, strict=True))


def _state(fn: FunctionType) -> list[Any]:
    return [fn.__defaults__, fn.__kwdefaults__, *map(_content, fn.__closure__ or ())]


def _named(fn: FunctionType) -> str:
    return f"{fn.__name__} ({bytecode.filename(fn.__code__)}:{fn.__code__.co_firstlineno})"


def _place(fn: FunctionType, name: str) -> str:
    place = bytecode.where_bound(name, fn)
    return f" ({place})" if place else ""


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _mend(fn: FunctionType, name: str) -> str:
    code = fn.__code__
    taken = ", ".join([*code.co_varnames[: code.co_argcount], f"{name}={name}"])
    written = f"lambda {taken}: ..." if fn.__name__ == "<lambda>" else f"def {fn.__name__}({taken}): ..."
    return (
        f"  Keep the value in a default argument, `{written}`, or make the function in another one, "
        f"`def make({name}): return ...`, and give make({name})."
    )
