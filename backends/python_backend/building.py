"""Plain Python: from an architecture of callables to one callable."""

from __future__ import annotations

import copy
import functools
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deep_arch.backends.base import check_specified
from deep_arch.errors import ArityMismatch, BadArgument, NotSupported, nearest
from deep_arch.language.modules import Module, Wrapped
from deep_arch.ops import Identity
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Graph, GraphCall

_namedtuple: Any = namedtuple  # type checkers want the names in the program's text

_Step = tuple[str, Callable[..., Any], Any, Any]
"""Of a call its address, what runs, and the places of its inputs and outputs: an int for one, a tuple for several."""


def build(architecture: Architecture) -> PythonProgram:
    """Return a specified architecture as a callable that runs its modules one after another.

    Modules are made of factories with `da.wrap`. Each factory is called once here with the module's arguments, and what
    it returns is called on the values. Modules that were called several times share one such object.

    An operation of your own takes part by a method `to_python(self, *values)`, which returns its output, or a tuple of
    several; of those in `ops` only the identity does.

    Raises:
        NotSpecified: hyperparameters are left without a value.
        NotSupported: an operation without `to_python`.
        BadArgument: a factory returned what cannot be called.

    Example:
        >>> import deep_arch as da
        >>> def power(exponent):
        ...     return lambda x: x**exponent
        >>> @da.space
        ... def polynomial(x):
        ...     return da.repeat(lambda: da.wrap(power)(exponent=da.choice([2, 3])), 2)(x)
        >>> program = build(polynomial.at({"repeat[0]/power.exponent": 2, "repeat[1]/power.exponent": 3}))
        >>> program
        <polynomial(x) -> output: repeat[0]/power, repeat[1]/power>
        >>> program(10), program(x=10), program.modules["repeat[0]/power"](10)
        (1000000, 1000000, 100)
    """
    check_specified(architecture, "python_backend")
    graph, places = architecture.graph, _places(architecture.graph)
    made: dict[str, tuple[Any, Callable[..., Any]]] = {}
    steps: list[_Step] = []
    for call in graph.calls:
        address = call.module_address
        if address not in made:
            made[address] = _made(call)
        run, taken, given = made[address][1], _at(places, call.inputs), _at(places, call.outputs)
        steps.append((call.address, run, _sole(taken), _sole(given)))
    return PythonProgram(
        architecture.space.name,
        graph.inputs,
        graph.output_names,
        {address: thing for address, (thing, _) in made.items()},
        tuple(steps),
        _at(places, graph.outputs),
        (None,) * (max(places, default=-1) + 1 - len(graph.inputs)),
    )


@dataclass(frozen=True, eq=False, repr=False)
class PythonProgram:
    """An architecture that runs as plain Python; see `build`.

    It takes the space's inputs in their order or by name, and returns a value, or a named tuple of several. It pickles
    when the objects in `modules` do.

    Attributes:
        name: that of the space.
        input_names: in their order.
        output_names: in their order. The named tuple has them as attributes where they are identifiers.
        modules: what the factories returned, by the addresses of the modules.
    """

    name: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    modules: Mapping[str, Any]
    _steps: tuple[_Step, ...]
    _outputs: tuple[int, ...]
    _blank: tuple[None, ...]

    def __call__(self, /, *values: Any, **named: Any) -> Any:
        """Run the modules on the inputs.

        An exception of a module goes through with a note of the call's address, from Python 3.11 on.

        Raises:
            BadArgument: an input is missing, unknown, or given twice.
            ArityMismatch: a module returned another number of values than it was to.
        """
        if named or len(values) != len(self.input_names):
            values = self._in_order(values, named)
        held: list[Any] = [*values, *self._blank]
        for address, run, taken, given in self._steps:
            try:
                result = run(held[taken]) if taken.__class__ is int else run(*[held[i] for i in taken])
            except Exception as error:
                _note(error, f"while running {address} of {self.name}")
                raise
            if given.__class__ is int:
                held[given] = result
            else:
                for place, part in zip(given, _parts(address, result, len(given)), strict=True):
                    held[place] = part
        if len(self._outputs) == 1:
            return held[self._outputs[0]]
        return _outputs_class(self.output_names)(*[held[i] for i in self._outputs])

    def _in_order(self, values: Sequence[Any], named: Mapping[str, Any]) -> tuple[Any, ...]:
        by_position = dict(zip(self.input_names, values, strict=False))
        missing = [name for name in self.input_names if name not in by_position and name not in named]
        wrong = [name for name in named if name in by_position or name not in self.input_names]
        if missing or wrong or len(values) > len(self.input_names):
            names = ", ".join(self.input_names) or "none"
            got = [f"{len(values)} by position"] * bool(values) + [", ".join(named)] * bool(named)
            raise BadArgument(
                f"{self.name}: expected each of its inputs once, by position or by name: {names}.\n"
                f"  Got {' and '.join(got) or 'none'}.\n"
                f"  Write {self.name}({', '.join([f'{name}=...' for name in self.input_names])})."
                + (nearest(wrong[0], missing) if wrong else "")
            )
        given = {**by_position, **named}
        return tuple([given[name] for name in self.input_names])

    def __repr__(self) -> str:
        shown = ", ".join([address for address, *_ in self._steps[:6]]) or "no calls"
        more = ", ..." if len(self._steps) > 6 else ""
        return f"<{self.name}({', '.join(self.input_names)}) -> {', '.join(self.output_names)}: {shown}{more}>"


# --- making ------------------------------------------------------------------------------------------------------


def _made(call: GraphCall) -> tuple[Any, Callable[..., Any]]:
    """Return what stands for a module in the program, and the function that runs.

    Raises:
        NotSupported: the module is an operation without `to_python`.
        BadArgument: its factory returned what cannot be called.
    """
    module = call.module
    if hasattr(module, "to_python") or isinstance(module, Identity):
        alone: Any = _alone(module)
        return alone, getattr(alone, "to_python", _identity)
    if isinstance(module, Wrapped):
        made = _called(module, call.module_address)
        return made, made
    raise NotSupported(
        f"{call.address}: python_backend has no meaning for {type(module).__name__}.\n  Got {module!r}.\n"
        "  Give the class a method `to_python(self, *values)` that returns its output, or make the module with "
        "da.wrap(factory)."
    )


def _called(module: Wrapped, address: str) -> Callable[..., Any]:
    try:
        made: object = module.factory(**module.arguments)
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in module.arguments.items())
        _note(error, f"while making {address}{f' with {given}' if given else ''}")
        raise
    if not callable(made):
        raise BadArgument(
            f"{address}: expected the factory to return what can be called on the inputs.\n"
            f"  Got {made!r} ({type(made).__name__}).\n"
            "  Wrap a function that returns a function, such as `da.wrap(lambda factor: lambda x: factor * x)`."
        )
    return made


def _alone(module: Module) -> Module:
    """Return a copy of a module that does not lead back to its space, whose functions seldom pickle."""
    alone = copy.copy(module)
    alone.owner = None
    return alone


def _identity(x: Any) -> Any:
    return x


def _at(places: Sequence[int], values: Iterable[int]) -> tuple[int, ...]:
    return tuple([places[i] for i in values])


def _sole(places: tuple[int, ...]) -> Any:
    return places[0] if len(places) == 1 else places


def _places(graph: Graph) -> list[int]:
    """Return for each value where the running program holds it.

    A place is used again as soon as no call needs its value, so that large values live no longer than in a function
    written by hand.
    """
    last_use: dict[int, int] = {i: position for position, call in enumerate(graph.calls) for i in call.inputs}
    last_use |= dict.fromkeys(graph.outputs, len(graph.calls))
    places, free = [*range(len(graph.inputs))], list[int]()
    n_places = len(places)
    for position, call in enumerate(graph.calls):
        free += [places[i] for i in dict.fromkeys(call.inputs) if last_use[i] == position]
        for _ in call.outputs:
            if not free:
                free.append(n_places)
                n_places += 1
            places.append(free.pop())
        free += [places[i] for i in call.outputs if i not in last_use]
    return places


# --- running -----------------------------------------------------------------------------------------------------


def _parts(address: str, result: Any, n: int) -> tuple[Any, ...]:
    """Return what a module with several outputs returned.

    Raises:
        ArityMismatch: it is not as many values.
    """
    parts: tuple[Any, ...] = tuple(result) if isinstance(result, Iterable) else (result,)
    if len(parts) != n:
        raise ArityMismatch(
            f"{address}: expected {n} values, as many as the module has outputs.\n"
            f"  Got {len(parts)}: {result!r} ({type(result).__name__}).\n"
            f"  Return {n} values, or write da.wrap(..., outputs={len(parts)})."
        )
    return parts


@functools.cache
def _outputs_class(names: tuple[str, ...]) -> Any:
    """Return the class of the named tuples with some names, which pickle although no module holds their class."""
    base = _namedtuple("Outputs", names, rename=True)  # a name that is no identifier gets its position
    return type("Outputs", (base,), {"__slots__": (), "__reduce__": lambda self: (_restored, (names, tuple(self)))})


def _restored(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return _outputs_class(names)(*values)


def _note(error: Exception, text: str) -> None:
    add_note = getattr(error, "add_note", None)
    if add_note is not None:  # Python 3.11
        add_note(text)
