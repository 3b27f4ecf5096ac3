"""What every backend must do. A backend's tests subclass `BackendContract` and fill in the abstract methods.

Laws, each with a test of that name:

- an operation gives what its shape rule says and has the parameters that its cost rule says;
- a substitution computes what the graph in its place computes;
- a module called twice has one set of parameters;
- inputs go in by name and outputs come out in order;
- randomness is for training only;
- a gradient reaches every parameter;
- the same seed gives the same weights, and the names of parameters are those of the addresses, in every process;
- what does not fit, or is not decided, is refused with the address.
"""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

import deep_arch as da
from deep_arch import ops
from deep_arch.architecture import Architecture
from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.modules import Operation
from deep_arch.specs import Spec
from deep_arch.testing.operation_strategies import OPERATIONS

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Function = Callable[..., Any]

BATCH = 2
IMAGE = da.image(channels=4, height=8, width=8)


def conv(filters: Any = 4) -> Operation:
    """Return what most spaces here are made of; it keeps the shape of `IMAGE`."""
    return ops.Conv2D(filters=filters, kernel_size=3)


def draw(spec: Spec, seed: int = 0) -> Array:
    """Return an example of a spec, with a batch axis in front."""
    rng = np.random.default_rng(seed)
    shape = (BATCH, *spec.shape)
    if spec.dtype.startswith("int"):
        return rng.integers(spec.vocabulary or 2, size=shape, dtype=spec.dtype)
    return rng.standard_normal(shape).astype(spec.dtype)


def space_of(op: Operation, n_inputs: int) -> da.SearchSpace:
    """Return a space of one call of an operation like `op`."""
    call: Function = lambda *xs: type(op)(**op.arguments)(*xs)  # noqa: E731
    spaces: dict[int, Function] = {
        1: lambda a: call(a),
        2: lambda a, b: call(a, b),
        3: lambda a, b, c: call(a, b, c),
        4: lambda a, b, c, d: call(a, b, c, d),
    }
    return da.space(spaces[n_inputs])


class _Unknown(Operation):
    """An operation that no backend has heard of."""

    def shape(self, *inputs: Spec) -> Spec:
        return inputs[0]


# --- substitutions, each beside the graph that it stands for ---------------------------------------------------------

Pair = tuple[Function, Mapping[str, Any], Function]


def _both(x: Any) -> Any:
    return ops.Concatenate()(conv(3)(x), conv(5)(x))


def _captured(x: Any) -> Any:
    first = conv(6)(x)
    return da.optional(lambda y: ops.Add()(conv(6)(y), first), use=True)(first)


def _tied_twice(x: Any) -> Any:
    shared = conv(4)
    return shared(shared(x))


PAIRS: dict[str, Pair] = {
    "repeat": (lambda x: da.repeat(conv, 2)(x), {}, lambda x: conv()(conv()(x))),
    "repeat_never": (lambda x: conv()(da.repeat(conv, 0)(x)), {}, lambda x: conv()(x)),
    "repeat_chosen": (
        lambda x: da.repeat(conv, da.choice([1, 3], name="n"))(x),
        {"n": 3},
        lambda x: conv()(conv()(conv()(x))),
    ),
    "repeat_tied": (lambda x: da.repeat(conv(), 2)(x), {}, _tied_twice),
    "optional_on": (lambda x: da.optional(conv)(x), {"optional.use": True}, lambda x: conv()(x)),
    "optional_off": (lambda x: conv()(da.optional(conv)(x)), {"optional.use": False}, lambda x: conv()(x)),
    "or": (lambda x: da.or_([ops.ReLU, conv])(x), {"or.which": 1}, lambda x: conv()(x)),
    "or_by_key": (
        lambda x: da.or_({"a b": lambda: conv(8), "1/2": lambda: conv(2)})(x),
        {"or.which": "1/2"},
        lambda x: conv(2)(x),
    ),
    "permute": (
        lambda x: da.permute([conv, ops.Tanh, lambda: conv(2)])(x),
        {"permute.order": (2, 1, 0)},
        lambda x: conv()(ops.Tanh()(conv(2)(x))),
    ),
    "split_combine": (
        lambda x: da.split_combine(conv, ops.Multiply, 2)(x),
        {},
        lambda x: ops.Multiply()(conv()(x), conv()(x)),
    ),
    "residual": (lambda x: da.residual(conv)(x), {}, lambda x: ops.Add()(conv()(x), x)),
    "residual_projected": (
        lambda x: da.residual(lambda: conv(6), ops.Maximum, project=lambda: ops.Conv2D(6, 1))(x),
        {},
        lambda x: ops.Maximum()(conv(6)(x), ops.Conv2D(6, 1)(x)),
    ),
    "dense_block": (
        lambda x: da.dense_block(lambda: conv(3), 2)(x),
        {},
        lambda x: (lambda a: ops.Concatenate()(x, a, conv(3)(ops.Concatenate()(x, a))))(conv(3)(x)),
    ),
    "sequential": (
        lambda x: da.sequential(conv, ops.ReLU, lambda: conv(2))(x),
        {},
        lambda x: conv(2)(ops.ReLU()(conv()(x))),
    ),
    "substitute": (
        lambda x: da.substitute(lambda n: lambda: conv(n), n=da.choice([2, 4], name="n"))(x),
        {"n": 2},
        lambda x: conv(2)(x),
    ),
    "function": (lambda x: da.optional(_both, use=True)(x), {}, _both),
    "captured": (_captured, {}, lambda x: (lambda first: ops.Add()(conv(6)(first), first))(conv(6)(x))),
    "nested": (
        lambda x: da.repeat(lambda: da.residual(lambda: da.sequential(conv, ops.ReLU)), 2)(x),
        {},
        lambda x: (lambda a: ops.Add()(ops.ReLU()(conv()(a)), a))(ops.Add()(ops.ReLU()(conv()(x)), x)),
    ),
}


class BackendContract(ABC):
    """Tests of a backend. Arrays are (batch, channels, *spatial) on every backend; `run` changes the order.

    Attributes:
        module: the import path of the backend.
        weights_source: a Python expression for what a new process prints of `model`: names and numbers of its weights.
    """

    module: str
    weights_source: str
    tolerance: float = 1e-5
    """Relative and absolute: ten times the rounding of float32 over the few hundred terms of a convolution here."""

    # --- what a backend fills in -------------------------------------------------------------------------------

    @abstractmethod
    def build(self, architecture: Architecture, inputs: Any, seed: int | None = None) -> Any:
        """Call the backend's `build`."""

    @abstractmethod
    def run(self, model: Any, arrays: Arrays) -> list[Array]:
        """Run a model on inputs by name and return its outputs."""

    @abstractmethod
    def training(self, model: Any, flag: bool) -> None:
        """Put a model into training or into inference."""

    @abstractmethod
    def weights(self, model: Any) -> dict[str, Array]:
        """Return the trained parameters by name, in the order of the calls."""

    @abstractmethod
    def set_weights(self, model: Any, weights: Sequence[Array]) -> None:
        """Set the trained parameters, in the same order."""

    @abstractmethod
    def gradients(self, model: Any, arrays: Arrays) -> dict[str, Array | None]:
        """Return the gradient of the sum of squares of all outputs by the parameters, in training."""

    @abstractmethod
    def names(self, address: str) -> str:
        """Return how the names of parameters of the module at an address begin."""

    # --- comparison --------------------------------------------------------------------------------------------

    def parameter_count(self, model: Any) -> int:
        """Return the number of trained parameters."""
        return sum(array.size for array in self.weights(model).values())

    def assert_close(self, got: Iterable[Array], expected: Iterable[Array]) -> None:
        """Fail where arrays differ in number, shape or by more than the tolerance."""
        for a, b in zip(got, expected, strict=True):
            assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
            np.testing.assert_allclose(a, b, rtol=self.tolerance, atol=self.tolerance)

    def model(self, fn: Function, *specs: Spec, values: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
        """Return a model in inference of the architecture of `fn` at `values`."""
        space = da.space(fn)
        model = self.build(space.at(values or {}), dict(zip(space.inputs, specs or (IMAGE,), strict=True)), seed)
        self.training(model, False)
        return model

    def test_assert_close_fails_for_what_differs(self) -> None:
        a = np.ones((2, 3), "float32")
        self.assert_close([a], [a + self.tolerance / 2])
        for other in ([a + 1], [a[:1]], [a, a], []):
            with pytest.raises((AssertionError, ValueError)):
                self.assert_close([a], other)

    # --- operations --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.__name__)
    def test_an_operation_has_the_shape_and_parameters_of_its_rules(self, cls: type[Operation]) -> None:
        @settings(max_examples=3, deadline=None, database=None, derandomize=True)
        @given(OPERATIONS[cls].filter(lambda case: len(case[1]) <= 4))
        def agrees(case: tuple[Operation, tuple[Spec, ...]]) -> None:
            op, specs = case
            space = space_of(op, len(specs))
            inputs = dict(zip(space.inputs, specs, strict=True))
            model = self.build(space.sample(seed=0), inputs, 0)
            self.training(model, False)
            outputs = self.run(model, {name: draw(spec) for name, spec in inputs.items()})
            expected = op.shape(*specs)
            expected = expected if isinstance(expected, tuple) else (expected,)
            assert [x.shape for x in outputs] == [(BATCH, *spec.shape) for spec in expected]
            assert self.parameter_count(model) == op.parameters(*specs)

        agrees()

    # --- composition -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", PAIRS)
    def test_a_substitution_computes_what_stands_in_its_place(self, name: str) -> None:
        substitution, values, plain = PAIRS[name]
        model, reference = self.model(substitution, values=values), self.model(plain)
        self.set_weights(model, list(self.weights(reference).values()))
        arrays = {"x": draw(IMAGE)}
        self.assert_close(self.run(model, arrays), self.run(reference, arrays))

    def test_a_module_called_twice_has_one_set_of_parameters(self) -> None:
        assert self.parameter_count(self.model(_tied_twice)) == self.parameter_count(self.model(lambda x: conv()(x)))

    def test_a_tied_module_takes_inputs_of_other_sizes(self) -> None:
        def tied(a: Any, b: Any) -> Any:
            shared = ops.Conv2D(3, 3, strides=2)
            return shared(a), shared(b)

        small, large = da.image(4, 7, 7), da.image(4, 8, 10)
        model = self.model(tied, small, large)
        alone = {spec: self.model(lambda x: ops.Conv2D(3, 3, strides=2)(x), spec) for spec in (small, large)}
        for other in alone.values():
            self.set_weights(other, list(self.weights(model).values()))
        expected = [self.run(other, {"x": draw(spec)})[0] for spec, other in alone.items()]
        self.assert_close(self.run(model, {"a": draw(small), "b": draw(large)}), expected)

    def test_a_tied_module_that_needs_other_parameters_is_refused_with_both_addresses(self) -> None:
        def tied(a: Any, b: Any) -> Any:
            shared = ops.Dense(3)
            return shared(a), shared(b)

        with pytest.raises(ShapeMismatch, match=r"dense@1: (.|\n)*dense"):
            self.model(tied, da.vector(4), da.vector(5))

    def test_inputs_go_in_by_name_and_outputs_come_out_in_order(self) -> None:
        def net(left: Any, right: Any) -> Any:
            return ops.Subtract()(left, right), ops.Flatten()(left)

        space = da.space(net)
        model = self.build(space.sample(seed=0), {"right": IMAGE, "left": IMAGE}, 0)
        arrays = {"right": draw(IMAGE, 1), "left": draw(IMAGE, 2)}
        expected = [arrays["left"] - arrays["right"], arrays["left"].reshape(BATCH, -1)]
        self.assert_close(self.run(model, arrays), expected)

    def test_an_input_may_be_an_output(self) -> None:
        x = draw(IMAGE)
        self.assert_close(self.run(self.model(lambda x: (x, ops.ReLU()(x), x)), {"x": x}), [x, np.maximum(x, 0), x])

    def test_outputs_that_nothing_takes_may_be_left(self) -> None:
        x = draw(IMAGE)
        self.assert_close(self.run(self.model(lambda x: ops.Split(2)(x)[1]), {"x": x}), [x[:, 2:]])

    # --- training ----------------------------------------------------------------------------------------------

    def test_randomness_is_for_training_only(self) -> None:
        model, x = self.model(lambda x: ops.Dropout(0.5)(x)), draw(IMAGE)
        self.assert_close(self.run(model, {"x": x}), [x])
        self.training(model, True)
        (y,) = self.run(model, {"x": x})
        assert (y == 0).any()
        self.assert_close([y[y != 0]], [2 * x[y != 0]])

    def test_a_gradient_reaches_every_parameter(self) -> None:
        def net(x: Any) -> Any:
            x = ops.PReLU()(ops.BatchNormalization()(ops.SeparableConv2D(6, 3)(x)))
            x = ops.Reshape((6, -1))(x)
            x = ops.Scale(0.5)(ops.LayerNormalization()(ops.MultiHeadAttention(2, 3)(x)))
            return ops.Dense(3)(ops.LSTM(4)(ops.GRU(5, return_sequences=True, reset_after=False)(x)))

        gradients = self.gradients(self.model(net), {"x": draw(IMAGE)})
        # Attention does not change when one number is added to all its scores, so the bias of its keys has none.
        zero = [name for name, g in gradients.items() if g is None or not np.abs(g).max() > 0]
        assert all("key" in name for name in zero), zero

    # --- sameness ----------------------------------------------------------------------------------------------

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, again, other = (self.model(_both, seed=seed) for seed in (0, 0, 1))
        self.assert_close(self.weights(again).values(), self.weights(first).values())
        assert any(np.abs(a - b).max() > 0 for a, b in zip(*map(self._arrays, (first, other)), strict=True))

    def _arrays(self, model: Any) -> list[Array]:
        return list(self.weights(model).values())

    def test_names_are_those_of_the_addresses(self) -> None:
        model = self.model(lambda x: da.repeat(lambda: da.or_([conv], which=0), 2)(conv()(x)))
        names = list(self.weights(model))
        for address in ("conv2d", "repeat[0]/or[0]/conv2d", "repeat[1]/or[0]/conv2d"):
            assert len([name for name in names if name.startswith(self.names(address))]) == 2, (address, names)

    def test_weights_are_the_same_in_every_process(self) -> None:
        source = f"""
            import deep_arch as da
            from deep_arch import ops
            import {self.module} as backend

            def net(x):
                return da.repeat(lambda: ops.Conv2D(da.choice([2, 4]), 3), da.choice([2, 3]))(x)

            model = backend.build(da.space(net).sample(seed=3), da.image(4, 8, 8), seed=0)
            print({self.weights_source})
        """
        printed = {self._in_a_new_process(source, hash_seed) for hash_seed in ("0", "1")}
        assert len(printed) == 1 and "conv2d" in printed.pop()

    def _in_a_new_process(self, source: str, hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", textwrap.dedent(source)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    # --- refusals ----------------------------------------------------------------------------------------------

    def test_a_partial_architecture_is_refused_with_what_is_open(self) -> None:
        space = da.space(lambda x: conv(da.choice([2, 4]))(x))
        with pytest.raises(NotSpecified, match=r"conv2d\.filters(.|\n)*sample"):
            self.build(space.start(), IMAGE)
        with pytest.raises(NotSpecified, match=r"conv2d\.filters"):
            self.build(space.where(lambda point: False).start(), IMAGE)

    def test_an_input_that_does_not_fit_is_refused_with_the_address(self) -> None:
        space = da.space(lambda x: da.repeat(conv, 2)(x))
        with pytest.raises(ShapeMismatch, match=r"repeat\[0\]/conv2d"):
            self.build(space.sample(seed=0), da.vector(4))

    def test_a_missing_input_is_refused_with_the_nearest_name(self) -> None:
        space = da.space(lambda image, mask: ops.Multiply()(image, mask))
        with pytest.raises((BadArgument, ShapeMismatch), match="mask"):
            self.build(space.sample(seed=0), {"image": IMAGE, "masc": IMAGE})

    def test_an_unknown_operation_is_refused_with_the_address(self) -> None:
        with pytest.raises(NotSupported, match=r"optional/_?unknown"):
            self.model(lambda x: da.optional(_Unknown, use=True)(x))
