"""The Python backend: programs compute what the same calls written by hand compute."""

from __future__ import annotations

import functools
import gc
import math
import operator
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import ArityMismatch, BadArgument, NotSpecified, NotSupported
from deep_arch.language.modules import Module, Operation
from deep_arch.testing.spaces import spaces

build = python_backend.build


class Affine:
    """A function that pickles, and remembers how often it was called."""

    def __init__(self, factor: int, shift: int = 0) -> None:
        self.factor, self.shift, self.calls = factor, shift, 0

    def __call__(self, x: int) -> int:
        self.calls += 1
        return self.factor * x + self.shift


class Halves(Operation):
    """An operation with two outputs."""

    @property
    def n_outputs(self) -> int:
        return 2

    def to_python(self, x: int) -> tuple[int, int]:
        return x // 2, x - x // 2


def minus() -> Callable[[int, int], int]:
    return operator.sub


def parts(n: int) -> Callable[[int], Any]:
    return lambda x: tuple(range(x, x + n)) if n else x


affine, subtract, pair = da.wrap(Affine), da.wrap(minus), da.wrap(parts, outputs=2)


def program_of(fn: Callable[..., Any], **values: Any) -> python_backend.PythonProgram:
    """Return the program of a space's only architecture, or of the one at some values."""
    space = da.space(fn)
    return build(space.at(values) if values else space.sample(seed=0))


# --- what programs compute ---------------------------------------------------------------------------------------


@da.space
def net(x: Any, y: Any) -> Any:
    n = da.choice([1, 2], name="n")
    x = da.repeat(lambda: affine(da.choice([2, 3]), shift=2 * n), n)(x)
    z = da.or_({"minus": subtract, "first": lambda: lambda a, b: a})(x, y)
    left, right = Halves()(da.optional(lambda a: subtract()(a, x))(z))  # `x` is captured
    return {"whole": subtract()(left, right), "rest": right}


NAMES = ("whole", "rest")


def by_hand(values: Any, x: int, y: int) -> tuple[int, int]:
    for i in range(values["n"]):
        x = values[f"repeat[{i}]/affine.factor"] * x + 2 * values["n"]
    z = x - y if values["or.which"] == "minus" else x
    if values["optional.use"]:
        z = z - x
    left, right = z // 2, z - z // 2
    return left - right, right


def test_every_architecture_computes_what_is_written_by_hand() -> None:
    architectures = list(net.enumerate())
    assert len(architectures) == (2 + 4) * 2 * 2
    for architecture in architectures:
        program, expected = build(architecture), dict(zip(NAMES, by_hand(architecture.values, 17, 5), strict=True))
        assert program(17, 5) == program(17, y=5) == program(y=5, x=17) == expected


@pytest.fixture(scope="module", autouse=True)
def _symbols() -> Iterator[None]:
    """Let scaling and adding give numbers that tell everything apart which went into them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops.Scale, "to_python", lambda self, x: hash((self.initial, x)), raising=False)
        patch.setattr(ops.Add, "to_python", lambda self, *values: hash(values), raising=False)
        yield


def computed_naively(architecture: da.Architecture, x: int) -> int:
    """Compute a graph with every value kept."""
    values: list[Any] = [x]
    for call in architecture.graph.calls:
        module: Any = call.module
        values.append(module.to_python(*[values[i] for i in call.inputs]))
    return values[architecture.graph.outputs[0]]  # type: ignore[no-any-return]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(spaces(8), st.integers(0, 10**6))
def test_random_spaces_compute_their_graphs(space: da.SearchSpace, seed: int) -> None:
    architecture = space.sample(seed)
    program = build(architecture)
    assert program(seed) == computed_naively(architecture, seed)
    assert list(program.modules) == list(dict.fromkeys(call.module_address for call in architecture.graph.calls))


def test_a_condition_chooses_between_numbers_or_anything() -> None:
    soft = program_of(lambda c, a, b: ops.Where()(c, a, b))
    assert soft(0.0, 3.0, 5.0) == 4.0
    assert soft(math.log(3), 4.0, 8.0) == pytest.approx(5.0)
    assert [soft(c, 1.0, 2.0) for c in (-1e6, 1e6)] == [2.0, 1.0]
    hard = program_of(lambda c, a, b: ops.Where(hard=True)(c, a, b))
    assert [hard(c, "a", "b") for c in (True, 2.5, False, 0, -1)] == ["a", "a", "b", "b", "b"]
    assert pickle.loads(pickle.dumps(hard))(True, [1], {}) == [1]


def test_an_operation_of_arrays_is_refused() -> None:
    with pytest.raises(NotSupported, match=r"window_average: python_backend has no meaning for WindowAverage"):
        program_of(lambda x: ops.WindowAverage(2)(x))


def test_modules_called_twice_are_made_once() -> None:
    def fn(x: Any) -> Any:
        shared = affine(3)
        return da.repeat(shared, 4)(shared(x))

    program = program_of(fn)
    assert program(1) == 3**5
    assert list(program.modules) == ["affine"] and program.modules["affine"].calls == 5


def test_modules_that_are_not_chosen_are_not_made() -> None:
    def forbidden() -> None:
        raise AssertionError("this part is not chosen")

    def fn(x: Any) -> Any:
        return da.or_([lambda: affine(3), da.wrap(forbidden)])(x)

    assert program_of(fn, **{"or.which": 0}).modules.keys() == {"or[0]/affine"}


def test_several_outputs_have_names_and_unpack() -> None:
    program = program_of(lambda x: (x, affine(2)(x)))
    result = program(17)
    first, second = result
    assert (result.output_0, result.output_1) == (first, second) == tuple(result)
    assert repr(result) == f"Outputs(output_0={first}, output_1={second})"
    assert type(program(1)) is type(result)
    assert program_of(lambda x: (x, affine(2)(x)))(4)._asdict() == {"output_0": 4, "output_1": 8}
    assert program_of(lambda x: pair(2)(x))(4)._asdict() == {"output_0": 4, "output_1": 5}


def test_outputs_that_the_function_named_come_out_by_these_names() -> None:
    program = program_of(lambda x: {"class": x, "x": affine(2)(x), "log loss": x})
    assert program.output_names == ("class", "x", "log loss")
    assert program(4) == {"class": 4, "x": 8, "log loss": 4}
    assert program_of(lambda x: {"only": affine(2)(x)})(4) == {"only": 8}


@pytest.mark.parametrize("returned", [lambda x: {"a": (x, x)}, lambda x: {"a": {"b": x}}, lambda x: (x, {"a": x})])
def test_nested_outputs_are_told(returned: Any) -> None:
    with pytest.raises(da.errors.BadArgument, match="a value, or a tuple, list or dict of values"):
        program_of(returned)


def test_a_name_is_that_of_one_output() -> None:
    with pytest.raises(da.errors.ArityMismatch, match="gives 2 values"):
        program_of(lambda x: {"both": pair(2)(x)})


def test_the_identity_and_no_call_at_all() -> None:
    assert program_of(lambda x: ops.Identity()(x))("a") == "a"
    assert program_of(lambda x: da.repeat(affine, 0)(x))("a") == "a"
    assert program_of(lambda self, x: self)(x=1, self=2) == 2


class Repeated(Operation):
    """An operation with a shape rule: a list as often as `channels` says."""

    def __init__(self, channels: Any) -> None:
        self.channels = channels
        Module.__init__(self, {"channels": channels})

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.arguments["channels"])

    def to_python(self, x: list[int]) -> list[int]:
        n: int = self.arguments["channels"]
        return (x * n)[:n]


def test_formulas_of_shapes_need_the_specs_of_the_inputs() -> None:
    def block(x: Any) -> Any:
        return da.residual(lambda: Repeated(4), da.wrap(lambda: lambda a, b: a + b), project=lambda: Repeated(4))(x)

    architecture = da.space(lambda x: block(Repeated(da.channels(x) * 2)(x))).sample(0)
    with pytest.raises(NotSpecified, match=r"repeated: depends on the shape of a value.*\n  Got .*\n  Give it inputs="):
        build(architecture)
    assert build(architecture, da.vector(2))([1, 2]) == [1, 2, 1, 2] * 2
    assert list(build(architecture, da.vector(2)).modules) == ["repeated", "residual[0]/repeated", "residual/lambda"]
    assert "residual[1]/repeated" in build(architecture, inputs={"x": da.vector(3)}).modules
    with pytest.raises(NotSupported, match="a wrapped callable has no shape rule"):
        build(da.space(lambda x: Repeated(da.channels(affine(1)(x)))(x)).sample(0), da.vector(2))


def test_config_stays_with_the_architecture() -> None:
    def fn(x: Any) -> Any:
        da.config(folds=da.choice([3, 5]))
        return affine(2)(x)

    architecture = da.space(fn).at({"folds": 5})
    assert architecture.config == {"folds": 5} and build(architecture)(1) == 2


class Large:
    """A value of which one can tell whether it is still there."""


def test_values_live_no_longer_than_they_are_needed() -> None:
    seen: list[Any] = []
    alive: list[int] = []

    def make() -> Callable[..., Large]:
        def run(*_: Any) -> Large:
            gc.collect()
            alive.append(sum(reference() is not None for reference in seen))
            made = Large()
            seen.append(weakref.ref(made))
            return made

        return run

    link = da.wrap(make)
    program_of(lambda x: da.repeat(link, 5)(x))(0)
    assert max(alive) == 1
    alive.clear()
    seen.clear()
    program_of(lambda x: da.repeat(lambda y: link()(y, link()(y)), 3)(x))(0)
    assert max(alive) == 2


# --- programs as objects -----------------------------------------------------------------------------------------


def test_programs_and_results_pickle() -> None:
    for architecture in net.fix({"or.which": "first", "optional.use": False}).enumerate():
        program = build(architecture)
        again = pickle.loads(pickle.dumps(program))
        assert repr(again) == repr(program) and again(17, 5) == program(17, 5)
        result = pickle.loads(pickle.dumps(again(17, 5)))
        assert type(result) is type(program(17, 5)) and result == program(17, 5)
        assert again.modules["repeat[0]/affine"].calls == 2, "the object that runs is the one in modules"


def test_repr_shows_inputs_outputs_and_calls() -> None:
    program = build(net.at({"n": 1, "repeat[0]/affine.factor": 2, "or.which": "minus", "optional.use": True}))
    assert repr(program) == (
        "<net(x, y) -> whole, rest: repeat[0]/affine, or[minus]/minus, optional/minus, halves, minus>"
    )
    assert repr(program_of(lambda x: da.repeat(lambda: affine(2), 9)(x))).endswith("repeat[5]/affine, ...>")
    assert repr(program_of(lambda x: x)) == "<<lambda>(x) -> output: no calls>"


def test_wrapped_classes_of_frameworks_run() -> None:
    torch = pytest.importorskip("torch")
    from deep_arch.backends import torch_backend

    flatten = torch_backend.wrap(torch.nn.Flatten)
    assert program_of(lambda x: flatten(start_dim=da.choice([0]))(x))(torch.zeros(2, 3)).shape == (6,)


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (lambda p: p(1), "Got 1 by position."),
        (lambda p: p(1, 2, 3), "Got 3 by position."),
        (lambda p: p(1, x=2), "Got 1 by position and x."),
        (lambda p: p(), "Got none."),
        (lambda p: p(x=1, y=2, z=3), "Got x, y, z."),
    ],
)
def test_inputs_are_given_once_each(given: Callable[[Any], Any], got: str) -> None:
    with pytest.raises(BadArgument) as caught:
        given(build(net.sample(seed=0)))
    assert "net: expected each of its inputs once, by position or by name: x, y." in str(caught.value)
    assert got in str(caught.value) and "Write net(x=..., y=...)." in str(caught.value)


def test_the_name_that_was_meant_is_offered() -> None:
    with pytest.raises(BadArgument, match=r"Got 1 by position and targts\.\n.*Did you mean 'targets'\?"):
        program_of(lambda inputs, targets: subtract()(inputs, targets))(1, targts=2)


def test_partial_architectures_are_refused() -> None:
    with pytest.raises(NotSpecified, match=r"^n: python_backend\.build needs an architecture whose .* all have values"):
        build(net.start())


def test_operations_without_a_meaning_are_refused() -> None:
    expected = (
        r"repeat\[0\]/gelu: python_backend has no meaning for GELU\.\n.*\n.*`to_python\(self, \*values\)`.*da\.wrap"
    )
    with pytest.raises(NotSupported, match=expected):
        program_of(lambda x: da.repeat(ops.GELU, 2)(x))


def test_factories_return_callables() -> None:
    shared = da.wrap(lambda factor: factor)
    with pytest.raises(
        BadArgument, match=r"lambda@?.*expected the factory to return what can be called.*\n.*Got 3 \(int"
    ):
        program_of(lambda x: shared(factor=3)(x))


@pytest.mark.parametrize(("n", "got"), [(3, r"Got 3: \(7, 8, 9\) \(tuple\)"), (0, r"Got 1: 7 \(int\)")])
def test_modules_return_as_many_values_as_they_have_outputs(n: int, got: str) -> None:
    program = program_of(lambda x: subtract()(*pair(n)(x)))
    with pytest.raises(
        ArityMismatch, match=rf"^parts: expected 2 values, as many as .*\n  {got}.*\n.*outputs={n or 1}"
    ):
        program(7)


def notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions take notes from Python 3.11 on")
def test_exceptions_of_modules_keep_their_kind_and_say_where() -> None:
    program = build(net.at({"n": 1, "repeat[0]/affine.factor": 2, "or.which": "minus", "optional.use": False}))
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        program(1, "a")
    assert notes(caught.value) == ["while running or[minus]/minus of net"]

    def outer(x: Any, y: Any) -> Any:
        return da.wrap(functools.partial(lambda inner: inner, program))(name="inner")(x, y)

    with pytest.raises(TypeError) as caught:
        program_of(outer)(1, "a")
    assert notes(caught.value) == ["while running or[minus]/minus of net", "while running inner of outer"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions take notes from Python 3.11 on")
def test_exceptions_of_factories_say_where() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        program_of(lambda x: da.repeat(lambda: da.wrap(lambda n: 1 // n)(n=da.choice([0]), name="bad"), 1)(x))
    assert notes(caught.value) == ["while making repeat[0]/bad with n=0"]


def test_a_space_is_no_architecture() -> None:
    with pytest.raises(BadArgument, match=r"expected an architecture(.|\n)*sample"):
        python_backend.build(da.space(lambda x: ops.Identity()(x)))  # type: ignore[arg-type]
