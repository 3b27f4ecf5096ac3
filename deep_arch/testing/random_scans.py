"""Random scans, each also written as a loop that the graph holds step by step."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.language.specs import Spec

_UNITS = 3
_LENGTH = 4


@dataclass(frozen=True)
class RandomScan:
    """A scan with a random body, which reads values around it, and may hold another scan.

    Attributes:
        seed: what it is drawn from.
        length: of its sequences.
    """

    seed: int
    length: int = _LENGTH

    @property
    def inputs(self) -> dict[str, Spec]:
        """The specs of the inputs: a sequence, another one, and a state."""
        return {"x": da.sequence(self.length, 2), "y": da.sequence(3, _UNITS), "h": da.vector(_UNITS)}

    def space(self, unrolled: bool = False) -> da.SearchSpace:
        """Return the space of the scan, or of the same written as a loop."""
        rng = random.Random(self.seed)
        carry, n_results = rng.choice([(0, 1), (0, 2), (1, 0), (1, 1), (2, 1)])
        reverse, seed = rng.random() < 0.5, rng.random()
        along = _unrolled if unrolled else _scanned

        def net(x: Any, y: Any, h: Any) -> Any:
            around = ops.Tanh()(ops.Dense(_UNITS, name="around")(h))

            def body(made: _Made, *given: Any) -> list[Any]:
                return _body(random.Random(seed), made, given, around, y, carry + n_results, along)

            return tuple(along(body, [h] * carry, [x], self.length, reverse))

        return da.space(net)


class _Made(dict[str, Any]):
    """The modules of a body, which all steps share."""

    def module(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self:
            self[name] = make()
        return self[name]


Body = Callable[..., Sequence[Any]]


def _scanned(body: Body, states: Sequence[Any], sequences: Sequence[Any], length: int, reverse: bool) -> list[Any]:
    def step(*given: Any) -> Sequence[Any]:
        return body(_Made(), *given)

    scan = da.scan(step, len(states), reverse=reverse)
    given = scan(*states, *sequences)
    n = scan.count_outputs(len(states) + len(sequences))
    return [given[i] for i in range(n)] if n > 1 else [given]


def _unrolled(body: Body, states: Sequence[Any], sequences: Sequence[Any], length: int, reverse: bool) -> list[Any]:
    made, carry = _Made(), len(states)
    steps: dict[int, Sequence[Any]] = {}
    for t in reversed(range(length)) if reverse else range(length):
        frames = [ops.Flatten()(ops.Slice(t, t + 1, axis=1)(x)) for x in sequences]
        given = body(made, *states, *frames)
        states, steps[t] = given[:carry], given[carry:]
    rows = zip(*[steps[t] for t in range(length)], strict=True)
    return [*states, *[ops.Concatenate(axis=1)(*[_column(value) for value in row]) for row in rows]]


def _column(value: Any) -> Any:
    return ops.Reshape((_UNITS, 1))(value)


def _body(
    rng: random.Random, made: _Made, given: Sequence[Any], around: Any, y: Any, n: int, along: Callable[..., Any]
) -> list[Any]:
    """Return `n` values that are computed from those given, from one around the scan, and by a scan along `y`."""
    frame = made.module("frame", lambda: ops.Dense(_UNITS, name="frame"))(given[-1])
    known = [*given[:-1], frame, around]
    for i in range(rng.randint(2, 4)):
        a, b = rng.choice(known), rng.choice(known)
        kind = rng.choice(["dense", "gate", "add", "inner", "norm"])
        if kind == "dense":
            joined = ops.Concatenate()(a, b)
            known.append(ops.Tanh()(made.module(f"dense_{i}", partial(ops.Dense, _UNITS, name=f"dense_{i}"))(joined)))
        elif kind == "gate":
            known.append(ops.Multiply()(ops.Sigmoid()(a), b))
        elif kind == "add":
            known.append(ops.Add()(a, b))
        elif kind == "norm":
            known.append(made.module(f"norm_{i}", partial(ops.LayerNormalization, name=f"norm_{i}"))(a))
        else:
            inner = made.module(f"inner_{i}", _Made)

            def fold(own: _Made, state: Any, frame: Any, a: Any = a, inner: _Made = inner, i: int = i) -> list[Any]:
                held = inner if along is _unrolled else own
                joined = ops.Add()(state, ops.Multiply()(frame, a))
                return [ops.Tanh()(held.module("dense", lambda: ops.Dense(_UNITS, name=f"inner_{i}"))(joined))]

            known += along(fold, [b], [y], 3, rng.random() < 0.5)
    return [ops.Add()(value, frame) for value in known[-n:]]


def equal_weights(unrolled: Mapping[str, Any], scanned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights of a scan by the names that they have where it is written as a loop."""
    known = {_last(name): weight for name, weight in scanned.items()}
    return {name: known[_last(name)] for name in unrolled}


def _last(name: str) -> str:
    return ".".join(name.split(".")[-2:])
