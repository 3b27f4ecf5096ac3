"""What a built program is: a callable that runs the modules of an architecture one after another."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from deep_arch.errors import ArityMismatch, BadArgument, ShapeMismatch, is_kind, nearest, wrong_kind

_namedtuple: Any = namedtuple  # type checkers want the names in the program's text

Instruction: TypeAlias = tuple[str, Callable[..., Any], Any, Any]
"""Of a call its address, what runs, and the registers of inputs and outputs: an int for one, a tuple for several."""


@dataclass(frozen=True, eq=False)
class Block:
    """Calls in a row.

    Attributes:
        instructions: in their order.
        outputs: the registers of what comes out.
        blank: what the registers hold at first that no input is put into.
    """

    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]
    blank: tuple[None, ...]

    def run(self, values: Iterable[Any], name: str) -> list[Any]:
        """Return what comes out of the calls; `name` is that of what they belong to, for notes of errors."""
        held: list[Any] = [*values, *self.blank]
        for address, run, taken, given in self.instructions:
            try:
                result = run(held[taken]) if taken.__class__ is int else run(*[held[i] for i in taken])
            except Exception as error:
                note(error, f"while running {address} of {name}")
                raise
            if given.__class__ is int:
                held[given] = result
            else:
                for register, part in zip(given, _parts(address, result, len(given)), strict=True):
                    held[register] = part
        return [held[i] for i in self.outputs]


@dataclass(frozen=True, eq=False)
class Loop:
    """A block that runs once for each frame of its sequences; see `da.scan`."""

    address: str
    body: Block
    carry: int
    n_sequences: int
    reverse: bool

    def __call__(self, *values: Any) -> Any:
        """Return the last states, and what the steps give, from states, sequences, and what the body reads besides."""
        end = self.carry + self.n_sequences
        states, captured = list(values[: self.carry]), values[end:]
        steps: list[list[Any]] = []
        for frames in self._frames(values[self.carry : end]):
            given = self.body.run([*states, *frames, *captured], self.address)
            states = given[: self.carry]
            steps.append(given[self.carry :])
        if self.reverse:
            steps.reverse()
        kind = tuple if isinstance(values[self.carry], tuple) else list
        n_results = len(self.body.outputs) - self.carry
        found = (*states, *[kind([step[i] for step in steps]) for i in range(n_results)])
        return found[0] if len(found) == 1 else found

    def _frames(self, sequences: Sequence[Any]) -> list[tuple[Any, ...]]:
        for sequence in sequences:
            if not is_kind(sequence, Iterable):
                mend = "Give what has one item for each frame, such as a list."
                raise wrong_kind(self.address, "a sequence to run along", sequence, mend)
        rows = [list(sequence) for sequence in sequences]
        if len({len(row) for row in rows}) > 1:
            raise ShapeMismatch(
                f"{self.address}: expected sequences of one length.\n"
                f"  Got lengths {', '.join([str(len(row)) for row in rows])}.\n  Cut or fill the sequences before."
            )
        frames = list(zip(*rows, strict=True))
        return frames[::-1] if self.reverse else frames


@dataclass(frozen=True, eq=False, repr=False)
class PythonProgram:
    """An architecture that runs as plain Python; see `build`.

    It takes the space's inputs in their order or by name, and returns a value, a named tuple of several, or a dict of
    them where the space's function returned one. It pickles when the objects in `modules` do.

    Attributes:
        name: that of the space.
        input_names: in their order.
        output_names: in their order; the named tuple has them as attributes.
        outputs_are_named: whether they are returned as a dict.
        modules: what the factories returned, by the addresses of the modules.
    """

    name: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    outputs_are_named: bool
    modules: Mapping[str, Any]
    _block: Block

    def __call__(self, /, *values: Any, **named: Any) -> Any:
        """Run the modules on the inputs.

        An exception of a module goes through with a note of the call's address, from Python 3.11 on.

        Raises:
            BadArgument: an input is missing, unknown, or given twice.
            ArityMismatch: a module returned another number of values than it was to.
        """
        if named or len(values) != len(self.input_names):
            values = self._in_order(values, named)
        given = self._block.run(values, self.name)
        if self.outputs_are_named:
            return dict(zip(self.output_names, given, strict=True))
        return given[0] if len(given) == 1 else _outputs_class(self.output_names)(*given)

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
        shown = ", ".join([address for address, *_ in self._block.instructions[:6]]) or "no calls"
        more = ", ..." if len(self._block.instructions) > 6 else ""
        return f"<{self.name}({', '.join(self.input_names)}) -> {', '.join(self.output_names)}: {shown}{more}>"


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


def note(error: Exception, text: str) -> None:
    """Tell with an error where it happened."""
    add_note = getattr(error, "add_note", None)
    if add_note is not None:  # Python 3.11
        add_note(text)
