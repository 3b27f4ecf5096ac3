"""Scans: a body that is applied along a sequence, from frame to frame.

A scan unfolds to an `Enter`, the calls of its body, and an `Exit`. What lies between the two is graph of the same
architecture, so addresses, choices, counts, limits and weights are those of any function. See `Graph.regions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from deep_arch.errors import ArityMismatch, BadArgument, ShapeMismatch, is_kind, wrong_kind
from deep_arch.language.applying import Fn, apply, as_values, check_fn, several
from deep_arch.language.foreign import plain
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.substitution import Substitution, where_is
from deep_arch.language.values import Value


@dataclass(eq=False)
class Enter(Operation):
    """Where a scan begins: `(*states, *sequences)` to `(the first sequence, *states, *frames)`.

    The states and frames are those of one step. What comes first stands for the length of the scan.
    """

    stateless: ClassVar[bool] = False  # the same inputs at another entry are those of another time

    carry: int = 1
    n_sequences: int = 1

    @property
    def n_outputs(self) -> int:
        return 1 + self.carry + self.n_sequences

    def shape(self, *inputs: Spec) -> tuple[Spec, ...]:
        sequences = inputs[self.carry :]
        for sequence in sequences:
            if sequence.rank == 0 or (sequence.rank == 1 and "float" in sequence.dtype):
                raise ShapeMismatch(
                    f"{self.base_name}: expected sequences, whose last axis is time.\n  Got {_listed(sequences)}.\n"
                    f"  Call the module on {self.carry} states, and then on sequences: (features, length), or tokens. "
                    "Numbers in a row are a sequence as ops.Reshape((1, length))."
                )
        if len({sequence.shape[-1] for sequence in sequences}) > 1:
            raise ShapeMismatch(
                f"{self.base_name}: expected sequences of one length, which is their last axis.\n"
                f"  Got {_listed(sequences)}.\n  Crop or pad them, such as with ops.Cropping1D or ops.ZeroPadding1D."
            )
        frames = [Spec(s.shape[:-1], s.dtype, s.vocabulary) for s in sequences]
        return (sequences[0], *inputs[: self.carry], *frames)


@dataclass(eq=False)
class Exit(Operation):
    """Where a scan ends: `(what Enter gives first, *states, *new states, *results)` to `(*last states, *sequences)`.

    Results are those of one step, the sequences have those of all. In reverse, time runs from the last frame to the
    first, and each result stands where its frame stood.
    """

    carry: int = 1
    n_results: int = 0
    reverse: bool = False

    @property
    def n_outputs(self) -> int:
        return self.carry + self.n_results

    def shape(self, sequence: Spec, *given: Spec) -> Spec | tuple[Spec, ...]:
        states, new, results = given[: self.carry], given[self.carry : 2 * self.carry], given[2 * self.carry :]
        for position, (before, after) in enumerate(zip(states, new, strict=True)):
            if (before.shape, before.dtype) != (after.shape, after.dtype):
                raise ShapeMismatch(
                    f"{self.base_name}: expected the new state {position} to have the shape and type of the first one, "
                    f"{before} {before.dtype}.\n  Got {after} {after.dtype} from the body.\n"
                    "  Give the module a first state of that shape, or let the body end in what restores it, such as "
                    f"ops.Dense({before.channels})."
                )
        stacked = [Spec((*r.shape, sequence.shape[-1]), r.dtype, r.vocabulary) for r in results]
        found: tuple[Spec, ...] = (*states, *stacked)
        return found[0] if len(found) == 1 else found


class Scan(Substitution):
    """A body along a sequence; see `scan`."""

    def __init__(self, body: Fn, carry: Any = 1, reverse: Any = False, name: str | None = None) -> None:
        self._body, self.carry = body, plain(carry)
        super().__init__({} if reverse is False else {"reverse": reverse}, name)
        check_fn(body, where_is(self))
        if type(self.carry) is not int or self.carry < 0:
            raise BadArgument(
                f"{where_is(self)}: carry must be an int of at least 0, the number of states.\n"
                f"  Got {carry!r} ({type(carry).__name__}).\n"
                "  A body of (state, frame) has carry=1; one of frames alone is da.map_(body)."
            )

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        where, carry = where_is(self), self.carry
        if len(inputs) <= carry:
            raise ArityMismatch(
                f"{where}: expected {carry} first states and at least one sequence.\n  Got {len(inputs)} values.\n"
                f"  Write da.scan(body, carry={carry})({', '.join([f'h{i}' for i in range(carry)] + ['x'])}); a first "
                "state of zeros is ops.Zeros(units)(x)."
            )
        reverse = _flag(arguments.get("reverse", False), where)
        entered = Enter(carry, len(inputs) - carry)(*inputs)
        token, *inner = [entered[i] for i in range(1 + len(inputs))]
        given = _given(apply(self._body, inner, where), carry, where)
        left = Exit(carry, len(given) - carry, reverse)(token, *inner[:carry], *given)
        return [left[i] for i in range(len(given))] if len(given) > 1 else left


class Map(Scan):
    """A body of frames alone; see `map_`."""


def _given(returned: Any, carry: int, where: str) -> list[Value]:
    """Return what a body gives at each step: its new states, and its results."""
    values = several(returned, carry, where) if is_kind(returned, Value) and carry > 1 else as_values(returned, where)
    if len(values) >= max(carry, 1):
        return values
    raise ArityMismatch(
        f"{where}: expected the body to give at least its {carry} new states.\n  Got {len(values)} values.\n"
        "  Return the new states first, then what each step gives."
    )


def _flag(reverse: Any, where: str) -> bool:
    reverse = plain(reverse)
    if is_kind(reverse, bool):
        return bool(reverse)
    raise wrong_kind(where, "reverse to be True or False", reverse, "Give it a bool, or da.boolean().")


def _listed(specs: Sequence[Spec]) -> str:
    return ", ".join(map(str, specs))


def scan(body: Fn, carry: int = 1, *, reverse: Any = False, name: str | None = None) -> Scan:
    """Return a module that applies `body` along sequences, from frame to frame, with states that it hands on.

    The module is called on `carry` first states, then on at least one sequence, whose last axis is time: (features,
    length) as in `da.sequence`. `body(*states, *frames)` gives the new states, then what each step gives besides; the
    module gives the last states, then those results as sequences. A body that gives the states alone folds a sequence.

    The body is part of the space as any function is: its choices are made once, its weights are those of all steps, and
    what it uses from around it is the same at each step. What it computes at random, such as dropout, is drawn at each.

    Args:
        body: a function of values, a callable that makes a module, or a module.
        carry: the number of states.
        reverse: whether time runs from the last frame to the first; may be a hyperparameter.
        name: of the module.

    Raises:
        BadArgument: `carry` is no int of at least 0, or `reverse` no bool.
        ArityMismatch: the module is called on fewer than `carry` + 1 values, or the body gives fewer than `carry`.
        ShapeMismatch: sequences of several lengths, or a new state that differs from the first in shape or type; when
            shapes are inferred.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> def cell(h, x):
        ...     new = da.or_([ops.Tanh, ops.ReLU])(ops.Dense(8)(ops.Concatenate()(h, x)))
        ...     return new, new
        >>> @da.space
        ... def net(x, h):
        ...     last, states = da.scan(cell)(h, x)
        ...     return last, states
        >>> architecture = net.sample(seed=0)
        >>> architecture.shapes({"x": da.sequence(length=20, features=4), "h": da.vector(8)})["scan/exit"]
        ((8,), (8, 20))
    """
    return Scan(body, carry, reverse, name)


def map_(body: Fn, *, name: str | None = None) -> Scan:
    """Return a module that applies `body` to each frame of its sequences alone: a `scan` without states.

    What works alike at every cell, as `ops.Dense` does, needs no map: called on the whole sequence it computes the
    same, and faster.

    Raises:
        ArityMismatch, ShapeMismatch: see `scan`.
    """
    return Map(body, 0, name=name)
