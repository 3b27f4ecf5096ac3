"""What only TensorFlow has: graphs, checkpoints, SavedModels, variables; and ONNX files."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import tensorflow_backend
from deep_arch.backends.tensorflow_backend import windows
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec
from deep_arch.testing.language_networks import DECODER, decoder
from deep_arch.testing.sequence_contract import RAGGED, ragged

IMAGE = da.image(channels=4, height=8, width=8)


def transformer(x: Any) -> Any:
    x = ops.Embedding(11, 8)(x)
    x = da.residual(lambda: da.sequential(ops.LayerNormalization, lambda: ops.MultiHeadAttention(2, 4)))(x)
    x = ops.Dense(8)(ops.GELU()(ops.Dense(16)(ops.RMSNormalization()(x))))
    return ops.Dense(3)(ops.GlobalAveragePooling1D()(ops.Scale(0.5)(x)))


def visual(x: Any) -> Any:
    """Return the class token of a sequence that also was convolved causally, joined with learned queries."""
    x = ops.Conv1D(6, 3, padding="causal", dilation_rate=2)(x)
    x = ops.PositionEmbedding(20)(ops.Concatenate(axis=1)(ops.Parameter((6, 1))(x), x))
    small, large = ops.Split((2, 4))(ops.MultiHeadAttention(2, 4)(ops.Parameter((6, 3))(x), x))
    return ops.Slice(0, 1, axis=1)(x), ops.Slice(1, -1)(large), small


def image_net(x: Any) -> Any:
    """Return two outputs, with windows that no kernel takes as they are, statistics, merging and tied weights."""
    stem = ops.Conv2D(6, 3, strides=2, dilation_rate=2, groups=2)
    x = ops.ReLU()(ops.BatchNormalization()(stem(x)))
    a = da.repeat(ops.SeparableConv2D(6, 5), 2)(x)
    b = ops.DepthwiseConv2D(3, strides=(1, 2))(ops.Conv2DTranspose(6, 3, (2, 4), output_padding=(1, 3))(x))
    left, right = ops.Split(2)(ops.Concatenate()(a, ops.AveragePooling2D(2, padding="same")(b)))
    volume = ops.MaxPooling3D()(ops.Reshape((2, 3, 4, 4))(x))
    return ops.Add()(left, ops.Multiply()(right, right)), ops.Flatten()(volume)


def recurrent(x: Any) -> Any:
    x = ops.LSTM(5, return_sequences=True)(x)
    return ops.GRU(4, go_backwards=True, reset_after=False)(x), ops.GRU(4, return_sequences=True)(x)


NETS: dict[str, tuple[Any, Spec]] = {
    "transformer": (transformer, da.tokens(6, vocabulary=11)),
    "visual": (visual, da.sequence(length=9, features=4)),
    "image": (image_net, IMAGE),
    "recurrent": (recurrent, da.sequence(length=5, features=3)),
    "long": (recurrent, da.sequence(length=70, features=3)),
}


def build(fn: Any, inputs: Any = IMAGE, seed: int | None = 0) -> Any:
    return tensorflow_backend.build(da.space(fn).at({}), inputs, seed)


def example(spec: Spec, batch: int = 3) -> Any:
    shape, rng = (batch, *spec.spatial, *spec.shape[:1]), np.random.default_rng(0)
    return tf.constant(rng.integers(11, size=shape) if spec.dtype == "int64" else rng.standard_normal(shape, "float32"))


def assert_close(got: Any, expected: Any) -> None:
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-5), got, expected)


def in_a_new_process(source: str, **environment: str) -> str:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(source)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- graphs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS)
def test_a_graph_for_any_shape_computes_what_eager_execution_does(net: str) -> None:
    fn, spec = NETS[net]
    model, x = build(fn, spec), example(spec)
    unknown = tf.TensorSpec([None] * len(x.shape), x.dtype)

    def gradients(x: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = sum(tf.reduce_sum(tf.square(y)) for y in tf.nest.flatten(outputs))
        return outputs, [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables)]

    before = tensorflow_backend.get_weights(model)
    expected, moved = gradients(x), tensorflow_backend.get_weights(model)
    tensorflow_backend.set_weights(model, before)
    assert_close(tf.function(gradients, [unknown])(x), expected)
    assert_close(tensorflow_backend.get_weights(model), moved)
    assert_close(tf.function(model, [unknown])(x), model(x))


def test_a_convolution_in_groups_without_kernels_for_its_gradient_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = build(lambda x: ops.Conv2D(6, 3, strides=2, groups=2)(x)), example(IMAGE)
    expected = model(x)
    monkeypatch.setattr(windows, "_groups_have_gradients", lambda dtype: False)
    assert_close(model(x), expected)


def test_training_is_a_bool() -> None:
    model = build(lambda x: ops.Dropout(0.5)(x))
    with pytest.raises(BadArgument, match=r"training must be True or False(.|\n)*Got <tf\.Tensor"):
        model(example(IMAGE), training=tf.constant(True))


def test_inputs_go_in_by_order_or_by_name() -> None:
    model = build(lambda left, right: ops.Subtract()(left, right), {"left": IMAGE, "right": IMAGE})
    a, b = example(IMAGE), example(IMAGE) * 2
    for difference in (model(a, b), model(right=b, left=a), model(a, right=b), model(a.numpy(), b.numpy())):
        assert_close(difference, a - b)
    with pytest.raises(BadArgument, match=r"left, right once(.|\n)*'right'"):
        model(a, rihgt=b)
    for arguments in ((a,), (a, b, a)):
        with pytest.raises(BadArgument, match=rf"Got {len(arguments)} in order"):
            model(*arguments)


def test_an_input_of_another_shape_is_refused_by_name() -> None:
    with pytest.raises(
        ShapeMismatch, match=r"input x must be (.|\n)*\(None, 8, 8, 4\)(.|\n)*\(3, 4, 8, 8\)(.|\n)*last"
    ):
        build(lambda x: ops.ReLU()(x))(tf.zeros((3, 4, 8, 8)))


# --- randomness ------------------------------------------------------------------------------------------------------

RANDOM: Mapping[str, Any] = {
    "dropout": lambda x: ops.Dropout(0.5)(x),
    "spatial": lambda x: ops.SpatialDropout2D(0.5)(x),
    "path": lambda x: ops.DropPath(0.5)(x),
    "noise": lambda x: ops.GaussianNoise(0.5)(x),
}


@pytest.mark.parametrize("name", RANDOM)
def test_randomness_is_of_the_seed_and_new_in_each_call(name: str) -> None:
    x = example(IMAGE, 8)
    first, again, other = (build(RANDOM[name], seed=seed) for seed in (0, 0, 1))
    graph = tf.function(lambda x: again(x, training=True), [tf.TensorSpec((None, 8, 8, 4))])
    a, b = first(x, training=True), first(x, training=True)
    assert_close([graph(x), graph(x)], [a, b])
    assert not np.allclose(a, b) and not np.allclose(a, other(x, training=True))


def test_what_is_dropped_together() -> None:
    x = tf.ones((64, 8, 8, 4))
    (channels,) = {
        np.unique(y).size for y in np.moveaxis(build(RANDOM["spatial"])(x, training=True), -1, 1).reshape(-1, 64)
    }
    (examples,) = {np.unique(y).size for y in build(RANDOM["path"])(x, training=True)}
    assert channels == examples == 1
    assert np.unique(build(RANDOM["dropout"])(x, training=True)[0, :, :, 0]).tolist() == [0.0, 2.0]


def test_a_seed_leaves_the_global_generator_as_it_was() -> None:
    wrapped = tensorflow_backend.wrap(lambda: Doubled())
    tf.random.set_seed(3)
    expected = [tf.random.uniform((4,)) for _ in range(2)]
    tf.random.set_seed(3)
    first = tf.random.uniform((4,))
    model, again = (build(lambda x: wrapped()(ops.Dense(4)(x)), seed=7) for _ in range(2))
    assert_close([first, tf.random.uniform((4,))], expected)
    assert_close(tensorflow_backend.get_weights(model), tensorflow_backend.get_weights(again))


def test_without_a_seed_weights_come_from_the_global_generator() -> None:
    weights: list[Any] = []
    for seed in (3, 3, 4):
        tf.random.set_seed(seed)
        weights.append(tensorflow_backend.get_weights(build(lambda x: ops.Dense(4)(x), seed=None)))
    assert_close(weights[0], weights[1])
    assert not np.allclose(weights[0]["dense.kernel"], weights[2]["dense.kernel"])


class Doubled(tf.Module):  # type: ignore[misc]
    """A module whose weights are drawn when it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(tf.random.uniform((4,)))

    def __call__(self, x: Any) -> Any:
        return 2.0 * self.factor * x


# --- state -----------------------------------------------------------------------------------------------------------


def test_variables_have_the_names_of_the_addresses() -> None:
    shared = da.space(lambda x: (lambda a: a(da.repeat(lambda: ops.BatchNormalization(), 1)(a(x))))(ops.Conv2D(4, 3)))
    model = tensorflow_backend.build(shared.at({}), IMAGE, 0)
    names = ["conv2d/kernel", "conv2d/bias", *(f"repeat_0/batch_normalization/{x}" for x in ("gamma", "beta"))]
    still = [f"repeat_0/batch_normalization/moving_{x}" for x in ("mean", "variance")]
    assert [v.name.removesuffix(":0") for v in model.weights.values()] == names + still
    assert {v.name.removesuffix(":0") for v in model.trainable_variables} == set(names)
    assert {v.name.removesuffix(":0") for v in model.non_trainable_variables} == set(still)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_the_type_of_the_input_is_that_of_the_model(dtype: str) -> None:
    spec = da.image(4, 8, 8, dtype=dtype)
    model = build(lambda x: ops.BatchNormalization()(ops.LeakyReLU()(ops.Conv2D(4, 3)(x))), spec)
    assert {v.dtype.name for v in model.variables} == {dtype}
    y = model(tf.ones((2, 8, 8, 4), dtype), training=True)
    assert y.dtype.name == dtype
    weights = tensorflow_backend.get_weights(model)
    assert {str(w.dtype) for w in weights.values()} == {"float32" if dtype == "bfloat16" else dtype}
    tensorflow_backend.set_weights(model, weights)


def test_a_checkpoint_restores_all_state_into_another_model(tmp_path: Path) -> None:
    def net(x: Any) -> Any:
        wrapped = tensorflow_backend.wrap(lambda: Doubled())
        return ops.Dropout(0.5)(wrapped()(ops.BatchNormalization()(ops.Conv2D(4, 3)(x))))

    model, other, x = build(net), build(net, seed=1), example(IMAGE)
    model(x, training=True)
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "state"))
    tf.train.Checkpoint(model=other).restore(path).assert_consumed()
    assert_close(tensorflow_backend.get_weights(other), tensorflow_backend.get_weights(model))
    assert_close(other(x, training=True), model(x, training=True))


def test_a_saved_model_runs_in_a_process_without_this_library(tmp_path: Path) -> None:
    def net(image: Any, extra: Any) -> Any:
        x = ops.Dropout(0.5)(ops.BatchNormalization()(ops.Conv2D(4, 3, groups=2)(image)))
        return {"sum": ops.Add()(x, extra), "flat": ops.Flatten()(x)}

    model = tensorflow_backend.build(da.space(net).at({}), {"image": IMAGE, "extra": IMAGE}, 0)
    image, extra = example(IMAGE, 5), example(IMAGE, 5) / 2
    tf.saved_model.save(model, str(tmp_path / "model"))
    np.savez(tmp_path / "inputs.npz", image=image, extra=extra)
    source = f"""
        import sys
        sys.modules["deep_arch"] = None
        import numpy as np, tensorflow as tf
        serve = tf.saved_model.load({str(tmp_path / "model")!r}).signatures["serving_default"]
        inputs = {{name: tf.constant(x) for name, x in np.load({str(tmp_path / "inputs.npz")!r}).items()}}
        np.savez({str(tmp_path / "outputs.npz")!r}, **serve(**inputs))
    """
    in_a_new_process(source)
    with np.load(tmp_path / "outputs.npz") as outputs:
        expected = model(image, extra)
        assert list(expected) == list(model.outputs)
        assert_close(dict(outputs), expected)


def test_inputs_may_have_any_name(tmp_path: Path) -> None:
    space = da.space(lambda self, input, _x, ä: ops.Add()(self, input, _x, ä))
    model = tensorflow_backend.build(space.at({}), dict.fromkeys(space.inputs, IMAGE), 0)
    x = example(IMAGE)
    assert_close(model(**dict.fromkeys(space.inputs, x)), 4 * x)
    tf.saved_model.save(model, str(tmp_path))
    serve = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    assert_close(serve(self_=x, input=x, m_x=x, m_=x)["output"], 4 * x)


def test_a_deep_copy_has_variables_of_its_own() -> None:
    wrapped = tensorflow_backend.wrap(lambda: Doubled())
    model, x = build(lambda x: ops.Dropout(0.5)(wrapped()(ops.Conv2D(4, 3)(x))), seed=None), example(IMAGE)
    model(x, training=True)
    other = copy.deepcopy(model)
    assert_close(other(x, training=True), model(x, training=True))
    other.weights["conv2d.kernel"].assign_add(tf.ones((3, 3, 4, 4)))
    assert not np.allclose(other(x), model(x))


def test_keras_is_not_needed() -> None:
    source = """
        import sys
        for package in ("keras", "tf_keras"):
            sys.modules[package] = None
        import tensorflow as tf
        import deep_arch as da
        from deep_arch import ops
        from deep_arch.backends import tensorflow_backend

        net = da.space(lambda x: ops.Dense(2)(ops.LSTM(3)(ops.Dropout(0.5)(x))))
        model = tensorflow_backend.build(net.at({}), da.sequence(length=4, features=3), seed=0)
        with tf.GradientTape() as tape:
            y = tf.function(model)(tf.ones((2, 4, 3)), training=True)
        print(len(tape.gradient(y, model.trainable_variables)))
    """
    root = str(Path(da.__file__).parent.parent)
    assert in_a_new_process(source, PYTHONPATH=root) == "5\n"


def test_without_tensorflow_the_error_says_what_to_install() -> None:
    source = """
        import sys
        sys.modules["tensorflow"] = None
        try:
            from deep_arch.backends import tensorflow_backend
        except ImportError as error:
            print(type(error).__name__, error)
    """
    printed = in_a_new_process(source, PYTHONPATH=str(Path(da.__file__).parent.parent))
    assert printed.startswith("MissingDependency tensorflow: ") and "deep_arch[tensorflow]" in printed


# --- ONNX ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS)
def test_an_onnx_file_computes_the_same(net: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    fn, spec = NETS[net]
    model, x = build(fn, spec), example(spec, 5)
    tensorflow_backend.export_onnx(model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    assert [place.name for place in session.get_inputs()] == ["x"]
    assert [place.name for place in session.get_outputs()] == list(model.outputs)
    assert {place.shape[0] for place in (*session.get_inputs(), *session.get_outputs())} == {"batch"}
    assert_close(session.run(None, {"x": x.numpy()}), tf.nest.flatten(model(x)))


def test_an_onnx_file_and_a_saved_model_of_masked_attention_compute_the_same(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model, rng = build(decoder, DECODER), np.random.default_rng(0)
    arrays = {"tokens": rng.integers(11, size=(5, 6)), "mask": rng.random((5, 6, 6)) < 0.4}
    assert not arrays["mask"].any(1).all(), "some attend to nothing"
    expected = model(**arrays)
    tensorflow_backend.export_onnx(model, tmp_path / "model.onnx")
    assert_close(runtime.InferenceSession(tmp_path / "model.onnx").run(None, arrays)[0], expected)
    tf.saved_model.save(model, str(tmp_path))
    serve = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    assert_close(serve(**{name: tf.constant(array) for name, array in arrays.items()})["output"], expected)


def test_an_onnx_file_and_a_saved_model_of_masked_sequences_compute_the_same(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model, rng = build(ragged, RAGGED), np.random.default_rng(0)
    arrays = {"x": rng.standard_normal((4, 5, 3), "float32"), "mask": rng.random((4, 5)) < 0.4}
    expected = model(**arrays)
    tensorflow_backend.export_onnx(model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    names = [place.name for place in session.get_outputs()]
    assert_close(dict(zip(names, session.run(None, arrays), strict=True)), expected)
    tf.saved_model.save(model, str(tmp_path))
    serve = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    assert_close(serve(**{name: tf.constant(array) for name, array in arrays.items()}), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_masked_attention_computes_in_half_precision(dtype: str) -> None:
    def net(x: Any, mask: Any) -> Any:
        x = ops.GroupQueryAttention(4, 4, 2, use_causal_mask=True, rope_max_wavelength=100)(x, mask)
        return ops.ReversibleEmbedding(11, 8)(ops.RotaryEmbedding()(x))

    x, mask = example(Spec((8, 6))), np.array([[False] * 6, [True] * 6, [False, True] * 3])
    inputs = {kind: {"x": Spec((8, 6), kind), "mask": da.tensor(6, dtype="bool")} for kind in (dtype, "float32")}
    result, expected = (build(net, specs)(tf.cast(x, kind), mask) for kind, specs in inputs.items())
    assert result.dtype == dtype
    np.testing.assert_allclose(tf.cast(result, "float32"), expected, atol={"float16": 1e-3, "bfloat16": 1e-2}[dtype])


def test_onnx_outputs_come_in_order_under_free_names(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")

    def net(output_0: Any) -> Any:
        return tuple(ops.Scale(float(i))(output_0) for i in range(11))

    model = build(net, da.vector(2))
    tensorflow_backend.export_onnx(model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    outputs = session.run(None, {"output_0": np.ones((1, 2), "float32")})
    assert [float(y[0, 0]) for y in outputs] == list(range(11))
    assert session.get_outputs()[0].name == "output_0_"


def test_what_is_no_model_is_refused() -> None:
    for call in (tensorflow_backend.get_weights, lambda model: tensorflow_backend.export_onnx(model, "model.onnx")):
        with pytest.raises(BadArgument, match=r"tensorflow_backend\.build returned(.|\n)*Got Module"):
            call(tf.Module())


def test_parameters_are_those_of_the_cost() -> None:
    space = da.space(image_net)
    model = tensorflow_backend.build(space.at({}), IMAGE, 0)
    counted = sum(math.prod(v.shape) for v in model.trainable_variables)
    assert counted == space.at({}).cost(IMAGE).parameters
