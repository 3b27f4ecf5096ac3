"""ONNX files of torch models, run by onnxruntime."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import BadArgument, MissingDependency, NotSupported
from deep_arch.language.specs import Spec
from deep_arch.testing.language_networks import DECODER, decoder
from deep_arch.testing.parity import TOLERANCES, assert_close, draw_weights
from deep_arch.testing.sequence_contract import RAGGED, ragged

TOKENS = da.tokens(6, vocabulary=11)
SEQUENCE = da.sequence(length=5, features=3)
IMAGE = da.image(channels=4, height=9, width=8)


def convolutional(image: Any) -> Any:
    """Return two outputs by name: a map of features, and logits."""
    shared = ops.Conv2D(4, 3)
    x = ops.ReLU()(ops.BatchNormalization()(shared(ops.SeparableConv2D(4, 5)(shared(image)))))
    x = ops.Concatenate()(ops.AveragePooling2D(3, strides=1)(x), ops.Conv2DTranspose(3, 3)(x))
    x = ops.MaxPooling2D(2)(ops.DepthwiseConv2D(3, strides=2)(x))
    return {"logits": ops.Dense(3)(ops.Dropout(0.5)(ops.GlobalAveragePooling2D()(x))), "image": x}


def recurrent(x: Any) -> Any:
    x = ops.GRU(4, return_sequences=True)(ops.LSTM(5, return_sequences=True, go_backwards=True)(x))
    return ops.GRU(3, reset_after=False)(x)


def translator(source: Any, target: Any) -> Any:
    """Return logits for each of the target's tokens, by attention to those of the source."""
    embedding = ops.Embedding(11, 8)
    x, memory = embedding(target), ops.LayerNormalization()(embedding(source))
    x = ops.RMSNormalization()(ops.Add()(x, ops.MultiHeadAttention(2, 4)(x, memory)))
    return ops.Dense(11)(ops.GELU()(ops.Dense(16)(x)))


def visual(x: Any) -> Any:
    """Return the class token of a sequence that also was convolved causally, joined with learned queries."""
    x = ops.Conv1D(6, 3, padding="causal", dilation_rate=2)(x)
    x = ops.PositionEmbedding(20)(ops.Concatenate(axis=1)(ops.Parameter((6, 1))(x), x))
    small, large = ops.Split((2, 4))(ops.MultiHeadAttention(2, 4)(ops.Parameter((6, 3))(x), x))
    return ops.Slice(0, 1, axis=1)(x), ops.Slice(1, -1)(large), small


def squeezed(x: Any) -> Any:
    """Return a network whose widths and shortcuts shapes decide."""
    x = da.residual(lambda: ops.Conv2D(6, 3, strides=2), project=lambda: ops.Conv2D(6, 1, strides=2))(x)
    return da.residual(lambda: ops.Conv2D(da.channels(x), 3), project=lambda: ops.Conv2D(6, 1))(x)


NETS: dict[str, tuple[Any, tuple[Spec, ...], tuple[str, ...]]] = {
    "convolutional": (convolutional, (IMAGE,), ("logits", "image_")),
    "squeezed": (squeezed, (IMAGE,), ("output",)),
    "recurrent": (recurrent, (SEQUENCE,), ("output",)),
    "translator": (translator, (TOKENS, da.tokens(4, vocabulary=11)), ("output",)),
    "decoder": (decoder, tuple(DECODER.values()), ("output",)),
    "ragged": (ragged, tuple(RAGGED.values()), ("all", "last", "before", "each", "where", "fold")),
    "visual": (visual, (SEQUENCE,), ("output_0", "output_1", "output_2")),
    "without_layers": (lambda x, unused: (x, ops.Split(3)(x)[1]), (SEQUENCE, IMAGE), ("output_0", "output_1")),
}


def build(fn: Any, *specs: Spec) -> Any:
    space = da.space(fn)
    model = torch_backend.build(space.at({}), dict(zip(space.inputs, specs, strict=True)), seed=0)
    torch_backend.set_weights(model, draw_weights(torch_backend.get_weights(model)))
    return model


def example(spec: Spec, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (n, *spec.shape)
    if spec.dtype == "bool":
        return torch.rand(shape, generator=generator) < 0.4
    return torch.randint(11, shape, generator=generator) if spec.vocabulary else torch.randn(shape, generator=generator)


@pytest.mark.parametrize("name", NETS)
def test_a_file_computes_what_the_model_does_for_any_batch(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    fn, specs, outputs = NETS[name]
    model, names, path = build(fn, *specs), da.space(fn).inputs, tmp_path / "model.onnx"
    random, level = torch.get_rng_state(), logging.getLogger("torch.onnx").level
    torch_backend.export_onnx(model, path)
    assert all(layer.training for layer in model.modules()) and torch.equal(torch.get_rng_state(), random)
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("torch.onnx").level == level
    session = onnxruntime.InferenceSession(path)
    assert [x.name for x in session.get_inputs()] == list(names)
    assert [x.name for x in session.get_outputs()] == list(outputs)
    model.eval()
    for n in (1, 2, 5):
        inputs = dict(zip(names, [example(spec, n) for spec in specs], strict=True))
        with torch.no_grad():
            expected = model(**inputs)
        expected = tuple(expected.values()) if isinstance(expected, dict) else expected
        expected = expected if isinstance(expected, tuple) else (expected,)
        got = session.run(None, {key: x.numpy() for key, x in inputs.items()})
        assert_close(got, [x.numpy() for x in expected], TOLERANCES["float32"])


def test_a_module_that_torch_cannot_export_is_named_by_what_went_wrong(tmp_path: Path) -> None:
    class Sorted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.is_meta else torch.from_numpy(np.sort(x.numpy()))

    model = build(lambda x: torch_backend.wrap(Sorted)()(x), SEQUENCE)
    with pytest.raises(NotSupported, match=r"cannot write this model as ONNX\.\n  Got \w+: .+\n  (.|\n)*wrapped class"):
        torch_backend.export_onnx(model, tmp_path / "model.onnx")
    with pytest.raises(BadArgument, match=r"torch_backend\.export_onnx"):
        torch_backend.export_onnx(nn.Linear(2, 2), tmp_path / "model.onnx")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    with pytest.raises(MissingDependency, match=r"onnxscript: (.|\n)*deep_arch\[onnx\]"):
        torch_backend.export_onnx(build(lambda x: ops.ReLU()(x), SEQUENCE), tmp_path / "model.onnx")
