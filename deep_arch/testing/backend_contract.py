"""What every backend must do. A backend's tests subclass `BackendContract` and fill in the abstract methods.

Laws, each with a test of that name:

- an operation gives what its shape rule says and has the weights that it names;
- an operation, and a random architecture, give the numbers of the reference: outputs and gradients, in inference and
  in training, with the same weights, in float32 and in float64;
- a seed gives the weights that it gives to every backend;
- a substitution computes what the graph in its place computes;
- a module called twice has one set of parameters;
- inputs go in by name and outputs come out in order;
- outputs that the function named come out by these names;
- randomness is for training only;
- a gradient reaches every parameter;
- weights travel: what `get_weights` returns can be set, and what does not fit is refused by name;
- a well-known network has the parameters that its authors count;
- a layer of the framework and a plain function are modules like others;
- the same seed gives the same weights, and the names of weights are those of the addresses, in every process;
- what does not fit, or is not decided, is refused with the address;
- and the laws of `ScanContract` and `SequenceContract`.
"""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, DeepArchError, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight
from deep_arch.testing.language_networks import DECODER, decoder, gpt_2
from deep_arch.testing.network_spaces import RandomNetwork, networks
from deep_arch.testing.networks import NETWORKS
from deep_arch.testing.operation_corners import CORNERS
from deep_arch.testing.operation_strategies import OPERATIONS
from deep_arch.testing.parity import (
    BATCH,
    TOLERANCES,
    Array,
    assert_agreement,
    assert_close,
    assert_named_close,
    draw,
)
from deep_arch.testing.scan_contract import ScanContract
from deep_arch.testing.sequence_contract import SequenceContract
from deep_arch.testing.substitution_pairs import PAIRS, both, conv, space_of, tied_twice

Function = Callable[..., Any]

IMAGE = da.image(channels=4, height=8, width=8)


def _in(dtype: str, spec: Spec) -> Spec:
    return Spec(spec.shape, dtype) if spec.dtype == "float32" else spec


class _Other(ops.Dense):
    """An operation with other weights than the one that it is lowered as."""

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"other": Weight((2, 2))}


class _Unknown(Operation):
    """An operation that no backend has heard of."""

    def shape(self, *inputs: Spec) -> Spec:
        return inputs[0]


# Shrinking would build hundreds of models more.
_FEW = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


class BackendContract(ScanContract, SequenceContract):
    """Tests of a backend. Arrays are (batch, channels, *spatial) on every backend; `run` changes the order.

    Attributes:
        reference: the backend that numbers are compared with; None for the one that is the reference.
        dtypes: the types that it computes in.
        rounded: the operations whose constants the framework rounds to float32, whatever the type.
        n_examples: how many uses of each operation are compared, in each type.
        n_architectures: how many random architectures are compared.
    """

    rounded: ClassVar[tuple[type[Operation], ...]] = ()
    n_examples: ClassVar[int] = 10
    n_architectures: ClassVar[int] = 200

    @abstractmethod
    def native(self, units: Any) -> da.Module:
        """Return a dense layer of the framework, made a module by the backend's `wrap`, for a vector of 4."""

    # --- helpers -----------------------------------------------------------------------------------------------

    def model(self, fn: Function, *specs: Spec, values: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
        """Return a model of the architecture of `fn` at `values`."""
        space = da.space(fn)
        return self.build(space.at(values or {}), dict(zip(space.inputs, specs or (IMAGE,), strict=True)), seed)

    def assert_close(self, got: list[Array], expected: list[Array]) -> None:
        """Fail where arrays of float32 differ."""
        assert_close(got, expected, TOLERANCES["float32"])

    def copy_weights(self, model: Any, source: Any) -> None:
        """Give a model the weights of another with equal modules at other addresses."""
        self.set_weights(model, dict(zip(self.weights(model), self.weights(source).values(), strict=True)))

    def n_parameters(self, model: Any) -> int:
        """Return how many numbers a model holds."""
        return sum(array.size for array in self.weights(model).values())

    def agree_on_operation(self, op: Operation, specs: tuple[Spec, ...]) -> None:
        """Fail where this backend and the reference differ on an operation, in any type."""
        space = space_of(op, len(specs))
        for dtype in self.dtypes:
            self.agree(space.at({}), {name: _in(dtype, x) for name, x in zip(space.inputs, specs, strict=True)})

    def agree(self, architecture: da.Architecture, inputs: Mapping[str, Spec]) -> None:
        """Fail where this backend and the reference differ on an architecture."""
        if self.reference is None:
            pytest.skip("this backend is the reference")
        rounded = any(isinstance(call.module, self.rounded) for call in architecture.graph.calls)
        assert_agreement(self, self.reference, architecture, inputs, rounded)

    # --- operations and architectures --------------------------------------------------------------------------

    @pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.__name__)
    def test_an_operation_has_the_shape_and_weights_of_its_rules(self, cls: type[Operation]) -> None:
        @settings(_FEW, max_examples=3)
        @given(OPERATIONS[cls].filter(lambda case: len(case[1]) <= 4))
        def holds(case: tuple[Operation, tuple[Spec, ...]]) -> None:
            op, specs = case
            space = space_of(op, len(specs))
            inputs = dict(zip(space.inputs, specs, strict=True))
            model = self.build(space.at({}), inputs, 0)
            outputs = self.run(model, {name: draw(spec) for name, spec in inputs.items()})
            expected = op.shape(*specs)
            expected = expected if isinstance(expected, tuple) else (expected,)
            assert [(x.shape, str(x.dtype)) for x in outputs] == [((BATCH, *y.shape), y.dtype) for y in expected]
            shapes = {name.partition(".")[2]: array.shape for name, array in self.weights(model).items()}
            assert shapes == {name: weight.shape for name, weight in op.weights(*specs).items()}

        holds()

    @pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.__name__)
    def test_an_operation_gives_the_numbers_of_the_reference(self, cls: type[Operation]) -> None:
        @settings(_FEW, max_examples=self.n_examples)
        @given(OPERATIONS[cls].filter(lambda case: len(case[1]) <= 4))
        def agrees(case: tuple[Operation, tuple[Spec, ...]]) -> None:
            self.agree_on_operation(*case)

        agrees()

    @pytest.mark.parametrize("name", CORNERS)
    def test_a_use_that_frameworks_disagree_on_gives_the_numbers_of_the_reference(self, name: str) -> None:
        self.agree_on_operation(*CORNERS[name])

    def test_random_architectures_give_the_numbers_of_the_reference(self) -> None:
        @settings(_FEW, max_examples=self.n_architectures)
        @given(networks(self.dtypes), st.integers(0, 99))
        def agrees(network: RandomNetwork, seed: int) -> None:
            self.agree(network.space.sample(seed), network.inputs)

        agrees()

    @pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
    def test_a_well_known_network_has_the_parameters_that_its_authors_count(self, network: Any) -> None:
        model = self.build(network.space.at({}), network.inputs, 0)
        sizes = {name: array.size for name, array in self.weights(model).items()}
        untrained = sum(size for name, size in sizes.items() if ".moving_" in name)
        assert (sum(sizes.values()) - untrained, untrained) == (network.trained, network.non_trainable)

    def test_language_models_with_tied_heads_give_the_numbers_of_the_reference(self) -> None:
        self.agree(da.space(decoder).at({}), DECODER)
        net = gpt_2(n_blocks=2, num_heads=2, features=6, vocabulary=11, n_context=7)
        self.agree(net.at({}), {"tokens": da.tokens(5, vocabulary=11)})

    # --- composition -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", PAIRS)
    def test_a_substitution_computes_what_stands_in_its_place(self, name: str) -> None:
        substitution, values, plain = PAIRS[name]
        model, reference = self.model(substitution, values=values), self.model(plain)
        self.copy_weights(model, reference)
        arrays = {"x": draw(IMAGE)}
        self.assert_close(self.run(model, arrays), self.run(reference, arrays))

    def test_a_module_called_twice_has_one_set_of_parameters(self) -> None:
        assert self.n_parameters(self.model(tied_twice)) == self.n_parameters(self.model(lambda x: conv()(x)))

    def test_a_tied_module_takes_inputs_of_other_sizes(self) -> None:
        def tied(a: Any, b: Any) -> Any:
            shared = ops.Conv2D(3, 3, strides=2)
            return shared(a), shared(b)

        small, large = da.image(4, 7, 7), da.image(4, 8, 10)
        model = self.model(tied, small, large)
        alone = {spec: self.model(lambda x: ops.Conv2D(3, 3, strides=2)(x), spec) for spec in (small, large)}
        for other in alone.values():
            self.copy_weights(other, model)
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

    def test_outputs_that_the_function_named_come_out_by_these_names(self) -> None:
        x = draw(IMAGE)
        both = self.named(self.model(lambda x: {"z": ops.ReLU()(x), "class": ops.LeakyReLU(0.5)(x)}), {"x": x})
        only = self.named(self.model(lambda x: {"only": ops.ReLU()(x)}), {"x": x})
        self.assert_close(
            [both.pop("z"), both.pop("class"), only.pop("only")], [x.clip(0), np.maximum(x, x / 2), x.clip(0)]
        )
        assert not both and not only

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
        (y,) = self.run(model, {"x": x}, training=True)
        assert (y == 0).any()
        self.assert_close([y[y != 0]], [2 * x[y != 0]])

    def test_a_gradient_reaches_every_parameter(self) -> None:
        def net(x: Any) -> Any:
            x = ops.PReLU()(ops.BatchNormalization()(ops.SeparableConv2D(6, 3)(x)))
            x = ops.Reshape((6, -1))(x)
            x = ops.Scale(0.5)(ops.LayerNormalization()(ops.MultiHeadAttention(2, 3)(x)))
            return ops.Dense(3)(ops.LSTM(4)(ops.GRU(5, return_sequences=True, reset_after=False)(x)))

        cotangent = np.random.default_rng(1).standard_normal((BATCH, 3)).astype("float32")
        by_input, gradients = self.gradients(self.model(net), {"x": draw(IMAGE)}, [cotangent], training=True)
        assert by_input["x"].shape == (BATCH, *IMAGE.shape) and len(gradients) == len(self.weights(self.model(net))) - 2
        # What follows takes such constants away: the softmax over the scores, and the normalisation over the batch.
        zero = [name for name, g in gradients.items() if not np.abs(g).max() > 1e-6]
        assert set(zero) <= {"multi_head_attention.key.bias", "separable_conv2d.bias"}, zero

    # --- sameness ----------------------------------------------------------------------------------------------

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, again, other = (self.model(both, seed=seed) for seed in (0, 0, 1))
        assert_named_close(self.weights(again), self.weights(first), 0.0)
        a, b = self.weights(first), self.weights(other)
        assert any(np.abs(a[name] - b[name]).max() > 0 for name in a)

    def test_names_are_those_of_the_addresses(self) -> None:
        model = self.model(lambda x: da.repeat(lambda: da.or_([conv], which=0), 2)(conv()(x)))
        paths = ("conv2d", "repeat_0.or_0.conv2d", "repeat_1.or_0.conv2d")
        assert list(self.weights(model)) == [f"{path}.{name}" for path in paths for name in ("kernel", "bias")]

    def test_weights_are_the_same_in_every_process(self) -> None:
        source = f"""
            import deep_arch as da
            from deep_arch import ops
            import {self.module} as backend

            def net(x):
                return da.repeat(lambda: ops.Conv2D(da.choice([2, 4]), 3), da.choice([2, 3]))(x)

            model = backend.build(da.space(net).sample(seed=3), da.image(4, 8, 8), seed=0)
            print([(name, array.sum(dtype="float64")) for name, array in backend.get_weights(model).items()])
        """
        printed = {self._in_a_new_process(source, hash_seed) for hash_seed in ("0", "1")}
        assert len(printed) == 1 and "conv2d" in printed.pop()

    def _in_a_new_process(self, source: str, hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", textwrap.dedent(source)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    # --- weights that travel, and modules of the framework -----------------------------------------------------

    def test_weights_travel(self) -> None:
        model, other = self.model(both, seed=0), self.model(both, seed=1)
        self.set_weights(other, self.weights(model))
        assert_named_close(self.weights(other), self.weights(model), 0.0)
        x = draw(IMAGE)
        self.assert_close(self.run(other, {"x": x}), self.run(model, {"x": x}))

    def test_weights_are_copies(self) -> None:
        model = self.model(both)
        for array in self.weights(model).values():
            array[...] = 7.0
        assert all((array != 7.0).all() for array in self.weights(model).values())

    def test_weights_that_do_not_fit_are_refused_by_name(self) -> None:
        model = self.model(lambda x: conv()(x))
        kernel, bias = self.weights(model).values()
        with pytest.raises(BadArgument, match=r"conv2d\.bias: (.|\n)*none of this name"):
            self.set_weights(model, {"conv2d.kernel": kernel})
        with pytest.raises(BadArgument, match=r"conv2d\.kernal(.|\n)*conv2d\.kernel"):
            self.set_weights(model, {"conv2d.kernel": kernel, "conv2d.bias": bias, "conv2d.kernal": kernel})
        with pytest.raises(ShapeMismatch, match=r"conv2d\.kernel: (.|\n)*\(3, 3, 4, 4\)(.|\n)*\(3, 3, 4, 3\)"):
            self.set_weights(model, {"conv2d.kernel": kernel[..., :3], "conv2d.bias": bias})
        assert_named_close(self.weights(model), {"conv2d.kernel": kernel, "conv2d.bias": bias}, 0.0)

    def test_a_layer_of_the_framework_is_a_module_like_others(self) -> None:
        def net(x: Any) -> Any:
            shared = self.native(da.channels(x))
            x = da.repeat(lambda: self.native(da.choice([4, 6])), 1)(x)
            return shared(ops.Dense(4)(x)), shared(ops.Dense(4)(x))

        space, vector = da.space(net), da.vector(4)
        architecture = space.at({next(iter(space.sample(0).values)): 6})
        assert architecture.cost(vector).parameters == 6 * (4 + 1) + 4 * (4 + 1) + 2 * 4 * (6 + 1)
        model = self.build(architecture, vector, 0)
        assert self.n_parameters(model) == architecture.cost(vector).parameters
        assert [x.shape for x in self.run(model, {"x": draw(vector)})] == [(BATCH, 4)] * 2
        again = self.build(architecture, vector, 0)
        assert_named_close(self.weights(again), self.weights(model), 0.0)

    def test_a_layer_of_the_framework_that_does_not_fit_is_refused_with_the_address(self) -> None:
        with pytest.raises(DeepArchError, match=r"optional/"):
            self.model(lambda x: da.optional(lambda: self.native(-1), use=True)(x), da.vector(4))

    def test_a_plain_function_is_a_module_like_others(self) -> None:
        times: Function = lambda factor: lambda x: x * factor  # noqa: E731
        x = draw(IMAGE)
        half = self.model(lambda x: da.wrap(times)(da.channels(x) // 2)(ops.ReLU()(x)))  # of 4 channels
        self.assert_close(self.run(half, {"x": x}), [2 * x.clip(0)])

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

    def test_a_seed_that_is_no_int_is_refused(self) -> None:
        with pytest.raises(BadArgument, match="seed"):
            self.build(da.space(lambda x: conv()(x)).at({}), IMAGE, "zero")  # type: ignore[arg-type]

    def test_an_unknown_operation_is_refused_with_the_address(self) -> None:
        with pytest.raises(NotSupported, match=r"optional/_?unknown"):
            self.model(lambda x: da.optional(_Unknown, use=True)(x))

    def test_an_operation_with_other_weights_than_it_is_lowered_with_is_refused_with_the_address(self) -> None:
        with pytest.raises(NotSupported, match=r"optional/_?other: (.|\n)*Dense(.|\n)*other(.|\n)*method `to_"):
            self.model(lambda x: da.optional(lambda: _Other(3), use=True)(x))
