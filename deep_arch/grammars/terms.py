"""Terms: productions with terms in their holes, and what these give for the values of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from deep_arch.grammars.blocks import Block, Hole, Loop, Production


class Term(NamedTuple):
    """A term and its answers on the rows of its bank's context.

    Attributes:
        answers: one for each row.
        production: its topmost one.
        arguments: a term for each hole of that.
    """

    answers: tuple[Any, ...]
    production: Production
    arguments: tuple[Term, ...]

    def values(self, prefix: str = "") -> dict[str, Any]:
        """Return the choices by address of which the term is made, where it stands at a prefix."""
        found = {prefix + address: value for address, value in self.production.values.items()}
        for hole, argument in zip(self.production.block.holes, self.arguments, strict=True):
            found |= argument.values(prefix + hole.prefix)
        return found


def frames_of(loop: Loop, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the frames of a scan's sequences, in the order of time."""
    sequences = [list(sequence) for sequence in values[loop.carry : loop.carry + loop.n_sequences]]
    frames = list(zip(*sequences, strict=True))  # a ValueError where they are not of one length
    return frames[::-1] if loop.reverse else frames


def run_loop(loop: Loop, values: Sequence[Any], step: Callable[[tuple[Any, ...]], Sequence[Any]]) -> Any:
    """Return what a scan gives on some values, as `python_backend` does; `step` is the body."""
    carry = loop.carry
    states, captured = values[:carry], values[carry + loop.n_sequences :]
    steps: list[Sequence[Any]] = []
    for frame in frames_of(loop, values):
        given = step((*states, *frame, *captured))
        states = given[:carry]
        steps.append(given)
    if loop.reverse:
        steps.reverse()
    kind = tuple if isinstance(values[carry], tuple) else list
    found: tuple[Any, ...] = (*states, *[kind([s[i] for s in steps]) for i in range(carry, len(loop.outputs))])
    return found[0] if len(found) == 1 else found


def run_term(term: Term, row: Sequence[Any]) -> Any:
    """Return what a term gives for the values of its inputs."""
    block = term.production.block
    env: list[Any] = [*row, *[None] * (block.n_slots - block.n_inputs)]
    for i, segment in enumerate(block.segments):
        for operation in segment:
            _put(operation.function(*[env[j] for j in operation.inputs]), operation.outputs, env)
        if i < len(block.holes):
            hole, argument = block.holes[i], term.arguments[i]
            given = [env[j] for j in hole.inputs]
            if isinstance(hole, Hole):
                _put(run_term(argument, given), hole.outputs, env)
            else:
                _put(run_loop(hole, given, _stepping(argument)), hole.outputs, env)
    return env[block.outputs[0]] if block.single else tuple([env[j] for j in block.outputs])


def _stepping(term: Term) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    return lambda row: run_term(term, row)


def _put(result: Any, slots: tuple[int, ...], env: list[Any]) -> None:
    for slot, part in zip(slots, [result] if len(slots) == 1 else result, strict=True):
        env[slot] = part


def closed(loop: Loop, body: Block) -> Callable[..., Any]:
    """Return the function that a scan is whose body has no holes."""
    step = _stepping(Term((), Production(body, {}), ()))
    return lambda *values: run_loop(loop, values, step)
