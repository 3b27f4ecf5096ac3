from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import ArityMismatch, BadArgument, DeepArchError, ScopeError, ShapeMismatch
from deep_arch.testing.random_scans import RandomScan

INPUTS = {"x": da.sequence(length=10, features=4), "h": da.vector(8)}


def cell(h: Any, x: Any) -> Any:
    joined = ops.Dense(8)(ops.Concatenate()(h, x))
    new = da.or_({"tanh": ops.Tanh, "twice": lambda: da.repeat(lambda: ops.Dense(8), da.integer(1, 2))})(joined)
    return new, ops.Add()(new, h)


@da.space
def net(x: Any, h: Any) -> Any:
    last, all_steps = da.scan(cell, reverse=da.boolean())(h, x)
    return last, all_steps


@da.rule
def term() -> Any:
    return da.or_({"leaf": lambda: ops.Dense(8), "add": lambda x: ops.Add()(term()(x), term()(x))})


# --- the space ---------------------------------------------------------------------------------------------------


def test_a_body_is_part_of_the_space() -> None:
    assert net.size() == 2 * 3
    found = [architecture.values for architecture in net.enumerate()]
    assert len(found) == 6
    addresses = {address for values in found for address in values}
    assert addresses == {"scan.reverse", "scan/or.which", "scan/or[twice]/repeat.times"}
    for architecture in net.enumerate():
        assert da.Architecture.from_json(architecture.to_json(), net) == architecture
        assert pickle.loads(pickle.dumps(architecture.values)) == architecture.values


def test_a_body_counts_as_it_does_alone() -> None:
    def folded(x: Any, h: Any) -> Any:
        return da.scan(lambda state, frame: term()(ops.Concatenate()(state, frame)))(h, x)

    alone, scanned = da.space(lambda x: term()(x)), da.space(folded)
    for depth in range(1, 7):
        assert scanned.limit(max_depth=depth).size() == alone.limit(max_depth=depth).size()
    sampled = scanned.limit(max_depth=5).sample(seed=1, uniform="architectures")
    assert all(address.startswith("scan/term/") for address in sampled.values)


def test_nested_scans_have_nested_addresses() -> None:
    def inner(state: Any, frame: Any) -> Any:
        return da.scan(lambda s, f: ops.Dense(da.choice([8]))(ops.Add()(s, f)))(state, ops.Reshape((8, 1))(state))

    space = da.space(lambda x, h: da.scan(inner, name="outer")(h, x))
    assert space.sample(seed=0).values == {"outer/scan/dense.units": 8}
    twice = da.space(lambda x, h: da.scan(inner)(da.scan(inner)(h, x), x))
    assert sorted(twice.sample(seed=0).values) == ["scan/scan/dense.units", "scan_1/scan/dense.units"]


@pytest.mark.parametrize("seed", range(8))
def test_fingerprints_tell_scans_apart_and_do_not_depend_on_names(seed: int) -> None:
    scan = RandomScan(seed)
    assert scan.space().at({}).fingerprint() == scan.space().at({}).fingerprint()
    prints = {architecture.fingerprint() for architecture in net.enumerate()}
    assert len(prints) == 6


def test_fingerprints_tell_which_of_two_states_is_read() -> None:
    def reading(read: Callable[[Any, Any], Any]) -> da.Architecture:
        def body(a: Any, b: Any, frame: Any) -> Any:
            return ops.Add()(a, ops.Dense(8)(frame)), ops.Multiply()(b, ops.Dense(8)(frame)), read(a, b)

        return da.space(lambda x, h: da.scan(body, carry=2)(h, h, x)[2]).at({})

    first, second = reading(lambda a, b: a), reading(lambda a, b: b)
    assert first.fingerprint() != second.fingerprint()
    assert first.fingerprint() == reading(lambda a, b: ops.Identity()(a)).fingerprint()


# --- shapes and costs ----------------------------------------------------------------------------------------------


def test_shapes_of_states_frames_and_results() -> None:
    architecture = net.at({"scan.reverse": True, "scan/or.which": "tanh"})
    shapes = architecture.shapes(INPUTS)
    assert shapes["scan/enter"] == ((4, 10), (8,), (4,))
    assert shapes["scan/exit"] == ((8,), (8, 10))
    tokens = da.space(lambda x: da.map_(lambda token: ops.Embedding(5, 3)(token))(x)).at({})
    assert tokens.shapes(da.tokens(6, 5))["map/exit"] == (3, 6)
    images = da.space(lambda x: da.map_(lambda image: ops.GlobalAveragePooling2D()(image))(x)).at({})
    assert images.shapes(da.tensor(3, 8, 8, 5))["map/exit"] == (3, 5)


def test_a_body_costs_as_often_as_it_runs() -> None:
    def body(state: Any, frame: Any) -> Any:
        return ops.Add()(da.scan(lambda s, f: ops.Dense(8)(ops.Concatenate()(s, f)))(state, y[0]), state)

    y: list[Any] = []

    def outer(x: Any, h: Any) -> Any:
        y[:] = [x]
        return da.scan(body)(h, x)

    cost = da.space(outer).at({}).cost(INPUTS)
    assert (cost.parameters, cost.macs) == (12 * 8 + 8, 10 * 10 * 12 * 8)
    inner = 10 * (12 + 8) + 8  # concatenated, dense, and the last state
    assert cost.activation_bytes == 4 * (10 * (inner + 8) + 8)
    summary = da.space(outer).at({}).summary(INPUTS)
    assert "9,600 MACs" in summary and f"{cost.activation_bytes:,} bytes" in summary


# --- plain Python --------------------------------------------------------------------------------------------------


def adder() -> Callable[[int, int], int]:
    return lambda a, b: a + b


def pair() -> Callable[[Any, Any], Any]:
    return lambda a, b: (a, b)


def test_scans_run_in_plain_python() -> None:
    def body(total: Any, frame: Any) -> Any:
        new = da.wrap(adder)()(total, frame)
        return new, da.wrap(pair)()(total, frame)

    space = da.space(lambda start, xs: tuple(da.scan(body, reverse=da.boolean())(start, xs)))
    forward = python_backend.build(space.at({"scan.reverse": False}))
    assert forward(0, [1, 2, 3]) == (6, [(0, 1), (1, 2), (3, 3)])
    backward = python_backend.build(space.at({"scan.reverse": True}))
    assert backward(0, (1, 2, 3)) == (6, ((5, 1), (3, 2), (0, 3)))
    assert forward(5, []) == (5, [])
    assert pickle.loads(pickle.dumps(python_backend.build(da.space(_total).at({}))))(1, [1, 2]) == 4


def _total(start: Any, xs: Any) -> Any:
    return da.scan(lambda total, x: da.wrap(operator_add)()(total, x))(start, xs)


def operator_add() -> Any:
    import operator

    return operator.add


def test_an_inner_scan_reads_the_state_of_an_outer_one() -> None:
    def body(total: Any, frame: Any) -> Any:
        rows = da.map_(lambda x: da.wrap(adder)()(x, total))(held[0])
        return da.wrap(adder)()(total, frame), rows

    held: list[Any] = []

    def nested(start: Any, xs: Any) -> Any:
        held[:] = [xs]
        return da.scan(body)(start, xs)[1]

    program = python_backend.build(da.space(nested).at({}))
    assert program(0, [1, 2, 3]) == [[1, 2, 3], [2, 3, 4], [4, 5, 6]]


def test_sequences_of_unequal_length_are_refused_when_it_runs() -> None:
    program = python_backend.build(da.space(lambda a, b: da.map_(lambda x, y: da.wrap(adder)()(x, y))(a, b)).at({}))
    assert program([1, 2], [3, 4]) == [4, 6]
    with pytest.raises(ShapeMismatch, match=r"map: expected sequences of one length(.|\n)*lengths 2, 3"):
        program([1, 2], [3, 4, 5])


def test_what_is_no_sequence_is_refused_when_it_runs() -> None:
    program = python_backend.build(da.space(lambda a, x: da.scan(lambda h, f: da.wrap(adder)()(h, f))(a, x)).at({}))
    assert program(1, (2, 3)) == 6
    with pytest.raises(BadArgument, match=r"^scan: expected a sequence to run along\.\n  Got 5 \(int\)(.|\n)*a list"):
        program(1, 5)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda x, h: da.scan(lambda s, f: ops.Dense(5)(s))(h, x),
            ShapeMismatch,
            r"scan/exit: .*new state 0(.|\n)*\(5",
        ),
        (lambda x, h: da.scan(lambda s, f: s)(x), ArityMismatch, r"scan: expected 1 first states(.|\n)*ops\.Zeros"),
        (lambda x, h: da.scan(lambda s, f: s, 2)(h, h, x), ArityMismatch, r"function <lambda> takes 2 values(.|\n)*3"),
        (lambda x, h: da.scan(lambda s, t, f: s, 2)(h, h, x), DeepArchError, "scan"),
        (lambda x, h: da.scan(lambda s, f: (), 1)(h, x), ArityMismatch, "at least its 1 new states"),
        (lambda x, h: da.scan(lambda s, f: s, -1)(h, x), BadArgument, r"carry must be an int(.|\n)*-1(.|\n)*da\.map_"),
        (lambda x, h: da.scan(lambda s, f: s, True)(h, x), BadArgument, r"carry must be an int"),
        (lambda x, h: da.scan(lambda s, f: s, reverse=1)(h, x), BadArgument, r"reverse to be True or False"),
        (lambda x, h: da.scan("body")(h, x), BadArgument, r"expected a function of values"),
        (lambda x, h: da.scan(lambda s, f: s)(h, h), ShapeMismatch, r"scan/enter: .*last axis is time(.|\n)*Reshape"),
        (lambda x, h: da.map_(ops.ReLU)(ops.Flatten()(x)), ShapeMismatch, r"map/enter: .*last axis is time"),
        (
            lambda x, h: da.map_(lambda a, b: ops.Add()(a, b))(x, ops.Cropping1D(1)(x)),
            ShapeMismatch,
            r"map/enter: expected sequences of one length(.|\n)*\(4, 10\), \(4, 8\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_address(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        da.space(make).at({}).cost(INPUTS)


def test_what_a_step_makes_does_not_exist_outside() -> None:
    def escaping(x: Any, h: Any) -> Any:
        made: list[Any] = []

        def body(state: Any, frame: Any) -> Any:
            made.append(ops.ReLU()(frame))
            return state

        last = da.scan(body)(h, x)
        return da.scan(lambda state, frame: ops.Concatenate()(state, made[-1]))(last, x)

    with pytest.raises(ScopeError, match=r"made in scan, which does not enclose this one"):
        da.space(escaping).at({})
