"""Building: one callable out of an architecture of callables."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from deep_arch.backends.base import check_specified
from deep_arch.backends.python_backend.model import Block, Instruction, Loop, PythonProgram, note
from deep_arch.errors import BadArgument, NotSpecified, NotSupported
from deep_arch.language.modules import Module, Wrapped
from deep_arch.language.specs import Inputs
from deep_arch.language.wrapping import made_with
from deep_arch.measures.summaries import describe
from deep_arch.ops.plain_python import plain_function
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Graph, GraphCall
from deep_arch.spaces.regions import Item, Region, inputs_of, nested, outputs_of

Made: TypeAlias = tuple[Any, Callable[..., Any]]
"""What stands for a module in a program, and the function that runs."""


def build(architecture: Architecture, inputs: Inputs | None = None) -> PythonProgram:
    """Return a specified architecture as a callable that runs its modules one after another.

    Modules are made of factories with `da.wrap`. Each factory is called once here with the module's arguments, and what
    it returns is called on the values. Modules that were called several times share one such object.

    An operation of your own takes part by a method `to_python(self, *values)`, which returns its output, or a tuple of
    several. Of those in `ops` only `Identity` does, and some for numbers: `Add`, `Subtract`, `Multiply` and `Average`,
    of all that Python adds, `Maximum`, `Minimum`, `Where`, `ReLU`, `Sigmoid` and `Tanh`. A `da.scan` runs over any
    iterables of one length, and gives lists of what its steps give, or tuples where its first sequence is one.

    Args:
        architecture: a specified one.
        inputs: the specs of its inputs; needed where formulas of shapes decide something.

    Raises:
        NotSpecified: hyperparameters are left without a value, or formulas of shapes without `inputs`.
        NotSupported: an operation without `to_python`, or one without shape rule where `inputs` are given.
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
    graph = _settled(architecture, inputs)
    made: dict[str, Made] = {}
    block = _block(nested(graph), range(len(graph.inputs)), graph.outputs, made)
    return PythonProgram(
        architecture.space.name,
        graph.inputs,
        graph.output_names,
        graph.outputs_are_named,
        {address: thing for address, (thing, _) in made.items()},
        block,
    )


def _block(items: Sequence[Item], given: Sequence[int], outputs: Sequence[int], made: dict[str, Made]) -> Block:
    """Return what runs some calls in a row, from the values with the ids `given` to those with the ids `outputs`."""
    registers = _registers(items, given, outputs)
    instructions: list[Instruction] = []
    run: Callable[..., Any]
    for item in items:
        if isinstance(item, Region):
            run = _loop(item, made)
        else:
            address = item.module_address
            if address not in made:
                made[address] = _made(item)
            run = made[address][1]
        taken = [registers[i] for i in inputs_of(item)]
        instructions.append((item.address, run, _sole(taken), _sole([registers[i] for i in outputs_of(item)])))
    blank = (None,) * (max(registers.values(), default=-1) + 1 - len(given))
    return Block(tuple(instructions), tuple([registers[i] for i in outputs]), blank)


def _loop(region: Region, made: dict[str, Made]) -> Loop:
    body = _block(region.body, [*region.states, *region.frames, *region.captured], region.given, made)
    return Loop(region.address, body, len(region.states), len(region.frames), region.reverse)


def _settled(architecture: Architecture, inputs: Inputs | None) -> Graph:
    if inputs is not None:
        return architecture.settled(inputs)
    for call in architecture.graph.calls:
        if call.measured:
            raise NotSpecified(
                f"{call.address}: depends on the shape of a value, and python_backend.build was given no shapes.\n"
                f"  Got {describe(call)}.\n  Give it inputs=, the specs of the inputs, such as da.vector(8)."
            )
    return architecture.graph


def _made(call: GraphCall) -> Made:
    """Return what stands for a module in the program, and the function that runs.

    Raises:
        NotSupported: the module is an operation without `to_python`.
        BadArgument: its factory returned what cannot be called.
    """
    module = call.module
    alone = _alone(module)
    if (function := plain_function(alone)) is not None:
        return alone, function
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
        made: object = made_with(module.factory, module.arguments)
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in module.arguments.items())
        note(error, f"while making {address}{f' with {given}' if given else ''}")
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


def _sole(registers: Sequence[int]) -> Any:
    return registers[0] if len(registers) == 1 else tuple(registers)


def _registers(items: Sequence[Item], given: Sequence[int], outputs: Sequence[int]) -> dict[int, int]:
    """Return for each value the register in which the running program holds it.

    A register is used again as soon as no call needs its value, so that large values live no longer than in a function
    written by hand.
    """
    last_use: dict[int, int] = {i: position for position, item in enumerate(items) for i in inputs_of(item)}
    last_use |= dict.fromkeys(outputs, len(items))
    registers, free = {value: i for i, value in enumerate(given)}, list[int]()
    n_registers = len(registers)
    for position, item in enumerate(items):
        free += [registers[i] for i in dict.fromkeys(inputs_of(item)) if last_use[i] == position]
        for value in outputs_of(item):
            if not free:
                free.append(n_registers)
                n_registers += 1
            registers[value] = free.pop()
        free += [registers[i] for i in outputs_of(item) if i not in last_use]
    return registers
