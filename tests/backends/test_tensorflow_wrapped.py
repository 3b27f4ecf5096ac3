"""Modules of the user in TensorFlow: wrapped classes and functions, and operations with a lowering of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import tensorflow_backend
from deep_arch.errors import BadArgument, NotSupported, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, constants

IMAGE = da.image(channels=4, height=6, width=8)


def build(fn: Any, inputs: Any = IMAGE, seed: int | None = 0) -> Any:
    return tensorflow_backend.build(da.space(fn).at({}), inputs, seed)


def example() -> Any:
    return tf.constant(np.random.default_rng(0).standard_normal((2, 6, 8, 4), "float32"))


class Mean(tf.Module):  # type: ignore[misc]
    """Subtract a running mean of each channel, which it makes when it is first called."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = tf.Variable(scale)
        self.parts: list[Any] = []

    def __call__(self, x: Any, training: bool = False) -> Any:
        if not self.parts:
            self.parts.append(tf.Variable(tf.zeros(x.shape[-1]), trainable=False))
        if training:
            self.parts[0].assign(tf.reduce_mean(x, tuple(range(len(x.shape) - 1))))
        return self.scale * (x - self.parts[0])


def test_a_wrapped_module_has_shapes_costs_hyperparameters_and_state() -> None:
    wrapped = tensorflow_backend.wrap(Mean)
    space = da.space(lambda x: wrapped(scale=da.choice([1.0, 2.0]))(x))
    architecture = space.at({"mean.scale": 2.0})
    cost = architecture.cost(IMAGE)
    assert (cost.parameters, cost.non_trainable, cost.macs) == (1, 4, 0)
    assert architecture.shapes(IMAGE)["mean"] == IMAGE.shape
    model, x = tensorflow_backend.build(architecture, IMAGE, 0), example()
    weights = tensorflow_backend.get_weights(model)
    assert {name: w.shape for name, w in weights.items()} == {"mean.scale": (), "mean.parts.0": (4,)}
    np.testing.assert_allclose(model(x), 2 * x)
    mean = np.mean(x, (0, 1, 2))
    np.testing.assert_allclose(model(x, training=True), 2 * (x - mean), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.weights["mean.parts.0"], mean, rtol=1e-4, atol=1e-6)
    assert [v.shape for v in model.trainable_variables] == [()]


def test_shared_wrapped_modules_are_one() -> None:
    def net(x: Any) -> Any:
        shared = tensorflow_backend.wrap(Mean)(scale=2.0)
        return shared(shared(x))

    model = build(net)
    assert list(model.weights) == ["mean.scale", "mean.parts.0"]
    np.testing.assert_allclose(model(example()), 4 * example())


def test_wrapped_code_with_conditions_on_tensors_runs_in_a_graph() -> None:
    def positive() -> Any:
        def call(x: Any) -> Any:
            if tf.reduce_sum(x) < 0:
                x = -x
            return tf.reshape(x, (tf.shape(x)[0], -1))

        return call

    model = build(lambda x: ops.Dense(2)(tensorflow_backend.wrap(positive)()(x)))
    np.testing.assert_allclose(tf.function(model)(-example()), model(example()), rtol=1e-4, atol=1e-5)
    served = model.serve(example())["output"]  # where no size of the batch is known
    np.testing.assert_allclose(served, model(example()), rtol=1e-4, atol=1e-5)


def test_wrapped_functions_may_take_unhashable_arguments_and_give_several_outputs() -> None:
    def chunks(sizes: list[int]) -> Any:
        return lambda x: tf.split(x, sizes, -1)

    wrapped = tensorflow_backend.wrap(chunks, outputs=2)
    model = build(lambda x: ops.Concatenate()(*[wrapped([1, 3])(x)[i] for i in (1, 0)]))
    x = example()
    np.testing.assert_allclose(model(x), tf.concat([x[..., 1:], x[..., :1]], -1))
    with pytest.raises(ShapeMismatch, match=r"^chunks: (.|\n)*outputs=2"):
        build(lambda x: tensorflow_backend.wrap(chunks)([1, 3])(x))


def test_what_cannot_be_wrapped_is_refused() -> None:
    with pytest.raises(BadArgument, match="without a call"):
        tensorflow_backend.wrap(Mean())
    with pytest.raises(BadArgument, match="scale"):
        tensorflow_backend.wrap(Mean)(scael=2.0)
    with pytest.raises(BadArgument, match=r"^optional/dict: (.|\n)*function of tensors"):
        build(lambda x: da.optional(lambda: da.wrap(dict)(), use=True)(x))


def test_a_wrapped_module_that_does_not_fit_is_refused_with_the_address() -> None:
    product = tensorflow_backend.wrap(lambda: lambda x: x @ tf.ones((5, 2)))
    with pytest.raises(ShapeMismatch, match=r"^repeat\[0\]/lambda_?: (.|\n)*Got \(4, 6, 8\)"):
        build(lambda x: da.repeat(lambda: product(), 1)(x))
    for result in (lambda x: {"y": x}, lambda x: x[0], lambda x: tf.boolean_mask(x, x > 0)):
        with pytest.raises(ShapeMismatch, match="flat tuple"):
            build(lambda x, result=result: tensorflow_backend.wrap(lambda: result)()(x))


def test_tensors_from_outside_are_refused() -> None:
    outside = tf.ones(4)
    with pytest.raises(ShapeMismatch, match=r"^lambda_?: (.|\n)*made inside of it"):
        build(lambda x: tensorflow_backend.wrap(lambda: lambda x: outside * x)()(x))


def test_variables_that_would_not_be_part_of_the_model_are_refused() -> None:
    def scaled() -> Any:
        factor = tf.Variable(2.0)
        return lambda x: factor * x

    with pytest.raises(BadArgument, match=r"^scaled: (.|\n)*held by a tf\.Module(.|\n)*Got 1 from"):
        build(lambda x: tensorflow_backend.wrap(scaled)()(x))


class Affine(Operation):
    """An operation of a user, with weights and a lowering of its own."""

    def shape(self, *inputs: Spec) -> Spec:
        return inputs[0]

    def weights(self, *inputs: Spec) -> dict[str, Weight]:
        return {"factor": constants(inputs[0].channels, initial=2.0), "shift": constants(1)}

    def to_tensorflow(self, context: tensorflow_backend.Context, x: Any) -> Any:
        y = context.weights["factor"] * x + context.weights["shift"]
        return y + context.generator.normal(tf.shape(y)) if context.training else y


class Same(ops.ReLU):
    """An operation of a user that is lowered as what it inherits from."""


def test_operations_of_the_user_are_lowered() -> None:
    model = build(lambda x: Same()(Affine()(x)))
    assert {name: v.shape for name, v in model.weights.items()} == {"affine.factor": (4,), "affine.shift": (1,)}
    np.testing.assert_allclose(model(example()), np.maximum(2 * example(), 0))
    assert not np.allclose(model(example(), training=True), model(example()))


def test_an_operation_without_lowering_names_both_mends() -> None:
    class Unheard(Operation):
        def shape(self, *inputs: Spec) -> Spec:
            return inputs[0]

    with pytest.raises(NotSupported, match=r"^unheard: (.|\n)*to_tensorflow(.|\n)*tensorflow_backend\.wrap"):
        build(lambda x: Unheard()(x))


def test_what_onnx_cannot_hold_is_refused(tmp_path: Any) -> None:
    lost = tensorflow_backend.wrap(lambda: lambda x: tf.math.bessel_i0(x))
    with pytest.raises(NotSupported, match=r"tf2onnx cannot write this model(.|\n)*BesselI0"):
        tensorflow_backend.export_onnx(build(lambda x: lost()(x)), tmp_path / "model.onnx")


def test_the_older_name_of_a_context_goes_on_working() -> None:
    assert tensorflow_backend.Call is tensorflow_backend.Context
