"""The Keras backend by its contract, and what only Keras has: fit, saved models, layers of the user.

It runs on one of Keras's backends, that of KERAS_BACKEND; `test_keras_backends.py` runs it on each.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import keras_backend
from deep_arch.backends.keras_backend.layers import SameAveragePooling, TransposedConvolution
from deep_arch.errors import BadArgument, MissingDependency, NotSupported, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.testing.backend_contract import IMAGE, BackendContract
from deep_arch.testing.keras_runner import KerasRunner
from deep_arch.testing.language_networks import DECODER, decoder
from deep_arch.testing.parity import BATCH, Array, assert_close, assert_named_close, draw, draw_weights
from deep_arch.testing.sequence_contract import RAGGED, ragged
from deep_arch.testing.substitution_pairs import conv, space_of, tied_twice
from deep_arch.testing.torch_runner import TorchRunner

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, from NumPy 2
    pytest.mark.filterwarnings("ignore:(.|\n)*softmax over axis:UserWarning"),  # of one channel
]
BACKEND = keras.config.backend()
RUNNER = KerasRunner()


class TestKerasBackend(KerasRunner, BackendContract):
    reference = TorchRunner()
    dtypes = ("float32", "float64") if BACKEND == "tensorflow" else ("float32",)
    n_examples = 4 if BACKEND == "jax" else 10  # JAX compiles for every shape
    n_scans = 3 if BACKEND == "jax" else 8
    rounded = (ops.GELU, ops.LeakyReLU, ops.UpSampling2D, ops.MultiHeadAttention, ops.GroupQueryAttention)

    def native(self, units: Any) -> da.Module:
        return keras_backend.wrap(keras.layers.Dense)(units)


def image_net(x: Any) -> Any:
    """Return two outputs of images, with padding that is not even, merging, tied weights and own layers."""
    stem = ops.Conv2D(6, 3, strides=2)
    x = ops.PReLU()(ops.BatchNormalization()(stem(x)))
    x = da.repeat(lambda: da.sequential(lambda: ops.SeparableConv2D(6, 3), ops.SELU), 2)(x)
    y = ops.AveragePooling2D(3, strides=2)(ops.Conv2DTranspose(6, 3, strides=2, dilation_rate=2)(x))
    left, right, _ = ops.Split((7, 7, 4))(ops.Concatenate()(ops.Scale(0.5)(x), y, ops.Zero()(x)))
    left, right = ops.Slice(1, 6)(left), ops.Slice(-5, None)(ops.Concatenate(axis=1)(*ops.Split((1, 3), axis=1)(right)))
    left = ops.GELU(approximate=True)(ops.Dropout(0.2)(left))
    return ops.Add()(left, right), ops.Dense(3)(ops.Flatten()(ops.Conv2D(2, 3, strides=2, dilation_rate=2)(x)))


def transformer(x: Any) -> Any:
    x = ops.Embedding(11, 8)(x)
    x = ops.PositionEmbedding()(ops.Concatenate(axis=1)(ops.Parameter((8, 1))(x), x))
    x = da.residual(lambda: da.sequential(ops.LayerNormalization, lambda: ops.MultiHeadAttention(2, 4)))(x)
    return ops.Dense(3)(ops.GRU(5)(ops.LSTM(4, return_sequences=True)(x)))


NETS: dict[str, tuple[Any, Spec]] = {"image": (image_net, IMAGE), "text": (transformer, da.tokens(6, vocabulary=11))}


def build(fn: Any, inputs: Any = IMAGE, seed: int | None = 0, **values: Any) -> Any:
    return keras_backend.build(da.space(fn).at(values), inputs, seed)


def conv_net(x: Any) -> Any:
    return conv()(x)


def names(model: Any) -> list[str]:
    return [layer.name for layer in model.layers]


@pytest.fixture(params=NETS)
def built(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Array]]:
    """A model and an input for it."""
    fn, spec = NETS[request.param]
    return build(fn, spec), {"x": draw(spec)}


# --- what Keras does with models --------------------------------------------------------------------------------------


def test_a_saved_model_loads_with_its_numbers_and_names(built: Any, tmp_path: Path) -> None:
    model, x = built
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    assert_close(RUNNER.run(loaded, x), RUNNER.run(model, x), 1e-6)
    weights = keras_backend.get_weights(model)
    again = keras_backend.get_weights(loaded)
    assert_named_close({name: again[name] for name in weights}, weights, 0.0)
    assert len(again) == len(weights)
    other = draw_weights(weights)
    keras_backend.set_weights(loaded, other)
    keras_backend.set_weights(model, other)
    assert_close(RUNNER.run(loaded, x), RUNNER.run(model, x), 1e-6)


def test_models_are_made_again_from_their_configuration(built: Any) -> None:
    model, x = built
    copy = keras.models.clone_model(model)
    keras_backend.set_weights(copy, keras_backend.get_weights(model))
    assert_close(RUNNER.run(copy, x), RUNNER.run(model, x), 1e-6)
    assert names(keras.Model.from_config(model.get_config())) == names(model)


def test_models_train_and_summarise(capsys: pytest.CaptureFixture[str]) -> None:
    model = build(lambda x: ops.Dense(1)(ops.ReLU()(ops.Dense(8)(x))), da.vector(4))
    x = np.random.default_rng(0).standard_normal((64, 4)).astype("float32")
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(x, x.sum(1, keepdims=True), epochs=8, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert model.predict(x, verbose=0).shape == (64, 1)
    model.summary()
    assert "dense_1 (Dense)" in capsys.readouterr().out


def test_models_are_drawn(tmp_path: Path) -> None:
    keras.utils.plot_model(build(image_net), tmp_path / "model.png", show_shapes=True)
    assert (tmp_path / "model.png").stat().st_size > 1000


@pytest.mark.skipif(BACKEND == "jax", reason="Keras exports JAX models with a package that is not a dependency")
def test_models_export_to_onnx(built: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x = built
    path = tmp_path / "model.onnx"
    keras_backend.export_onnx(model, path)
    assert capsys.readouterr().out == ""
    session = onnxruntime.InferenceSession(path)
    assert [i.name for i in session.get_inputs()] == ["x"]
    given = {name: np.moveaxis(array, 1, -1) if array.ndim > 2 else array for name, array in x.items()}
    got = [np.moveaxis(y, -1, 1) if y.ndim > 2 else y for y in session.run(None, given)]
    assert_close(got, RUNNER.run(model, x), 1e-4)


def test_masked_attention_is_saved_and_exported(tmp_path: Path) -> None:
    model = build(decoder, DECODER)
    keras_backend.set_weights(model, draw_weights(keras_backend.get_weights(model)))
    arrays = {name: draw(spec) for name, spec in DECODER.items()}
    arrays["mask"][:, 2] = False  # which then attends to nothing
    expected = RUNNER.run(model, arrays)
    model.save(tmp_path / "model.keras")
    assert_close(RUNNER.run(keras.models.load_model(tmp_path / "model.keras"), arrays), expected, 1e-6)
    copy = keras.Model.from_config(model.get_config())
    keras_backend.set_weights(copy, keras_backend.get_weights(model))
    assert_close(RUNNER.run(copy, arrays), expected, 1e-6)
    if BACKEND == "jax":
        return
    onnxruntime = pytest.importorskip("onnxruntime")
    keras_backend.export_onnx(model, tmp_path / "model.onnx")
    given = {"tokens": arrays["tokens"], "mask": np.moveaxis(arrays["mask"], 1, -1)}
    (logits,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, given)
    assert_close([np.moveaxis(logits, -1, 1)], expected, 1e-4)


def test_masked_sequences_are_saved_and_exported(tmp_path: Path) -> None:
    model = build(ragged, RAGGED)
    keras_backend.set_weights(model, draw_weights(keras_backend.get_weights(model)))
    arrays = {name: draw(spec) for name, spec in RAGGED.items()}
    expected = RUNNER.run(model, arrays)
    model.save(tmp_path / "model.keras")
    assert_close(RUNNER.run(keras.models.load_model(tmp_path / "model.keras"), arrays), expected, 1e-6)
    if BACKEND == "jax":
        return
    onnxruntime = pytest.importorskip("onnxruntime")
    keras_backend.export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    given = {name: np.moveaxis(array, 1, -1) if array.ndim > 2 else array for name, array in arrays.items()}
    got = session.run(sorted(place.name for place in session.get_outputs()), given)
    assert_close([np.moveaxis(y, -1, 1) if y.ndim > 2 else y for y in got], expected, 1e-4)


def test_an_attention_takes_masks_of_any_rank_and_size_in_its_calls() -> None:
    def net(a: Any, b: Any, each: Any, pairs: Any, heads: Any) -> Any:
        attention = ops.MultiHeadAttention(2, 3)
        return attention(a, each), attention(a, b, pairs), attention(b, a, heads), attention(b)

    inputs = {
        "a": da.sequence(5, 4),
        "b": da.sequence(7, 4),
        "each": da.tensor(5, dtype="bool"),
        "pairs": da.tensor(5, 7, dtype="bool"),
        "heads": da.tensor(2, 7, 5, dtype="bool"),
    }
    TestKerasBackend().agree(da.space(net).at({}), inputs)


@pytest.mark.skipif(BACKEND != "jax", reason="other backends export")
def test_export_from_jax_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match="jax2onnx"):
        keras_backend.export_onnx(build(conv_net), tmp_path / "model.onnx")


# --- inputs, outputs and names ----------------------------------------------------------------------------------------


def test_several_inputs_are_a_list_or_a_dict_and_several_outputs_a_list() -> None:
    def net(a: Any, b: Any) -> Any:
        return ops.Subtract()(a, b), a

    model = build(net, {"a": da.vector(3), "b": da.vector(3)})
    a, b = np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")
    for outputs in (model([a, b]), model({"b": b, "a": a}), model.predict({"a": a, "b": b}, verbose=0)):
        assert isinstance(outputs, list)
        np.testing.assert_array_equal([keras.ops.convert_to_numpy(y) for y in outputs], [a - b, a])


def test_an_input_that_nothing_takes_is_still_an_input() -> None:
    model = build(lambda a, b: ops.ReLU()(b), {"a": da.vector(2), "b": da.vector(3)})
    assert [x.name for x in model.inputs] == ["a", "b"]
    assert model([np.ones((1, 2)), np.ones((1, 3))]).shape == (1, 3)


def test_layers_are_named_after_addresses_and_make_way_for_inputs() -> None:
    def net(conv2d: Any, gelu: Any) -> Any:
        x = da.repeat(conv, 2)(ops.Add()(conv()(conv2d), conv()(gelu)))
        return ops.GELU(approximate=True)(ops.GELU(approximate=True)(x))

    model = build(net, {"conv2d": IMAGE, "gelu": IMAGE})
    assert names(model)[:2] == ["conv2d", "gelu"]
    paths = ["conv2d", "conv2d_1", "repeat_0.conv2d", "repeat_1.conv2d"]
    assert list(keras_backend.get_weights(model)) == [f"{path}.{name}" for path in paths for name in ("kernel", "bias")]
    assert {"conv2d-", "repeat_0-conv2d"} < set(names(model))


def test_tied_weights_are_one_layer() -> None:
    model = build(tied_twice)
    assert names(model) == ["x", "conv2d"]
    assert len(model.weights) == 2


def test_layers_of_any_setting_have_the_channels_last() -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        model = build(lambda x: ops.MaxPooling2D()(ops.SpatialDropout2D(0.1)(conv(5)(x))))
    finally:
        keras.config.set_image_data_format("channels_last")
    assert model.output_shape == (None, 4, 4, 5)


def test_no_layer_is_there_in_vain() -> None:
    """Axes are moved only where numbers change their order."""
    model = build(lambda x: ops.Flatten()(ops.Reshape((4, 64))(ops.Transpose((2, 0, 1))(ops.Identity()(x)))))
    assert names(model) == ["x", "transpose", "reshape-channels_first", "reshape", "flatten"]
    pooled = build(lambda x: ops.Flatten()(ops.GlobalAveragePooling2D(keepdims=True)(ops.Add()(x))))
    assert names(pooled) == ["x", "global_average_pooling2d", "flatten"]


def test_own_layers_stand_only_where_keras_has_none() -> None:
    def own(op: Operation, spec: Spec = IMAGE) -> bool:
        model = keras_backend.build(space_of(op, 1).at({}), spec, 0)
        return any(isinstance(layer, SameAveragePooling | TransposedConvolution) for layer in model.layers)

    assert not own(ops.AveragePooling2D(3, strides=1)) and not own(ops.AveragePooling2D(2))
    assert own(ops.AveragePooling2D(3, strides=2)) and not own(ops.AveragePooling2D(3, strides=2), da.image(4, 7, 7))
    assert not own(ops.Conv2DTranspose(3, 3, strides=2)) and own(ops.Conv2DTranspose(3, 3, dilation_rate=2))


def test_a_tied_mean_pools_inputs_of_other_sizes() -> None:
    def tied(a: Any, b: Any) -> Any:
        pool = ops.AveragePooling2D(3, strides=2)
        return pool(a), pool(b)

    space, specs = da.space(tied), {"a": da.image(2, 7, 7), "b": da.image(2, 8, 6)}
    arrays = {name: draw(spec) for name, spec in specs.items()}
    reference = TorchRunner()
    expected = reference.run(reference.build(space.at({}), specs, 0), arrays)
    assert_close(RUNNER.run(RUNNER.build(space.at({}), specs, 0), arrays), expected, 1e-5)


# --- seeds ------------------------------------------------------------------------------------------------------------


def test_a_seed_leaves_the_global_generators_as_they_were() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    first, again = (build(image_net, seed=7) for _ in range(2))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # type: ignore[index]
    assert_named_close(keras_backend.get_weights(first), keras_backend.get_weights(again), 0.0)


def test_a_seed_makes_dropout_the_same() -> None:
    def net(x: Any) -> Any:
        return ops.GaussianNoise(0.1)(ops.DropPath(0.5)(ops.SpatialDropout2D(0.5)(ops.Dropout(0.5)(x))))

    x = {"x": draw(IMAGE)}
    runs = [RUNNER.run(build(net, seed=seed), x, training=True) for seed in (1, 1, 2)]
    assert_close(runs[0], runs[1], 0.0)
    assert np.abs(runs[0][0] - runs[2][0]).max() > 0


def test_drop_path_drops_whole_examples() -> None:
    x = np.ones((64, 2, 3, 3), "float32")
    (y,) = RUNNER.run(build(lambda x: ops.DropPath(0.5)(x), da.image(2, 3, 3)), {"x": x}, training=True)
    kept = y[:, 0, 0, 0]
    assert (y == kept[:, None, None, None]).all() and set(kept) == {0.0, 2.0}


def test_without_a_seed_weights_come_from_the_generator_of_keras() -> None:
    weights = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        weights.append(keras_backend.get_weights(build(conv_net, seed=None)))
    assert_named_close(weights[0], weights[1], 0.0)
    assert np.abs(weights[0]["conv2d.kernel"] - weights[2]["conv2d.kernel"]).max() > 0


# --- types ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras computes in float64 on TensorFlow")
def test_float64_is_refused_where_keras_would_round() -> None:
    with pytest.raises(NotSupported, match=r"^x: (.|\n)*float64 on TensorFlow only(.|\n)*KERAS_BACKEND"):
        build(conv_net, da.image(4, 8, 8, dtype="float64"))


# --- modules of the user ----------------------------------------------------------------------------------------------


def test_wrapped_classes_have_shapes_costs_and_hyperparameters() -> None:
    wrapped = keras_backend.wrap(keras.layers.Conv2D)
    space = da.space(lambda x: ops.ReLU()(wrapped(da.choice([8, 16]), kernel_size=3, name="stem")(x)))
    architecture = space.at({"stem.filters": 16})
    assert architecture.shapes(IMAGE)["stem"] == (16, 6, 6)
    assert architecture.cost(IMAGE).parameters == 16 * (4 * 9 + 1)
    model: Any = keras_backend.build(architecture, IMAGE, 0)
    assert isinstance(model.get_layer("stem"), keras.layers.Conv2D)
    assert {n: w.shape for n, w in keras_backend.get_weights(model).items()} == {
        "stem.kernel": (3, 3, 4, 16),
        "stem.bias": (16,),
    }


def test_wrapped_normalisation_tells_trained_numbers_from_others() -> None:
    norm = keras_backend.wrap(keras.layers.BatchNormalization)()
    assert (norm.parameters(IMAGE), norm.non_trainable(IMAGE), norm.macs(IMAGE)) == (8, 8, 0)


def test_wrapped_layers_take_several_inputs_as_their_call_does_and_give_several_outputs() -> None:
    def net(x: Any) -> Any:
        x = keras_backend.wrap(keras.layers.MultiHeadAttention)(num_heads=1, key_dim=2)(x, x)
        x = keras_backend.wrap(keras.layers.Concatenate)()(x, x)
        states = keras_backend.wrap(keras.layers.GRU, outputs=2)(3, return_state=True)(x)
        return da.wrap(_difference)()(states[0], states[1])

    model = build(net, da.sequence(length=5, features=4))
    assert model.output_shape == (None, 3)
    (y,) = RUNNER.run(model, {"x": draw(da.sequence(length=5, features=4))})
    np.testing.assert_array_equal(y, np.zeros((BATCH, 3)))


def _difference() -> Any:
    return lambda a, b: a - b


def test_wrap_tells_what_it_was_given() -> None:
    with pytest.raises(BadArgument, match="kernel_size"):
        keras_backend.wrap(keras.layers.Conv2D)(8, kernel_sise=3)
    with pytest.raises(BadArgument, match="without a call"):
        keras_backend.wrap(keras.layers.ReLU())
    with pytest.raises(BadArgument, match=r"^optional/dict: (.|\n)*function of arrays"):
        build(lambda x: da.optional(lambda: da.wrap(dict)(), use=True)(x))
    with pytest.raises(ShapeMismatch, match=r"^gru: (.|\n)*outputs=2"):
        build(lambda x: keras_backend.wrap(keras.layers.GRU)(3, return_state=True)(x), da.sequence(5, 3))
    with pytest.raises(ShapeMismatch, match=r"^repeat\[0\]/dense: (.|\n)*units=-1"):
        build(lambda x: da.repeat(lambda: keras_backend.wrap(keras.layers.Dense)(units=-1), 1)(x), da.vector(4))


def test_a_layer_that_two_modules_hold_is_refused_with_the_address() -> None:
    layer = keras.layers.Dense(4)
    shared = keras_backend.wrap(lambda: layer)
    with pytest.raises(BadArgument, match=r"^repeat\[1\](.|\n)*repeat_0(.|\n)*new layer each time"):
        build(lambda x: da.repeat(lambda: shared(name="own"), 2)(x), da.vector(4))


class Swish(Operation):
    """An operation of a user, with its own lowering."""

    def shape(self, *inputs: Spec) -> Spec:
        return inputs[0]

    def to_keras(self, emit: keras_backend.Emitter, specs: Sequence[Spec], x: Any) -> Any:
        return emit.function(keras.ops.multiply, x, emit.layer(keras.layers.PReLU, x, name="slope"))


class Same(ops.ReLU):
    """An operation of a user that is lowered as what it inherits from."""


def test_operations_of_the_user_are_lowered() -> None:
    model = build(lambda x: Same()(Swish()(x)), da.vector(4))
    assert {n: w.shape for n, w in keras_backend.get_weights(model).items()} == {"swish.slope.alpha": (4,)}
    assert isinstance(model.layers[-1], keras.layers.ReLU)


def test_an_operation_without_lowering_names_both_mends() -> None:
    class Unheard(Operation):
        def shape(self, *inputs: Spec) -> Spec:
            return inputs[0]

    with pytest.raises(NotSupported, match=r"^unheard: (.|\n)*to_keras(.|\n)*keras_backend\.wrap"):
        build(lambda x: Unheard()(x))


# --- what is not installed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("absent", "message"), [("keras", "deep_arch[keras]"), (BACKEND, "KERAS_BACKEND")])
def test_what_is_not_installed_is_named(absent: str, message: str) -> None:
    code = f"import sys; sys.modules[{absent!r}] = None; from deep_arch.backends import keras_backend"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"MissingDependency: {absent}:" in done.stderr or "MissingDependency: keras:" in done.stderr
    assert message in done.stderr
