"""Paths: what stands where in a program, programs with changes, and what differs between two."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from deep_arch.errors import BadArgument, UnknownAddress, is_kind, nearest, wrong_kind
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.likeness import alike, inside, itself
from deep_arch.language.parts import DELETE as DELETE
from deep_arch.language.parts import Part, as_part, children, is_part, key_step, with_children
from deep_arch.language.parts import walk as walk
from deep_arch.symbolic.calls import Symbolic, said

_SIMPLE: Final = re.compile(r"\[(0|[1-9][0-9]{0,17})\]|\.([^\W\d]\w*)")
_ADDABLE: Final = re.compile(r"\.[^\W\d]\w*\Z|\[.*\]\Z")


def get(program: Any, path: str | int) -> Any:
    """Return what stands at a path of a program, such as `model.op[2].filters`; of a call also a default.

    Raises:
        UnknownAddress: nothing stands there.
    """
    value, rest = program, _rest(program, path)
    while rest:
        step, value = _step(value, rest, path)
        rest = rest[len(step) :]
    return value


def _rest(program: Any, path: Any) -> str:
    """Return a path from the outermost value, in which each step begins with its dot or bracket."""
    if type(path) is int:
        return f"[{path}]"
    if not is_kind(path, str):
        raise wrong_kind("path", "a text, such as 'model.op[2].filters'", path, "Take paths from walk(program).")
    part = as_part(program)
    if part is not None and part.__class__.opens and _leads(path, part.__class__.title(part)):
        path = path[len(part.__class__.title(part)) :]  # as addresses call what is the whole program
    return path if path.startswith(("[", ".")) or not path else f".{path}"


def _leads(path: str, step: str) -> bool:
    return path.startswith(step) and (len(path) == len(step) or path[len(step)] in ".[")


def _step(value: Any, rest: str, path: Any) -> tuple[str, Any]:
    """Return the step that the rest of a path begins with, and what stands there."""
    found = _below(value, rest)
    if found is None:
        raise _nothing_there(value, rest, path)
    return found


def _below(value: Any, rest: str) -> tuple[str, Any] | None:
    """Return the step that the rest of a path begins with, and what stands there; None where nothing does."""
    kind: type = value.__class__
    step = _SIMPLE.match(rest)
    if step is not None and _leads(rest, step[0]):  # without listing what else is there
        call = said(value) if isinstance(value, Symbolic) else None
        items: Any = call.args if call else value if kind in (list, tuple) else ()
        named: Any = call.kwargs if call else value if kind is dict else {}
        if step[1] is None and step[2] in named:
            return step[0], named[step[2]]
        if step[1] is not None and int(step[1]) < len(items):
            return step[0], items[int(step[1])]
        if kind is dict and step[1] is None:
            return None
    held = Symbolic.held_with_defaults(value) if isinstance(value, Symbolic) else children(value)
    fitting = [(step, child) for step, child in held if _leads(rest, step)]
    return max(fitting, key=lambda each: len(each[0]), default=None)


def _nothing_there(value: Any, rest: str, path: Any) -> UnknownAddress:
    steps = [step.lstrip(".") for step, _ in children(value)]
    first = re.split(r"(?<=.)[.\[]", rest, maxsplit=1)[0].lstrip(".")
    return UnknownAddress(
        f"{path}: nothing stands there.\n  Got {first!r} in {value!r:.80} ({type(value).__name__}), which has "
        f"{', '.join(steps[:20]) or 'nothing in it'}.\n  Take paths from walk(program).{nearest(first, steps)}"
    )


# --- changes ---------------------------------------------------------------------------------------------------------


def rebind(program: Any, changes: Any = None, /, **by_name: Any) -> Any:
    """Return a program with changes; the one that is given stays as it is, and unchanged parts of it are shared.

    Args:
        program: a recorded call, or whatever holds some.
        changes: path to new value; DELETE takes an item or argument away, and an argument that was left to its default
            or a new key of a dict is added. What stands in several places is changed in that one alone. Or a function
            of path, value and parent that returns what is to stand there. It is asked from the leaves up, so it is
            given values whose insides are changed already, and the parent as it was; what stands in several places
            is asked once, and what comes of it stands in all of them.
        by_name: new values of arguments of the outermost call.

    Raises:
        UnknownAddress: nothing stands at a path.
        BadArgument: changes are neither, one path lies within another, or a call does not take what it would get.

    Example:
        >>> import deep_arch as da
        >>> Conv, Net = da.symbolize(complex), da.symbolize(slice)
        >>> net = Net(Conv(real=8), None)
        >>> da.rebind(net, {"[0].real": 16})
        slice(complex(real=16), None)
        >>> da.rebind(net, lambda path, value, parent: da.choice([4, 8]) if path.endswith("real") else value)
        slice(complex(real=<hyperparameter: one of (4, 8)>), None)
    """
    if changes is not None and not is_kind(changes, Mapping):
        program, changes = _mapped(program, _checked(changes)), {}
    named: dict[Any, Any] = {**(changes or {}), **by_name}
    return _changed(program, named) if named else program


def _checked(fn: Any) -> Callable[[str, Any, Any], Any]:
    mend = "Write rebind(program, {'model.op': new}), or rebind(program, lambda path, value, parent: ...)."
    if isinstance(fn, Part | Hyperparameter) or not callable(fn):
        raise wrong_kind("rebind", "a dict from path to new value, or a function", fn, mend)
    try:
        inspect.signature(fn).bind("", None, None)
    except TypeError as error:
        raise BadArgument(
            f"rebind: the function is called with path, value and parent: {error}.\n  Got {fn!r}.\n  {mend}"
        ) from error
    except ValueError:  # a builtin without a signature
        pass
    return fn  # type: ignore[no-any-return]


class _Node:
    """A place of a program on the way to what changes.

    Attributes:
        value: what stands there.
        new: what is to stand there.
        inner: the places right below that change, by step.
        is_end: whether it is what changes.
    """

    __slots__ = ("inner", "is_end", "new", "value")

    def __init__(self, value: Any) -> None:
        self.value = self.new = value
        self.inner: dict[str, _Node] = {}
        self.is_end = False


def _changed(program: Any, changes: Mapping[Any, Any]) -> Any:
    root = _Node(program)
    for path, new in changes.items():
        node, rest = root, _rest(program, path)
        while rest and not node.is_end:
            step, value = _step_or_new(node.value, rest, path)
            node = node.inner.setdefault(step, _Node(value))
            rest = rest[len(step) :]
        if node.is_end or node.inner:
            raise BadArgument(
                f"rebind: one change lies within another, at {path}.\n  Got {', '.join(map(str, changes))}.\n"
                "  Make the inner change in the new value, or call rebind again on the result."
            )
        node.is_end, node.new = True, new
    nodes = [root]
    for node in nodes:
        nodes += node.inner.values()
    for node in reversed(nodes):
        if node.inner:
            node.new = _with_inner(node)
    return root.new


def _step_or_new(value: Any, rest: str, path: Any) -> tuple[str, Any]:
    found = _below(value, rest)
    if found is None:
        takes_more = value.__class__ is dict or (isinstance(value, Symbolic) and rest[0] == ".")
        if not takes_more or not _ADDABLE.match(rest):
            raise _nothing_there(value, rest, path)
        found = rest, DELETE
    return found


def _with_inner(node: _Node) -> Any:
    value, inner = node.value, node.inner
    held = children(value)
    here = {step for step, _ in held}
    added = {step: child for step, child in inner.items() if step not in here}
    if isinstance(value, Symbolic) and added:
        return _with_more(value, inner, added)
    kept = [inner[step].new if step in inner else child for step, child in held]
    changed = any(new is not child for new, (_, child) in zip(kept, held, strict=True))
    changed_value: Any = with_children(value, kept) if changed else value
    if not added:
        return changed_value
    for step, child in added.items():
        if child.new is DELETE:
            raise _nothing_there(value, step, step.lstrip("."))
    return {**changed_value, **{_key(step): child.new for step, child in added.items()}}


def _with_more(call: Symbolic, inner: Mapping[str, _Node], added: Mapping[str, _Node]) -> Any:
    """Return a call with arguments that were left to their defaults; to delete such an argument leaves it so."""
    own = said(call)
    args = [inner[step].new if (step := f"[{i}]") in inner else value for i, value in enumerate(own.args)]
    named = {key: inner[step].new if (step := key_step(key)) in inner else value for key, value in own.kwargs.items()}
    for step, child in added.items():
        if step[0] == "." and child.new is not DELETE:
            named[step[1:]] = child.new
        elif child.new is not DELETE:
            position = int(step[1:-1])
            for i in range(len(args), position):  # those between are said as well, since these have no names
                args.append(get(call, i))
            args[position:] = [child.new]
    args = [value for value in args if value is not DELETE]
    named = {key: value for key, value in named.items() if value is not DELETE}
    return call.__class__.with_arguments(call, args, named)


def _key(step: str) -> Any:
    if step[0] == ".":
        return step[1:]
    try:
        return ast.literal_eval(step[1:-1])
    except (SyntaxError, ValueError) as error:
        raise UnknownAddress(
            f"{step}: expected a new key of a dict.\n  Got what is no text and no number.\n"
            "  Write it as repr does, such as ['a key'], or give the whole dict."
        ) from error


def _mapped(program: Any, fn: Callable[[str, Any, Any], Any]) -> Any:
    """Return a program in which everything is what a function returns for it, asked from the leaves up."""
    memo: dict[int, tuple[Any, Any]] = {}  # with what it is of, which keeps its identity
    found: list[Any] = []
    todo: list[tuple[str, Any, Any, int | None]] = [("", program, None, None)]
    while todo:
        path, value, parent, n = todo.pop()
        shared = isinstance(value, Hyperparameter | Part)
        if n is None and shared and id(value) in memo:
            found.append(memo[id(value)][1])
            continue
        if n is None:
            inner = _asked(value)
            todo.append((path, value, parent, len(inner)))
            todo += [(path + step, child, value, None) for step, child in reversed(inner)]
            continue
        held = found[len(found) - n :]
        del found[len(found) - n :]
        new = fn(path.lstrip("."), _of(value, held, path), parent)
        if shared:
            memo[id(value)] = value, new
        found.append(new)
    return found[0]


def _asked(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Hyperparameter) and not is_part(value):
        return [("", parent) for parent in _parents(value) if isinstance(parent, Hyperparameter)]
    return children(value)


def _parents(value: Any) -> tuple[Any, ...]:
    return value.parents if isinstance(value, Dependent | Independent) else ()


def _of(value: Any, held: list[Any], path: str) -> Any:
    """Return a value with other things in it; itself where they are the same."""
    if all(new is old for new, (_, old) in zip(held, _asked(value), strict=True)):
        return value
    if not isinstance(value, Dependent | Independent) or is_part(value):
        return with_children(value, held)
    if any(new is DELETE for new in held):
        raise BadArgument(
            f"{path.lstrip('.')}: is computed from what is to be deleted.\n  Got DELETE for a parent of {value!r}.\n"
            "  Delete or replace the formula, or give the parent another value."
        )
    decided = iter(held)
    held = [next(decided) if isinstance(parent, Hyperparameter) else parent for parent in value.parents]
    is_plain = not any(isinstance(parent, Hyperparameter) for parent in held)
    if isinstance(value, Dependent):
        return value.call(held, path.lstrip(".")) if is_plain else value.of(held)
    depending = value.depending
    assert depending is not None, "what has parents depends on them"
    domain: Any = depending.at(held, path) if is_plain else depending.of(held)
    return Independent(domain, value.name, value.tag)


# --- differences -----------------------------------------------------------------------------------------------------


def diff(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two programs: path to what stands there in one and in the other.

    DELETE stands for what is not there. `rebind(one, {path: new for path, (_, new) in diff(one, other).items()})` is
    equal to the other. Where that takes more than changes of single places, such as that one decision became two,
    the whole is one entry, whose path is empty.

    Example:
        >>> import deep_arch as da
        >>> Conv = da.symbolize(complex)
        >>> diff(Conv(real=8), Conv(real=16, imag=1))
        {'real': (8, 16), 'imag': (0, 1)}
    """
    found = place_by_place(one, other)
    changes = {path: new for path, (_, new) in found.items()}
    return found if alike(rebind(one, changes), other) else {"": (one, other)}


def place_by_place(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Return what `diff` does, but for what stands in several places as one in only one of the programs."""
    found: dict[str, tuple[Any, Any]] = {}
    seen: set[tuple[int, int]] = set()
    todo = [("", one, other)]
    while todo:
        path, a, b = todo.pop()
        if isinstance(a, Part) and (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        held, others = _compared(a), _compared(b)
        descends = held.keys() == others.keys() or (a.__class__ is dict and b.__class__ is dict)
        if not descends or itself(a) != itself(b) or not _is_decided_alike(a, b):
            if not alike(a, b):
                found[path.lstrip(".")] = a, b
            continue
        for step in reversed(dict.fromkeys([*held, *others])):
            if step in held and step in others:
                todo.append((path + step, held[step], others[step]))
            else:
                found[(path + step).lstrip(".")] = held.get(step, DELETE), others.get(step, DELETE)
    return found


def _compared(value: Any) -> dict[str, Any]:
    """Return what is inside a value and has a path, of calls with their defaults."""
    return {} if isinstance(value, Hyperparameter) else {step: v for step, v in inside(value) if step != "."}


def _is_decided_alike(a: Any, b: Any) -> bool:
    """Return whether hyperparameters are alike, and the own ones of choices."""
    if isinstance(a, Part) and isinstance(b, Part):
        return alike(a.__class__.decided_by(a), b.__class__.decided_by(b))
    return not isinstance(a, Hyperparameter) or alike(a, b)
